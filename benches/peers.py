"""Microseconds of each step in Python: lxml with xmlsec, called as directly as can be, and zeep.wsse.

usage: peers.py MILLISECONDS MESSAGES KEYS

MESSAGES is a folder that the program `speed` has written, KEYS the folder of its keys and
certificates. One line a step and stack, as `speed` prints them.
"""

import copy
import hashlib
import sys
import time
from pathlib import Path

import xmlsec
from lxml import etree
from zeep.wsse.signature import BinarySignature, Signature

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
DS = "http://www.w3.org/2000/09/xmldsig#"
MPAY = "https://mpay.gov.md"
WSS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
WSU = WSS + "wssecurity-utility-1.0.xsd"
WSSE = WSS + "wssecurity-secext-1.0.xsd"
X509_V3 = WSS + "x509-token-profile-1.0#X509v3"
BASE64 = WSS + "soap-message-security-1.0#Base64Binary"
HEADER = f"{{{SOAP}}}Header/{{{WSSE}}}Security"
SIGNED = (f"{{{SOAP}}}Body", f"{HEADER}/{{{WSU}}}Timestamp")

milliseconds, messages, keys = int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
own_key, own_certificate, mpay_certificate = (
    str(keys / name) for name in ("service.key.pem", "service.pem", "mpay.pem")
)


def read(name):
    return (messages / f"{name}.xml").read_bytes()


def canonical(root):
    parts = [root.find(part) for part in (*SIGNED, f"{HEADER}/{{{DS}}}Signature/{{{DS}}}SignedInfo")]
    return [etree.tostring(part, method="c14n", exclusive=True, with_comments=False) for part in parts]


def decode(element):
    """An element as plain data: its name, and its text or children."""
    children = [decode(child) for child in element]
    return etree.QName(element).localname, children or element.text


def append(parent, data):
    name, content = data
    element = etree.SubElement(parent, f"{{{MPAY}}}{name}")
    if isinstance(content, list):
        for child in content:
            append(element, child)
    else:
        element.text = content


def envelope(data):
    """An answer that is not signed yet, with its Timestamp."""
    root = etree.Element(f"{{{SOAP}}}Envelope", nsmap={"soap": SOAP})
    header = etree.SubElement(root, f"{{{SOAP}}}Header")
    security = etree.SubElement(header, f"{{{WSSE}}}Security", nsmap={"wsse": WSSE, "wsu": WSU})
    timestamp = etree.SubElement(security, f"{{{WSU}}}Timestamp")
    for name, at in (("Created", "2026-06-01T09:00:00.000Z"), ("Expires", "2026-06-01T09:05:00.000Z")):
        etree.SubElement(timestamp, f"{{{WSU}}}{name}").text = at
    append(etree.SubElement(root, f"{{{SOAP}}}Body", nsmap={None: MPAY}), data)
    return root


class Xmlsec:
    """lxml and xmlsec, with keys that are read once."""

    name = "xmlsec"

    def __init__(self):
        self.key = xmlsec.Key.from_file(own_key, xmlsec.KeyFormat.PEM)
        self.mpay = xmlsec.Key.from_file(mpay_certificate, xmlsec.KeyFormat.CERT_PEM)
        pem = Path(own_certificate).read_text()
        self.token = "".join(pem.splitlines()[1:-1])

    def verify(self, root):
        context = xmlsec.SignatureContext()
        context.key = self.mpay
        names = set()
        for part in map(root.find, SIGNED):
            context.register_id(part, "Id", WSU)
            names.add("#" + part.get(f"{{{WSU}}}Id"))
        signature = root.find(f"{HEADER}/{{{DS}}}Signature")
        context.verify(signature)
        if names != {reference.get("URI") for reference in signature.iter(f"{{{DS}}}Reference")}:
            raise ValueError("something else is signed")

    def sign(self, root):
        security = root.find(HEADER)
        token = etree.SubElement(
            security, f"{{{WSSE}}}BinarySecurityToken", ValueType=X509_V3, EncodingType=BASE64
        )
        token.text = self.token
        token.set(f"{{{WSU}}}Id", "X509")
        transforms = xmlsec.Transform
        signature = xmlsec.template.create(root, transforms.EXCL_C14N, transforms.RSA_SHA1, ns="ds")
        context = xmlsec.SignatureContext()
        context.key = self.key
        for part, name in zip(map(root.find, SIGNED), ("Body", "Timestamp")):
            part.set(f"{{{WSU}}}Id", name)
            context.register_id(part, "Id", WSU)
            reference = xmlsec.template.add_reference(signature, transforms.SHA1, uri="#" + name)
            xmlsec.template.add_transform(reference, transforms.EXCL_C14N)
        info = xmlsec.template.ensure_key_info(signature)
        reference = etree.SubElement(info, f"{{{WSSE}}}SecurityTokenReference")
        etree.SubElement(reference, f"{{{WSSE}}}Reference", URI="#X509", ValueType=X509_V3)
        security.append(signature)
        context.sign(signature)
        return etree.tostring(root)


class Zeep:
    """zeep.wsse as it comes."""

    name = "zeep"

    def __init__(self):
        methods = xmlsec.Transform.RSA_SHA1, xmlsec.Transform.SHA1
        self.own = BinarySignature(own_key, own_certificate, None, *methods)
        self.mpay = Signature(own_key, mpay_certificate, None, *methods)

    def verify(self, root):
        self.mpay.verify(root)

    def sign(self, root):
        self.own.apply(root, {})
        return etree.tostring(root)


def steps(stack):
    request, answer = read("confirmation"), etree.fromstring(read("details-answer"))
    parsed = etree.fromstring(request)
    parts = canonical(parsed)
    unsigned = envelope(decode(answer.find(SIGNED[0])[0]))

    def verify(message):
        root = etree.fromstring(message)
        stack.verify(root)
        return root

    def whole(name):
        message = read(name)
        data = decode(etree.fromstring(read(f"{name}-answer")).find(SIGNED[0])[0])

        def exchange():
            decode(verify(message).find(SIGNED[0])[0])
            return stack.sign(envelope(data))

        return exchange

    if stack.name == "xmlsec":
        yield "parse", lambda: etree.fromstring(request)
        yield "exclusive C14N of the signed parts", lambda: canonical(parsed)
        yield "digests of the signed parts", lambda: [hashlib.sha1(part).digest() for part in parts]
    yield "parse and verify", lambda: verify(request)
    yield "sign an answer", lambda: stack.sign(copy.deepcopy(unsigned))
    yield "GetOrderDetails, whole", whole("details")
    yield "ConfirmOrderPayment again, whole", whole("confirmation")
    if stack.name == "xmlsec":
        method, context = xmlsec.Transform.RSA_SHA1, xmlsec.SignatureContext()
        context.key = stack.key
        signature = context.sign_binary(b"message", method)

        def check():
            context = xmlsec.SignatureContext()
            context.key = stack.key
            context.verify_binary(b"message", method, signature)

        def sign():
            context = xmlsec.SignatureContext()
            context.key = stack.key
            return context.sign_binary(b"message", method)

        yield "RSA-2048 sign", sign
        yield "RSA-2048 verify", check


def measure(work):
    """The mean processor time of a step, in microseconds."""
    work()
    start, count = time.thread_time_ns(), 0
    while (elapsed := time.thread_time_ns() - start) < milliseconds * 1_000_000:
        more = max(1, count // 4)
        for _ in range(more):
            work()
        count += more
    return elapsed / 1000 / count


for stack in (Xmlsec(), Zeep()):
    for name, work in steps(stack):
        print(f"{stack.name}\t{name}\t{measure(work):.2f}")
