"""Signs a message with zeep and with signxml, in many ways, or verifies messages with both.

sign TEMPLATE KEY CERTIFICATE FOLDER: writes FOLDER/name.xml for every way.
verify CERTIFICATE MESSAGE...: raises if one of them does not verify.
"""

import sys
from pathlib import Path

import signxml
import xmlsec
from lxml import etree
from zeep.wsse.signature import BinarySignature, Signature

WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
DS = "http://www.w3.org/2000/09/xmldsig#"


def unsigned(template):
    """The template's envelope without its signature and token, and its Security header."""
    root = etree.parse(template).getroot()
    security = root.find(f".//{{{WSSE}}}Security")
    for name in (f"{{{DS}}}Signature", f"{{{WSSE}}}BinarySecurityToken"):
        security.remove(security.find(name))
    return root, security


def sign_with_zeep(template, key, certificate):
    transforms = xmlsec.Transform
    methods = {
        "sha1": (transforms.RSA_SHA1, transforms.SHA1),
        "sha256": (transforms.RSA_SHA256, transforms.SHA256),
        "sha512": (transforms.RSA_SHA512, transforms.SHA512),
    }
    for way in (Signature, BinarySignature):
        for name, (signature, digest) in methods.items():
            root, _ = unsigned(template)
            way(key, certificate, None, signature, digest).apply(root, {})
            yield f"zeep-{way.__name__}-{name}", root


def sign_with_signxml(template, key, certificate):
    methods = signxml.SignatureMethod
    signatures = (
        methods.RSA_SHA256,
        methods.RSA_SHA384,
        methods.RSA_SHA512,
        methods.SHA256_RSA_MGF1,
        methods.SHA384_RSA_MGF1,
        methods.SHA512_RSA_MGF1,
    )
    for number, signature in enumerate(signatures):
        root, security = unsigned(template)
        signer = signxml.XMLSigner(
            method=signxml.methods.detached,
            signature_algorithm=signature,
            # It canonicalises SignedInfo before it has its place, which is wrong for the others:
            # xmlsec1 refuses them too.
            c14n_algorithm=signxml.CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
        )
        # It knows only ids without a namespace.
        for part in root.iter(f"{{{WSU}}}Timestamp", "{*}Body"):
            part.set("Id", part.attrib.pop(f"{{{WSU}}}Id"))
        security.append(
            signer.sign(
                root,
                key=Path(key).read_bytes(),
                cert=Path(certificate).read_text(),
                reference_uri=["#Body", "#Time"],
                id_attribute="Id",
                always_add_key_value=number % 3 == 0,
            )
        )
        yield f"signxml-{number}", root


def main(command, *arguments):
    if command == "sign":
        template, key, certificate, folder = arguments
        for sign in (sign_with_zeep, sign_with_signxml):
            for name, root in sign(template, key, certificate):
                Path(folder, f"{name}.xml").write_bytes(etree.tostring(root))
        return
    certificate, *messages = arguments
    for message in messages:
        Signature(sys.argv[0], certificate).verify(etree.parse(message).getroot())


main(*sys.argv[1:])
