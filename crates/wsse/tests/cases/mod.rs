//! The table of messages that must be refused: what is changed in the good one, before it is signed or
//! after, and the error that it is refused with.

/// One message.
pub struct Case {
    pub name: &'static str,
    /// Replacements before signing.
    pub signed: &'static [(&'static str, &'static str)],
    /// Replacements after signing.
    pub then: &'static [(&'static str, &'static str)],
    pub error: &'static str,
}

pub const BODY: &str = r##"<s:Body u:Id="Body" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema"><Pay xmlns="urn:example:pay"><Amount>10.00</Amount><To>A&amp;B</To></Pay></s:Body>"##;
pub const BODY_REFERENCE: &str = r##"<Reference URI="#Body"><Transforms><Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></Transform></Transforms><DigestMethod Algorithm="http://www.w3.org/2000/09/xmldsig#sha1"></DigestMethod><DigestValue></DigestValue></Reference>"##;
pub const TIME_REFERENCE: &str = r##"<Reference URI="#Time"><Transforms><Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></Transform></Transforms><DigestMethod Algorithm="http://www.w3.org/2000/09/xmldsig#sha1"></DigestMethod><DigestValue></DigestValue></Reference>"##;
/// Expanded to the references to the timestamp and to the Body.
pub const TWICE: &str = "TIME AND BODY REFERENCE";
pub const TRACE_REFERENCE_END: &str = r##"<Reference URI="#Trace"><Transforms><Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></Transform></Transforms><DigestMethod Algorithm="http://www.w3.org/2000/09/xmldsig#sha1"></DigestMethod><DigestValue></DigestValue></Reference></SignedInfo>"##;
pub const REMOTE_TRANSFORM: &str =
    r##"<Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></Transform></Transforms>"##;
pub const STR_TRANSFORM: &str = r##"<Transform Algorithm='http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#STR-Transform'><o:TransformationParameters><CanonicalizationMethod Algorithm='http://www.w3.org/2001/10/xml-exc-c14n#'/></o:TransformationParameters></Transform></Transforms>"##;
pub const STR_REFERENCE_END: &str = r##"<Reference URI="#Str"><Transforms><Transform Algorithm='http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#STR-Transform'><o:TransformationParameters><CanonicalizationMethod Algorithm='http://www.w3.org/2001/10/xml-exc-c14n#'/></o:TransformationParameters></Transform></Transforms><DigestMethod Algorithm="http://www.w3.org/2000/09/xmldsig#sha1"></DigestMethod><DigestValue></DigestValue></Reference></SignedInfo>"##;
pub const CREATED: &str = "<u:Created>2026-06-01T10:00:00.000Z</u:Created>";
pub const EXPIRES: &str = "<u:Expires>2026-06-01T10:05:00.000Z</u:Expires>";
pub const TIMESTAMP: &str = r##"<u:Timestamp u:Id="Time"><u:Created>2026-06-01T10:00:00.000Z</u:Created><u:Expires>2026-06-01T10:05:00.000Z</u:Expires></u:Timestamp>"##;
pub const KEY: &str = r##"<o:SecurityTokenReference><o:Reference ValueType="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3" URI="#Token"/></o:SecurityTokenReference>"##;
pub const X509_TYPE: &str = r##"ValueType="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3" EncodingType"##;
pub const RSA_SHA1: &str = r##"<SignatureMethod Algorithm="http://www.w3.org/2000/09/xmldsig#rsa-sha1"></SignatureMethod>"##;
pub const METHOD: &str = r##"<CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></CanonicalizationMethod>"##;
pub const DIGEST: &str =
    r##"<DigestMethod Algorithm="http://www.w3.org/2000/09/xmldsig#sha1"></DigestMethod>"##;
pub const EVIL: &str =
    r##"<s:Body u:Id="Evil"><Pay xmlns="urn:example:pay"><Amount>0.01</Amount></Pay></s:Body>"##;

