//! Namespaces and identifiers of the specifications, as the contract lists them: those of signed
//! messages, and more.

pub(super) use mpay_client::NAMESPACE as MPAY;
pub(super) use wsse::names::{
    BASE64_BINARY, DS, EXC_C14N, SOAP, THUMBPRINT_SHA1 as THUMBPRINT, WSSE, WSU, XML,
};

pub(super) const X509_PROFILE: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0";
pub(super) const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
pub(super) const XS: &str = "http://www.w3.org/2001/XMLSchema";
pub(super) const WSDL: &str = "http://schemas.xmlsoap.org/wsdl/";
pub(super) const WSDL_SOAP: &str = "http://schemas.xmlsoap.org/wsdl/soap/";
