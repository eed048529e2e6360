"""Plays MPay with zeep and libxmlsec1: what it makes of the WSDL, it sends; what it gets, it
verifies and prints as JSON.

usage: zeep_client.py URL sha1|sha256 SERVICE KEY MPAY-KEY MPAY-CERTIFICATE PROVIDER-CERTIFICATE
"""

import datetime
import decimal
import json
import sys

import xmlsec
import zeep
from lxml import etree
from zeep import ns
from zeep.plugins import HistoryPlugin
from zeep.helpers import serialize_object
from zeep.wsse.signature import BinarySignature, _make_verify_key, _verify_envelope_with_key
from zeep.wsse.utils import get_security_header

url, hash_name, service, key, mpay_key, mpay_certificate, provider_certificate = sys.argv[1:]
signature_method, digest_method = {
    "sha1": (xmlsec.Transform.RSA_SHA1, xmlsec.Transform.SHA1),
    "sha256": (xmlsec.Transform.RSA_SHA256, xmlsec.Transform.SHA256),
}[hash_name]


class AsMPay(BinarySignature):
    """Signs Body and Timestamp with MPay's key; believes the provider's certificate only."""

    def apply(self, envelope, headers):
        now = datetime.datetime.now(datetime.timezone.utc)
        timestamp = etree.SubElement(get_security_header(envelope), etree.QName(ns.WSU, "Timestamp"))
        for name, time in (("Created", now), ("Expires", now + datetime.timedelta(minutes=5))):
            child = etree.SubElement(timestamp, etree.QName(ns.WSU, name))
            child.text = time.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        return super().apply(envelope, headers)

    def verify(self, envelope):
        with open(provider_certificate, "rb") as file:
            _verify_envelope_with_key(envelope, _make_verify_key(file.read()))
        return envelope


history = HistoryPlugin()
client = zeep.Client(
    url + "?wsdl",
    plugins=[history],
    wsse=AsMPay(mpay_key, mpay_certificate, None, signature_method, digest_method),
)


# The schema of the WSDL, which every body that is sent or received must be valid against.
wsdl = etree.fromstring(client.transport.load(url + "?wsdl"))
schema = wsdl.find(".//{http://www.w3.org/2001/XMLSchema}schema")
schema = etree.XMLSchema(etree.fromstring(etree.tostring(schema)))


def valid(result):
    for message in (history.last_sent, history.last_received):
        body = message["envelope"].find(etree.QName(ns.SOAP_ENV_11, "Body"))
        schema.assertValid(etree.fromstring(etree.tostring(body[0])))
    return result


def fault_of(call):
    try:
        call()
    except zeep.exceptions.Fault as fault:
        return fault.code
    return None


def confirmation(payment, line, amount, **members):
    return {
        "Currency": "MDL",
        "Lines": {"PaymentConfirmationLine": [{"Amount": decimal.Decimal(amount), "LineID": line}]},
        "OrderKey": key,
        "PaidAt": datetime.datetime(2026, 5, 5, 10, 11, 12),
        "PaymentID": payment,
        "Properties": {"PaymentProperty": [{"Name": "HO:Telephone", "Value": "+373"}]},
        "ServiceID": service,
        "TotalAmount": decimal.Decimal(amount),
        **members,
    }


pay = client.service.ConfirmOrderPayment
print(
    json.dumps(
        {
            "order": serialize_object(
                valid(client.service.GetOrderDetails({"Language": "en", "OrderKey": key, "ServiceID": service})),
                dict,
            ),
            "unknown": fault_of(
                lambda: client.service.GetOrderDetails({"OrderKey": "none", "ServiceID": service})
            ),
            "wrong": fault_of(lambda: pay(confirmation("P", "a", "100", TotalAmount=decimal.Decimal(1)))),
            "confirmed": valid(pay(confirmation("P", "a", "100"))),
        },
        default=lambda value: value.isoformat() if hasattr(value, "isoformat") else str(value),
    )
)