pub const CASES: &[Case] = &[
    // Parts missing.
    Case {
        name: "a message without a Header",
        signed: &[],
        then: &[
            ("<s:Header>", "<s:Body/><!--"),
            ("</s:Header>", "-->"),
            (BODY, ""),
        ],
        error: "NoSecurityHeader",
    },
    Case {
        name: "a Security header of another namespace",
        signed: &[("oasis-200401-wss-wssecurity-secext-1.0.xsd", "other")],
        then: &[],
        error: "NoSecurityHeader",
    },
    Case {
        name: "a Security header for somebody else",
        signed: &[("<o:Security ", "<o:Security s:actor='urn:other' ")],
        then: &[],
        error: "NoSecurityHeader",
    },
    Case {
        name: "two Security headers",
        signed: &[(
            "<o:Security ",
            "<o:Security xmlns:o='http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd' s:actor='http://schemas.xmlsoap.org/soap/actor/next'/><o:Security ",
        )],
        then: &[],
        error: "SeveralSecurityHeaders",
    },
    Case {
        name: "no signature",
        signed: &[
            ("<Signature ", "<Signed "),
            (
                "</Signature>",
                "</Signed><o:X><Signature xmlns='http://www.w3.org/2000/09/xmldsig#'><SignedInfo/></Signature></o:X>",
            ),
        ],
        then: &[],
        error: "NoSignature",
    },
    Case {
        name: "two signatures",
        signed: &[(
            "</Signature>",
            "</Signature><Signature xmlns='http://www.w3.org/2000/09/xmldsig#'/>",
        )],
        then: &[],
        error: "SeveralSignatures",
    },
    Case {
        name: "no SignedInfo first",
        signed: &[],
        then: &[("<SignedInfo>", "<SignatureValue/><SignedInfo>")],
        error: "UnexpectedElement",
    },
    Case {
        name: "no SignatureValue",
        signed: &[],
        then: &[("<SignatureValue>", "<!--"), ("</SignatureValue>", "-->")],
        error: "UnexpectedElement",
    },
    Case {
        name: "an empty SignatureValue",
        signed: &[],
        then: &[
            ("<SignatureValue>", "<SignatureValue/><!--"),
            ("</SignatureValue>", "-->"),
        ],
        error: "SignatureLength",
    },
    Case {
        name: "no references",
        signed: &[(BODY_REFERENCE, ""), (TIME_REFERENCE, "")],
        then: &[],
        error: "MissingElement",
    },
    // What must be signed and is not.
    Case {
        name: "a Body that is not signed",
        signed: &[(BODY_REFERENCE, "")],
        then: &[],
        error: "BodyNotSigned",
    },
    Case {
        name: "a Body without an id",
        signed: &[],
        then: &[(r#" u:Id="Body""#, "")],
        error: "UnresolvedReference",
    },
    Case {
        name: "a timestamp that is not signed",
        signed: &[(TIME_REFERENCE, "")],
        then: &[],
        error: "TimestampNotSigned",
    },
    Case {
        name: "only a header that is signed",
        signed: &[
            (BODY_REFERENCE, ""),
            (TIME_REFERENCE, ""),
            ("</SignedInfo>", TRACE_REFERENCE_END),
        ],
        then: &[],
        error: "BodyNotSigned",
    },
    Case {
        name: "two references to the Body",
        signed: &[(TIME_REFERENCE, BODY_REFERENCE)],
        then: &[],
        error: "RepeatedReference",
    },
    Case {
        name: "a second reference to the Body beside the one to the timestamp",
        signed: &[(TIME_REFERENCE, TWICE)],
        then: &[],
        error: "RepeatedReference",
    },
    Case {
        name: "two references to the Body by two ids",
        signed: &[
            (r#"u:Id="Body""#, r#"u:Id="Body" Id="Two""#),
            ("#Time", "#Two"),
        ],
        then: &[],
        error: "RepeatedReference",
    },
    // Tampering.
    Case {
        name: "an altered Body",
        signed: &[],
        then: &[("10.00", "90.00")],
        error: "DigestMismatch",
    },
    Case {
        name: "white space added to the Body",
        signed: &[],
        then: &[("<To>", " <To>")],
        error: "DigestMismatch",
    },
    Case {
        name: "an attribute added to the Body",
        signed: &[],
        then: &[(r#"u:Id="Body""#, r#"u:Id="Body" a="1""#)],
        error: "DigestMismatch",
    },
    Case {
        name: "another namespace in the Body",
        signed: &[],
        then: &[("urn:example:pay", "urn:example:play")],
        error: "DigestMismatch",
    },
    Case {
        name: "an altered timestamp",
        signed: &[],
        then: &[(EXPIRES, "<u:Expires>2026-06-01T10:06:00.000Z</u:Expires>")],
        error: "DigestMismatch",
    },
    Case {
        name: "an altered header that is signed",
        signed: &[("</SignedInfo>", TRACE_REFERENCE_END)],
        then: &[(">7f<", ">7e<")],
        error: "DigestMismatch",
    },
    Case {
        name: "an altered SignedInfo",
        signed: &[],
        then: &[(
            METHOD,
            r##"<CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#WithComments"></CanonicalizationMethod>"##,
        )],
        error: "SignatureMismatch",
    },
    Case {
        name: "an empty digest",
        signed: &[(
            "<DigestValue></DigestValue></Reference><",
            "<DigestValue/></Reference><",
        )],
        then: &[],
        error: "DigestMismatch",
    },
    Case {
        name: "a digest that is not base64",
        signed: &[],
        then: &[("<DigestValue>", "<DigestValue>*")],
        error: "NotBase64",
    },
    Case {
        name: "a digest with an element in it",
        signed: &[],
        then: &[("<DigestValue>", "<DigestValue><x/>")],
        error: "UnexpectedContent",
    },
    Case {
        name: "a signature value that is not base64",
        signed: &[],
        then: &[("<SignatureValue>", "<SignatureValue>=")],
        error: "NotBase64",
    },
    Case {
        name: "a signature value with a byte more in front",
        signed: &[],
        then: &[("<SignatureValue>", "<SignatureValue>AAAA")],
        error: "SignatureLength",
    },
    // Wrapping.
    Case {
        name: "a second Body before the signed one",
        signed: &[],
        then: &[(
            BODY,
            r##"<s:Body u:Id="Evil"><Pay xmlns="urn:example:pay"><Amount>0.01</Amount></Pay></s:Body>BODY"##,
        )],
        error: "SeveralBodies",
    },
    Case {
        name: "a second Body after the signed one",
        signed: &[],
        then: &[("</s:Body>", "</s:Body><s:Body/>")],
        error: "SeveralBodies",
    },
    Case {
        name: "the signed Body moved into a header",
        signed: &[],
        then: &[
            (BODY, EVIL),
            (
                "</s:Header>",
                "<h:Wrapper xmlns:h='urn:w'>BODY</h:Wrapper></s:Header>",
            ),
        ],
        error: "UnresolvedReference",
    },
    Case {
        name: "the signed Body moved to be a header",
        signed: &[],
        then: &[(BODY, EVIL), ("</s:Header>", "BODY</s:Header>")],
        error: "BodyNotSigned",
    },
    Case {
        name: "the signed Body moved into the Security header",
        signed: &[],
        then: &[(BODY, EVIL), ("<u:Timestamp ", "BODY<u:Timestamp ")],
        error: "BodyNotSigned",
    },
    Case {
        name: "the signed Body moved into a wrapper in the Body",
        signed: &[],
        then: &[(BODY, "<s:Body u:Id='Evil'><Wrapper>BODY</Wrapper></s:Body>")],
        error: "UnresolvedReference",
    },
    Case {
        name: "the signed Body moved into a second Envelope",
        signed: &[],
        then: &[(BODY, "<s:Body u:Id='Evil'/><s:Envelope>BODY</s:Envelope>")],
        error: "UnexpectedChild",
    },
    Case {
        name: "the signed Body moved into an Object of the signature",
        signed: &[],
        then: &[
            (BODY, EVIL),
            ("</Signature>", "<Object>BODY</Object></Signature>"),
        ],
        error: "UnexpectedElement",
    },
    Case {
        name: "the signed Body moved into KeyInfo",
        signed: &[],
        then: &[(BODY, EVIL), ("<KeyInfo>", "<KeyInfo>BODY")],
        error: "UnresolvedReference",
    },
    Case {
        name: "a copy of the signed Body with its id in a header",
        signed: &[],
        then: &[("</s:Header>", "BODY</s:Header>")],
        error: "DuplicateId",
    },
    Case {
        name: "a reference to a child of the Body",
        signed: &[(r#" u:Id="Body""#, ""), ("<Pay ", "<Pay Id='Body' ")],
        then: &[],
        error: "UnresolvedReference",
    },
    Case {
        name: "a reference to the Envelope",
        signed: &[
            (r#" u:Id="Body""#, ""),
            ("<s:Envelope ", "<s:Envelope Id='Body' "),
        ],
        then: &[],
        error: "UnresolvedReference",
    },
    Case {
        name: "a reference to the Header",
        signed: &[
            (r#" u:Id="Body""#, ""),
            ("<s:Header>", "<s:Header Id='Body'>"),
        ],
        then: &[],
        error: "UnresolvedReference",
    },
    Case {
        name: "a reference to the Security header",
        signed: &[("#Body", "#Sec"), ("<o:Security ", "<o:Security Id='Sec' ")],
        then: &[],
        error: "UnresolvedReference",
    },
    Case {
        name: "a reference to the signature",
        signed: &[("#Body", "#Sig"), ("<Signature ", "<Signature Id='Sig' ")],
        then: &[],
        error: "UnresolvedReference",
    },
    Case {
        name: "a signed timestamp in another header",
        signed: &[
            (TIMESTAMP, ""),
            ("</s:Header>", "<u:Timestamp u:Id='Time'/></s:Header>"),
        ],
        then: &[],
        error: "NoTimestamp",
    },
    Case {
        name: "a signed timestamp in another header and an unsigned one in ours",
        signed: &[
            (r#"u:Id="Time""#, r#"u:Id="Fresh""#),
            ("</s:Header>", "<u:Timestamp u:Id='Time'/></s:Header>"),
        ],
        then: &[],
        error: "TimestampNotSigned",
    },
    Case {
        name: "a timestamp beside the signed one",
        signed: &[("<u:Timestamp ", "<u:Timestamp/><u:Timestamp ")],
        then: &[],
        error: "SeveralTimestamps",
    },
    // Ids.
    Case {
        name: "an id twice as wsu:Id",
        signed: &[],
        then: &[(r#"u:Id="Trace""#, r#"u:Id="Body""#)],
        error: "DuplicateId",
    },
    Case {
        name: "an id as wsu:Id and as Id",
        signed: &[],
        then: &[(r#"u:Id="Trace""#, r#"Id="Body""#)],
        error: "DuplicateId",
    },
    Case {
        name: "an id as wsu:Id and as upper-case ID",
        signed: &[],
        then: &[(r#"u:Id="Trace""#, r#"ID="Body""#)],
        error: "DuplicateId",
    },
    Case {
        name: "an id as wsu:Id and as xml:id",
        signed: &[],
        then: &[(r#"u:Id="Trace""#, r#"xml:id="Body""#)],
        error: "DuplicateId",
    },
    Case {
        name: "an id as Id and as upper-case ID",
        signed: &[],
        then: &[(r#"u:Id="Trace""#, r#"Id="x""#), ("<Pay ", "<Pay ID='x' ")],
        error: "DuplicateId",
    },
    Case {
        name: "an id as Id and as xml:id",
        signed: &[],
        then: &[
            (r#"u:Id="Trace""#, r#"Id="x""#),
            ("<Pay ", "<Pay xml:id='x' "),
        ],
        error: "DuplicateId",
    },
    Case {
        name: "an id as upper-case ID and as xml:id",
        signed: &[],
        then: &[
            (r#"u:Id="Trace""#, r#"ID="x""#),
            ("<Pay ", "<Pay xml:id='x' "),
        ],
        error: "DuplicateId",
    },
    Case {
        name: "an id twice but for white space",
        signed: &[],
        then: &[(r#"u:Id="Trace""#, r#"xml:id=" Body""#)],
        error: "DuplicateId",
    },
    Case {
        name: "an id twice on one element",
        signed: &[(r#"u:Id="Body""#, r#"u:Id="Body" Id="Body""#)],
        then: &[],
        error: "DuplicateId",
    },
    Case {
        name: "an id twice deep in the Body",
        signed: &[("<Amount>", "<Amount Id='x'>"), ("<To>", "<To Id='x'>")],
        then: &[],
        error: "DuplicateId",
    },
    // References.
    Case {
        name: "an empty URI",
        signed: &[("#Body", "")],
        then: &[],
        error: "UnsupportedReference",
    },
    Case {
        name: "no URI",
        signed: &[("<Reference URI=\"#Body\">", "<Reference>")],
        then: &[],
        error: "MissingAttribute",
    },
    Case {
        name: "a remote URI",
        signed: &[("\"#Body\"", "\"http://example/#Body\"")],
        then: &[],
        error: "UnsupportedReference",
    },
    Case {
        name: "a file URI",
        signed: &[("\"#Body\"", "\"file:///etc/passwd\"")],
        then: &[],
        error: "UnsupportedReference",
    },
    Case {
        name: "a URI without an id",
        signed: &[("\"#Body\"", "\"#\"")],
        then: &[],
        error: "UnsupportedReference",
    },
    Case {
        name: "a URI without a hash sign",
        signed: &[("\"#Body\"", "\"Body\"")],
        then: &[],
        error: "UnsupportedReference",
    },
    Case {
        name: "an XPointer to the root",
        signed: &[("\"#Body\"", "\"#xpointer(/)\"")],
        then: &[],
        error: "UnsupportedReference",
    },
    Case {
        name: "an XPointer to an id",
        signed: &[("\"#Body\"", "\"#xpointer(id('Body'))\"")],
        then: &[],
        error: "UnsupportedReference",
    },
    Case {
        name: "a percent-encoded id",
        signed: &[("\"#Body\"", "\"#%42ody\"")],
        then: &[],
        error: "UnresolvedReference",
    },
    Case {
        name: "an id in other case",
        signed: &[("\"#Body\"", "\"#body\"")],
        then: &[],
        error: "UnresolvedReference",
    },
    Case {
        name: "a cid URI",
        signed: &[("\"#Body\"", "\"cid:Body\"")],
        then: &[],
        error: "UnsupportedReference",
    },
    Case {
        name: "a reference to a manifest",
        signed: &[(
            "<Reference URI=\"#Body\"",
            "<Reference Type=\"http://www.w3.org/2000/09/xmldsig#Manifest\" URI=\"#Body\"",
        )],
        then: &[],
        error: "UnsupportedReference",
    },
    Case {
        name: "an unknown element in a reference",
        signed: &[("</Transforms>", "</Transforms><x/>")],
        then: &[],
        error: "UnexpectedElement",
    },
    Case {
        name: "text in SignedInfo",
        signed: &[("<SignedInfo>", "<SignedInfo>x")],
        then: &[],
        error: "UnexpectedContent",
    },
    Case {
        name: "an unknown element in SignedInfo",
        signed: &[("</SignedInfo>", "<x/></SignedInfo>")],
        then: &[],
        error: "UnexpectedElement",
    },
    // Transforms.
    Case {
        name: "empty Transforms",
        signed: &[
            ("<Transforms>", "<Transforms/><!--"),
            ("</Transforms>", "-->"),
        ],
        then: &[],
        error: "MissingElement",
    },
    Case {
        name: "an enveloped-signature transform",
        signed: &[(
            "<Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"",
            "<Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"",
        )],
        then: &[],
        error: "UnsupportedTransform",
    },
    Case {
        name: "an XPath transform",
        signed: &[(
            "<Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"></Transform>",
            "<Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xpath-19991116\"><XPath>1=0</XPath></Transform>",
        )],
        then: &[],
        error: "UnsupportedTransform",
    },
    Case {
        name: "an XPath Filter 2 transform",
        signed: &[(
            "<Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"",
            "<Transform Algorithm=\"http://www.w3.org/2002/06/xmldsig-filter2\"",
        )],
        then: &[],
        error: "UnsupportedTransform",
    },
    Case {
        name: "an XSLT transform",
        signed: &[(
            "<Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"",
            "<Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xslt-19991116\"",
        )],
        then: &[],
        error: "UnsupportedTransform",
    },
    Case {
        name: "a base64 transform",
        signed: &[(
            "<Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"",
            "<Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#base64\"",
        )],
        then: &[],
        error: "UnsupportedTransform",
    },
    Case {
        name: "a second transform",
        signed: &[(
            REMOTE_TRANSFORM,
            r##"<Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></Transform><Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/></Transforms>"##,
        )],
        then: &[],
        error: "UnsupportedTransform",
    },
    Case {
        name: "an STR-Transform without parameters",
        signed: &[],
        then: &[(
            REMOTE_TRANSFORM,
            "<Transform Algorithm='http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#STR-Transform'/></Transforms>",
        )],
        error: "MissingElement",
    },
    Case {
        name: "an STR-Transform of the Body",
        signed: &[],
        then: &[(REMOTE_TRANSFORM, STR_TRANSFORM)],
        error: "UnresolvedReference",
    },
    Case {
        name: "an STR-Transform of a reference that is not there",
        signed: &[],
        then: &[(REMOTE_TRANSFORM, STR_TRANSFORM), ("#Body", "#Absent")],
        error: "UnresolvedReference",
    },
    Case {
        name: "an STR-Transform of a reference that names the Body",
        signed: &[],
        then: &[
            (REMOTE_TRANSFORM, STR_TRANSFORM),
            ("#Body", "#Str"),
            (
                "<o:SecurityTokenReference>",
                "<o:SecurityTokenReference Id='Str'>",
            ),
            ("#Token", "#Body"),
        ],
        error: "UnresolvedToken",
    },
    Case {
        name: "an STR-Transform of a reference in the Body",
        signed: &[],
        then: &[
            (REMOTE_TRANSFORM, STR_TRANSFORM),
            ("URI=\"#Body\"", "URI=\"#Str\""),
            (
                "<Amount>",
                "<o:SecurityTokenReference xmlns:o='http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd' Id='Str'/><Amount>",
            ),
        ],
        error: "UnresolvedReference",
    },
    Case {
        name: "an STR-Transform of an embedded token",
        signed: &[],
        then: &[
            (REMOTE_TRANSFORM, STR_TRANSFORM),
            ("#Body", "#Str"),
            (
                KEY,
                "<o:SecurityTokenReference Id='Str'><o:Embedded/></o:SecurityTokenReference>",
            ),
        ],
        error: "UnsupportedKeyInfo",
    },
    Case {
        name: "an STR-Transform of a key identifier of somebody else",
        signed: &[
            ("</SignedInfo>", STR_REFERENCE_END),
            (
                "<Signature ",
                "<o:SecurityTokenReference Id='Str'><o:KeyIdentifier ValueType='http://docs.oasis-open.org/wss/oasis-wss-soap-message-security-1.1#ThumbprintSHA1'>AAAA</o:KeyIdentifier></o:SecurityTokenReference><Signature ",
            ),
        ],
        then: &[],
        error: "ContradictoryKeyInfo",
    },
    Case {
        name: "a reference by a child sequence that is also an id",
        signed: &[
            ("u:Id=\"Body\"", "u:Id=\"/1/2\""),
            ("URI=\"#Body\"", "URI=\"#/1/2\""),
        ],
        then: &[],
        error: "UnsupportedReference",
    },
    Case {
        name: "two STR-Transforms of one key identifier",
        signed: &[
            ("</SignedInfo>", STR_REFERENCE_END),
            ("</SignedInfo>", STR_REFERENCE_END),
            (
                KEY,
                "<o:SecurityTokenReference Id='Str'><o:KeyIdentifier ValueType='http://docs.oasis-open.org/wss/oasis-wss-soap-message-security-1.1#ThumbprintSHA1'>AAAA</o:KeyIdentifier></o:SecurityTokenReference>",
            ),
        ],
        then: &[],
        error: "RepeatedReference",
    },
    Case {
        name: "a token that was altered though it is signed through its reference",
        signed: &[
            ("</SignedInfo>", STR_REFERENCE_END),
            (
                "<o:SecurityTokenReference>",
                "<o:SecurityTokenReference Id='Str'>",
            ),
        ],
        then: &[("<o:BinarySecurityToken ", "<o:BinarySecurityToken a='1' ")],
        error: "DigestMismatch",
    },
    Case {
        name: "a PrefixList for Canonical XML 1.0",
        signed: &[],
        then: &[(
            METHOD,
            "<CanonicalizationMethod Algorithm='http://www.w3.org/TR/2001/REC-xml-c14n-20010315'><InclusiveNamespaces xmlns='http://www.w3.org/2001/10/xml-exc-c14n#' PrefixList='s'/></CanonicalizationMethod>",
        )],
        error: "UnexpectedElement",
    },
    Case {
        name: "a namespace added around a Body that is signed inclusively",
        signed: &[(
            "http://www.w3.org/2001/10/xml-exc-c14n#",
            "http://www.w3.org/2006/12/xml-c14n11",
        )],
        then: &[("<s:Envelope ", "<s:Envelope xmlns:new='urn:new' ")],
        error: "SignatureMismatch",
    },
    Case {
        name: "a language added around a Body that is signed inclusively",
        signed: &[(
            REMOTE_TRANSFORM,
            "<Transform Algorithm='http://www.w3.org/TR/2001/REC-xml-c14n-20010315'/></Transforms>",
        )],
        then: &[("<s:Envelope ", "<s:Envelope xml:lang='en' ")],
        error: "DigestMismatch",
    },
    Case {
        name: "a transform with an unknown parameter",
        signed: &[("</Transform>", "<XPath>self::node()</XPath></Transform>")],
        then: &[],
        error: "UnexpectedElement",
    },
    Case {
        name: "a transform without an algorithm",
        signed: &[(
            "<Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"",
            "<Transform",
        )],
        then: &[],
        error: "MissingAttribute",
    },
    Case {
        name: "an InclusiveNamespaces without a list",
        signed: &[(
            "</Transform>",
            "<InclusiveNamespaces xmlns='http://www.w3.org/2001/10/xml-exc-c14n#'/></Transform>",
        )],
        then: &[],
        error: "MissingAttribute",
    },
    // Algorithms.
    Case {
        name: "an unknown canonicalization of SignedInfo",
        signed: &[(METHOD, "<CanonicalizationMethod Algorithm='urn:none'/>")],
        then: &[],
        error: "UnsupportedCanonicalization",
    },
    Case {
        name: "HMAC",
        signed: &[(
            RSA_SHA1,
            "<SignatureMethod Algorithm='http://www.w3.org/2000/09/xmldsig#hmac-sha1'/>",
        )],
        then: &[],
        error: "UnsupportedSignatureMethod",
    },
    Case {
        name: "HMAC with a length of nothing",
        signed: &[(
            RSA_SHA1,
            "<SignatureMethod Algorithm='http://www.w3.org/2000/09/xmldsig#hmac-sha1'><HMACOutputLength>0</HMACOutputLength></SignatureMethod>",
        )],
        then: &[],
        error: "UnexpectedElement",
    },
    Case {
        name: "DSA",
        signed: &[(
            RSA_SHA1,
            "<SignatureMethod Algorithm='http://www.w3.org/2000/09/xmldsig#dsa-sha1'/>",
        )],
        then: &[],
        error: "UnsupportedSignatureMethod",
    },
    Case {
        name: "ECDSA",
        signed: &[(
            RSA_SHA1,
            "<SignatureMethod Algorithm='http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256'/>",
        )],
        then: &[],
        error: "UnsupportedSignatureMethod",
    },
    Case {
        name: "RSA with MD5",
        signed: &[(
            RSA_SHA1,
            "<SignatureMethod Algorithm='http://www.w3.org/2001/04/xmldsig-more#rsa-md5'/>",
        )],
        then: &[],
        error: "UnsupportedSignatureMethod",
    },
    Case {
        name: "RSA-PSS with SHA-1",
        signed: &[(
            RSA_SHA1,
            "<SignatureMethod Algorithm='http://www.w3.org/2007/05/xmldsig-more#sha1-rsa-MGF1'/>",
        )],
        then: &[],
        error: "UnsupportedSignatureMethod",
    },
    Case {
        name: "RSA-PSS with parameters",
        signed: &[(
            RSA_SHA1,
            "<SignatureMethod Algorithm='http://www.w3.org/2007/05/xmldsig-more#rsa-pss'/>",
        )],
        then: &[],
        error: "UnsupportedSignatureMethod",
    },
    Case {
        name: "a signature of PKCS#1 called RSA-PSS",
        signed: &[(
            RSA_SHA1,
            "<SignatureMethod Algorithm='http://www.w3.org/2001/04/xmldsig-more#rsa-sha256'/>",
        )],
        then: &[(
            "2001/04/xmldsig-more#rsa-sha256",
            "2007/05/xmldsig-more#sha256-rsa-MGF1",
        )],
        error: "SignatureMismatch",
    },
    Case {
        name: "no signature method",
        signed: &[(RSA_SHA1, "<SignatureMethod Algorithm=''/>")],
        then: &[],
        error: "UnsupportedSignatureMethod",
    },
    Case {
        name: "MD5 digests",
        signed: &[(
            DIGEST,
            "<DigestMethod Algorithm='http://www.w3.org/2001/04/xmldsig-more#md5'/>",
        )],
        then: &[],
        error: "UnsupportedDigestMethod",
    },
    Case {
        name: "a digest method that is a signature method",
        signed: &[(
            DIGEST,
            "<DigestMethod Algorithm='http://www.w3.org/2000/09/xmldsig#rsa-sha1'/>",
        )],
        then: &[],
        error: "UnsupportedDigestMethod",
    },
    Case {
        name: "a signature of SHA-1 called SHA-256",
        signed: &[],
        then: &[(
            RSA_SHA1,
            r##"<SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"></SignatureMethod>"##,
        )],
        error: "SignatureMismatch",
    },
    // The key.
    Case {
        name: "a certificate that is not trusted",
        signed: &[],
        then: &[("TRUSTED", "STRANGER")],
        error: "UntrustedSigner",
    },
    Case {
        name: "another certificate of the trusted key",
        signed: &[],
        then: &[("TRUSTED", "RENEWED")],
        error: "UntrustedSigner",
    },
    Case {
        name: "another trusted certificate",
        signed: &[],
        then: &[("TRUSTED", "SERVICE")],
        error: "SignatureMismatch",
    },
    Case {
        name: "a certificate with a byte too many",
        signed: &[],
        then: &[("TRUSTED", "TRAILING")],
        error: "UntrustedSigner",
    },
    Case {
        name: "an empty token",
        signed: &[],
        then: &[("TRUSTED", "")],
        error: "UntrustedSigner",
    },
    Case {
        name: "a token that is not base64",
        signed: &[],
        then: &[("TRUSTED", "*")],
        error: "NotBase64",
    },
    Case {
        name: "a reference that calls the token a PKIPath",
        signed: &[],
        then: &[("X509v3\" URI", "X509PKIPathv1\" URI")],
        error: "UnsupportedToken",
    },
    Case {
        name: "the right token, and the key that signed as a key value",
        signed: &[],
        then: &[(
            KEY,
            "KEY<KeyValue><RSAKeyValue><Modulus>STRANGER_MODULUS</Modulus><Exponent>AQAB</Exponent></RSAKeyValue></KeyValue>",
        )],
        error: "ContradictoryKeyInfo",
    },
    Case {
        name: "the right token, and another certificate",
        signed: &[],
        then: &[(
            KEY,
            "KEY<X509Data><X509Certificate>STRANGER_TOKEN</X509Certificate></X509Data>",
        )],
        error: "ContradictoryKeyInfo",
    },
    Case {
        name: "the right token, and another trusted certificate",
        signed: &[],
        then: &[(
            KEY,
            "KEY<X509Data><X509Certificate>SERVICE_TOKEN</X509Certificate></X509Data>",
        )],
        error: "ContradictoryKeyInfo",
    },
    Case {
        name: "the right certificate beside another that did not issue it",
        signed: &[],
        then: &[(
            KEY,
            "<X509Data><X509Certificate>TRUSTED_TOKEN</X509Certificate><X509Certificate>SERVICE_TOKEN</X509Certificate></X509Data>",
        )],
        error: "UntrustedSigner",
    },
    Case {
        name: "the right certificate beside what is none",
        signed: &[],
        then: &[(
            KEY,
            "<X509Data><X509Certificate>TRUSTED_TOKEN</X509Certificate><X509Certificate>AAAA</X509Certificate></X509Data>",
        )],
        error: "UntrustedSigner",
    },
    Case {
        name: "a certificate beside the subject key identifier of another",
        signed: &[],
        then: &[(
            KEY,
            "<X509Data><X509Certificate>TRUSTED_TOKEN</X509Certificate><X509SKI>AAAA</X509SKI></X509Data>",
        )],
        error: "ContradictoryKeyInfo",
    },
    Case {
        name: "a certificate beside the subject of another",
        signed: &[],
        then: &[(
            KEY,
            "<X509Data><X509Certificate>TRUSTED_TOKEN</X509Certificate><X509SubjectName>CN=service.example</X509SubjectName></X509Data>",
        )],
        error: "ContradictoryKeyInfo",
    },
    Case {
        name: "a certificate list beside the certificate",
        signed: &[],
        then: &[(
            KEY,
            "<X509Data><X509Certificate>TRUSTED_TOKEN</X509Certificate><X509CRL>AAAA</X509CRL></X509Data>",
        )],
        error: "UnsupportedKeyInfo",
    },
    Case {
        name: "seven certificates",
        signed: &[],
        then: &[(
            KEY,
            "<X509Data><X509Certificate/><X509Certificate/><X509Certificate/><X509Certificate/><X509Certificate/><X509Certificate/><X509Certificate/></X509Data>",
        )],
        error: "UnsupportedKeyInfo",
    },
    Case {
        name: "a certificate of more than 16 KiB",
        signed: &[],
        then: &[("TRUSTED", "LARGE")],
        error: "UnusableCertificate",
    },
    Case {
        name: "seventeen key identifiers",
        signed: &[],
        then: &[(KEY, "<X509Data>SKIS</X509Data>")],
        error: "TooManyHints",
    },
    Case {
        name: "a subject key identifier that nobody has",
        signed: &[],
        then: &[(
            KEY,
            "<o:SecurityTokenReference><o:KeyIdentifier ValueType='http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509SubjectKeyIdentifier'>AAAA</o:KeyIdentifier></o:SecurityTokenReference>",
        )],
        error: "UnknownSigner",
    },
    Case {
        name: "a key identifier of no type",
        signed: &[],
        then: &[(
            KEY,
            "<o:SecurityTokenReference><o:KeyIdentifier>AAAA</o:KeyIdentifier></o:SecurityTokenReference>",
        )],
        error: "MissingAttribute",
    },
    Case {
        name: "a key identifier of another type",
        signed: &[],
        then: &[(
            KEY,
            "<o:SecurityTokenReference><o:KeyIdentifier ValueType='urn:other'>AAAA</o:KeyIdentifier></o:SecurityTokenReference>",
        )],
        error: "UnsupportedToken",
    },
    Case {
        name: "a key identifier of an odd number of hexadecimal digits",
        signed: &[],
        then: &[(
            KEY,
            "<o:SecurityTokenReference><o:KeyIdentifier EncodingType='http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#HexBinary' ValueType='http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509SubjectKeyIdentifier'>000</o:KeyIdentifier></o:SecurityTokenReference>",
        )],
        error: "NotHexadecimal",
    },
    Case {
        name: "a key identifier in an unknown encoding",
        signed: &[],
        then: &[(
            KEY,
            "<o:SecurityTokenReference><o:KeyIdentifier EncodingType='http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Text' ValueType='http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509SubjectKeyIdentifier'>00</o:KeyIdentifier></o:SecurityTokenReference>",
        )],
        error: "UnsupportedToken",
    },
    Case {
        name: "an issuer and serial number that nobody has",
        signed: &[],
        then: &[(
            KEY,
            "<X509Data><X509IssuerSerial><X509IssuerName>CN=mpay.example</X509IssuerName><X509SerialNumber>1</X509SerialNumber></X509IssuerSerial></X509Data>",
        )],
        error: "UnknownSigner",
    },
    Case {
        name: "the right issuer with another serial number",
        signed: &[],
        then: &[(
            KEY,
            "<X509Data><X509IssuerSerial><X509IssuerName>CN=mpay.example,serialNumber=1003600000001,O=Example Authority,C=MD</X509IssuerName><X509SerialNumber>1</X509SerialNumber></X509IssuerSerial></X509Data>",
        )],
        error: "UnknownSigner",
    },
    Case {
        name: "the right serial number with another issuer",
        signed: &[],
        then: &[(
            KEY,
            "<X509Data><X509IssuerSerial><X509IssuerName>CN=mpay.example</X509IssuerName><X509SerialNumber>SERIAL</X509SerialNumber></X509IssuerSerial></X509Data>",
        )],
        error: "UnknownSigner",
    },
    Case {
        name: "a thumbprint that nobody has",
        signed: &[],
        then: &[(
            KEY,
            "<o:SecurityTokenReference><o:KeyIdentifier ValueType='http://docs.oasis-open.org/wss/oasis-wss-soap-message-security-1.1#ThumbprintSHA1'>AAAA</o:KeyIdentifier></o:SecurityTokenReference>",
        )],
        error: "UnknownSigner",
    },
    Case {
        name: "the right modulus with another exponent",
        signed: &[],
        then: &[(
            KEY,
            "<KeyValue><RSAKeyValue><Modulus>MPAY_MODULUS</Modulus><Exponent>Aw==</Exponent></RSAKeyValue></KeyValue>",
        )],
        error: "UnknownSigner",
    },
    Case {
        name: "an issuer that is no name",
        signed: &[],
        then: &[(
            KEY,
            "<X509Data><X509IssuerSerial><X509IssuerName>mpay.example</X509IssuerName><X509SerialNumber>1</X509SerialNumber></X509IssuerSerial></X509Data>",
        )],
        error: "BadName",
    },
    Case {
        name: "a sign without a serial number's digits",
        signed: &[],
        then: &[(
            KEY,
            "<X509Data><X509IssuerSerial><X509IssuerName>CN=mpay.example</X509IssuerName><X509SerialNumber>--1</X509SerialNumber></X509IssuerSerial></X509Data>",
        )],
        error: "BadSerialNumber",
    },
    Case {
        name: "a serial number of fifty digits",
        signed: &[],
        then: &[(
            KEY,
            "<X509Data><X509IssuerSerial><X509IssuerName>CN=mpay.example</X509IssuerName><X509SerialNumber>10000000000000000000000000000000000000000000000000</X509SerialNumber></X509IssuerSerial></X509Data>",
        )],
        error: "BadSerialNumber",
    },
    Case {
        name: "a DSA key value",
        signed: &[],
        then: &[(KEY, "<KeyValue><DSAKeyValue/></KeyValue>")],
        error: "UnsupportedKeyInfo",
    },
    Case {
        name: "an embedded token in the reference",
        signed: &[],
        then: &[(
            KEY,
            "<o:SecurityTokenReference><o:Embedded/></o:SecurityTokenReference>",
        )],
        error: "UnsupportedKeyInfo",
    },
    Case {
        name: "two things in the reference",
        signed: &[],
        then: &[("URI=\"#Token\"/>", "URI=\"#Token\"/><o:KeyIdentifier/>")],
        error: "UnexpectedElement",
    },
    Case {
        name: "a token of another type",
        signed: &[],
        then: &[(
            X509_TYPE,
            "ValueType='http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509PKIPathv1' EncodingType",
        )],
        error: "UnsupportedToken",
    },
    Case {
        name: "a token in an unknown encoding",
        signed: &[],
        then: &[("#Base64Binary", "#Text")],
        error: "UnsupportedToken",
    },
    Case {
        name: "a token in base64 that says it is hexadecimal",
        signed: &[],
        then: &[("#Base64Binary", "#HexBinary")],
        error: "NotHexadecimal",
    },
    Case {
        name: "a reference to no token",
        signed: &[],
        then: &[("#Token", "#Absent")],
        error: "UnresolvedToken",
    },
    Case {
        name: "a reference to the token without a hash sign",
        signed: &[],
        then: &[("#Token", "Token")],
        error: "UnresolvedToken",
    },
    Case {
        name: "a reference to a token elsewhere",
        signed: &[],
        then: &[("#Token", "http://example/token")],
        error: "UnresolvedToken",
    },
    Case {
        name: "a reference to a part that is no token",
        signed: &[],
        then: &[("#Token", "#Trace")],
        error: "UnresolvedToken",
    },
    Case {
        name: "a token outside the Security header",
        signed: &[],
        then: &[
            (
                "<h:Trace ",
                "<o:BinarySecurityToken xmlns:o='http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd' Id='Out'/><h:Trace ",
            ),
            ("#Token", "#Out"),
        ],
        error: "UnresolvedToken",
    },
    Case {
        name: "a key value",
        signed: &[],
        then: &[(KEY, "<KeyValue><RSAKeyValue/></KeyValue>")],
        error: "MissingElement",
    },
    Case {
        name: "a key value beside the token",
        signed: &[],
        then: &[(KEY, "KEY<KeyValue/>")],
        error: "MissingElement",
    },
    Case {
        name: "a key name",
        signed: &[],
        then: &[(KEY, "<KeyName>mpay</KeyName>")],
        error: "UnsupportedKeyInfo",
    },
    Case {
        name: "a RetrievalMethod",
        signed: &[],
        then: &[(KEY, "<RetrievalMethod URI='#Token'/>")],
        error: "UnsupportedKeyInfo",
    },
    Case {
        name: "an empty KeyInfo",
        signed: &[],
        then: &[(KEY, "")],
        error: "MissingElement",
    },
    Case {
        name: "an empty X509Data",
        signed: &[],
        then: &[(KEY, "<X509Data/>")],
        error: "MissingElement",
    },
    Case {
        name: "two embedded certificates",
        signed: &[],
        then: &[(
            KEY,
            "<X509Data><X509Certificate/><X509Certificate/></X509Data>",
        )],
        error: "UntrustedSigner",
    },
    // Time.
    Case {
        name: "no timestamp",
        signed: &[(TIMESTAMP, "")],
        then: &[],
        error: "NoTimestamp",
    },
    Case {
        name: "no Created",
        signed: &[(CREATED, "")],
        then: &[],
        error: "UnexpectedElement",
    },
    Case {
        name: "an empty timestamp",
        signed: &[(CREATED, ""), (EXPIRES, "")],
        then: &[],
        error: "MissingElement",
    },
    Case {
        name: "two Created",
        signed: &[(
            "<u:Created>",
            "<u:Created>2026-06-01T10:00:00Z</u:Created><u:Created>",
        )],
        then: &[],
        error: "UnexpectedElement",
    },
    Case {
        name: "two Expires",
        signed: &[(
            "<u:Expires>",
            "<u:Expires>2026-06-01T10:09:00Z</u:Expires><u:Expires>",
        )],
        then: &[],
        error: "UnexpectedElement",
    },
    Case {
        name: "an unknown element in the timestamp",
        signed: &[("</u:Timestamp>", "<u:Received/></u:Timestamp>")],
        then: &[],
        error: "UnexpectedElement",
    },
    Case {
        name: "a Created that is no time",
        signed: &[(CREATED, "<u:Created>yesterday</u:Created>")],
        then: &[],
        error: "BadTime",
    },
    Case {
        name: "a Created with a leap second",
        signed: &[(CREATED, "<u:Created>2026-06-01T10:00:60Z</u:Created>")],
        then: &[],
        error: "BadTime",
    },
    Case {
        name: "an Expires before Created",
        signed: &[(EXPIRES, "<u:Expires>2026-06-01T09:59:59Z</u:Expires>")],
        then: &[],
        error: "ExpiresBeforeCreated",
    },
    Case {
        name: "an Expires at Created",
        signed: &[(EXPIRES, "<u:Expires>2026-06-01T10:00:00Z</u:Expires>")],
        then: &[],
        error: "ExpiresBeforeCreated",
    },
    Case {
        name: "a Created in the future",
        signed: &[(CREATED, "<u:Created>2026-06-01T10:02:31Z</u:Created>")],
        then: &[],
        error: "CreatedInFuture",
    },
    Case {
        name: "a message that has expired",
        signed: &[
            (CREATED, "<u:Created>2026-06-01T09:55:00Z</u:Created>"),
            (EXPIRES, "<u:Expires>2026-06-01T09:58:29Z</u:Expires>"),
        ],
        then: &[],
        error: "Expired",
    },
    Case {
        name: "a message too old, whatever it says",
        signed: &[
            (CREATED, "<u:Created>2026-06-01T09:30:29Z</u:Created>"),
            (EXPIRES, "<u:Expires>2027-06-01T10:00:00Z</u:Expires>"),
        ],
        then: &[],
        error: "TooOld",
    },
    Case {
        name: "a message too old without Expires",
        signed: &[
            (CREATED, "<u:Created>2026-06-01T09:30:29Z</u:Created>"),
            (EXPIRES, ""),
        ],
        then: &[],
        error: "TooOld",
    },
    // XML.
    Case {
        name: "a DTD",
        signed: &[],
        then: &[(
            "<s:Envelope ",
            "<!DOCTYPE x [<!ENTITY a \"b\">]><s:Envelope ",
        )],
        error: "Xml",
    },
    Case {
        name: "a processing instruction",
        signed: &[],
        then: &[("<s:Body", "<?x y?><s:Body")],
        error: "Xml",
    },
    Case {
        name: "an entity",
        signed: &[],
        then: &[("10.00", "&a;")],
        error: "Xml",
    },
    Case {
        name: "an envelope of SOAP 1.2",
        signed: &[(
            "http://schemas.xmlsoap.org/soap/envelope/",
            "http://www.w3.org/2003/05/soap-envelope",
        )],
        then: &[],
        error: "VersionMismatch",
    },
];
