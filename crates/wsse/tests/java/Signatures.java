import java.io.File;
import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import javax.xml.crypto.XMLStructure;
import javax.xml.crypto.dsig.CanonicalizationMethod;
import javax.xml.crypto.dsig.Reference;
import javax.xml.crypto.dsig.SignedInfo;
import javax.xml.crypto.dsig.Transform;
import javax.xml.crypto.dsig.XMLSignature;
import javax.xml.crypto.dsig.XMLSignatureFactory;
import javax.xml.crypto.dsig.dom.DOMSignContext;
import javax.xml.crypto.dsig.dom.DOMValidateContext;
import javax.xml.crypto.dsig.keyinfo.KeyInfo;
import javax.xml.crypto.dsig.keyinfo.KeyInfoFactory;
import javax.xml.crypto.dsig.spec.C14NMethodParameterSpec;
import javax.xml.crypto.dsig.spec.TransformParameterSpec;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.transform.OutputKeys;
import javax.xml.transform.Transformer;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.dom.DOMSource;
import javax.xml.transform.stream.StreamResult;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;
import org.xml.sax.InputSource;

/**
 * Signs a message in many ways with the JDK's own XML signatures, or verifies messages.
 *
 * sign MESSAGE KEY CERTIFICATE FOLDER: writes FOLDER/name.xml for every way.
 * verify CERTIFICATE MESSAGE...: exits with 1 if one of them does not verify.
 */
public class Signatures {
    static final String DS = "http://www.w3.org/2000/09/xmldsig#";
    static final String WSU =
        "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
    static final XMLSignatureFactory FACTORY = XMLSignatureFactory.getInstance("DOM");

    public static void main(String[] arguments) throws Exception {
        if (arguments[0].equals("sign")) {
            sign(arguments[1], key(arguments[2]), certificate(arguments[3]), arguments[4]);
            return;
        }
        X509Certificate certificate = certificate(arguments[1]);
        for (int at = 2; at < arguments.length; at++) {
            Document document = parse(arguments[at]);
            Element signature = (Element) document.getElementsByTagNameNS(DS, "Signature").item(0);
            DOMValidateContext context =
                new DOMValidateContext(certificate.getPublicKey(), signature);
            // The JDK refuses SHA-1 otherwise.
            context.setProperty("org.jcp.xml.dsig.secureValidation", false);
            if (!FACTORY.unmarshalXMLSignature(context).validate(context)) {
                System.err.println(arguments[at]);
                System.exit(1);
            }
        }
    }

    static void sign(String message, PrivateKey key, X509Certificate certificate, String folder)
            throws Exception {
        String[] canonicalizations = {
            CanonicalizationMethod.EXCLUSIVE,
            CanonicalizationMethod.INCLUSIVE,
            CanonicalizationMethod.INCLUSIVE_WITH_COMMENTS,
            "http://www.w3.org/2006/12/xml-c14n11",
            "http://www.w3.org/2006/12/xml-c14n11#WithComments",
        };
        String[] methods = {
            DS + "rsa-sha1",
            "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
            "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
            "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1",
            "http://www.w3.org/2007/05/xmldsig-more#sha384-rsa-MGF1",
        };
        KeyInfoFactory keys = FACTORY.getKeyInfoFactory();
        List<XMLStructure> ways = new ArrayList<>();
        String issuer = certificate.getIssuerX500Principal().getName();
        ways.add(keys.newX509Data(List.of(
            keys.newX509IssuerSerial(issuer, certificate.getSerialNumber()))));
        ways.add(keys.newX509Data(List.of(
            keys.newX509IssuerSerial(
                certificate.getIssuerX500Principal().getName("RFC1779"),
                certificate.getSerialNumber()))));
        ways.add(keys.newX509Data(List.of(certificate.getSubjectX500Principal().getName())));
        ways.add(keys.newX509Data(List.of(certificate.getSubjectX500Principal().toString())));
        ways.add(keys.newX509Data(List.of(
            certificate.getSubjectX500Principal().getName("CANONICAL"), certificate)));
        ways.add(keys.newKeyValue(certificate.getPublicKey()));
        ways.add(null);
        int number = 0;
        for (String canonicalization : canonicalizations) {
            for (String method : methods) {
                Document document = parse(message);
                Element old = (Element) document.getElementsByTagNameNS(DS, "Signature").item(0);
                Element security = (Element) old.getParentNode();
                security.removeChild(old);
                List<Reference> references = new ArrayList<>();
                for (String id : List.of("#Body", "#Time")) {
                    Transform transform = FACTORY.newTransform(
                        canonicalization, (TransformParameterSpec) null);
                    references.add(FACTORY.newReference(
                        id,
                        FACTORY.newDigestMethod("http://www.w3.org/2001/04/xmlenc#sha256", null),
                        // Without transforms it is Canonical XML 1.0.
                        number % 4 == 3 ? null : List.of(transform), null, null));
                }
                SignedInfo info = FACTORY.newSignedInfo(
                    FACTORY.newCanonicalizationMethod(
                        canonicalization, (C14NMethodParameterSpec) null),
                    FACTORY.newSignatureMethod(method, null), references);
                XMLStructure way = ways.get(number % ways.size());
                KeyInfo keyInfo = way == null ? null : keys.newKeyInfo(List.of(way));
                DOMSignContext context = new DOMSignContext(key, security);
                context.setDefaultNamespacePrefix(number % 2 == 0 ? "ds" : null);
                XMLSignature signature = FACTORY.newXMLSignature(info, keyInfo);
                signature.sign(context);
                Transformer transformer = TransformerFactory.newInstance().newTransformer();
                transformer.setOutputProperty(OutputKeys.OMIT_XML_DECLARATION, "yes");
                File file = Path.of(folder, number + ".xml").toFile();
                transformer.transform(new DOMSource(document), new StreamResult(file));
                number++;
            }
        }
    }

    static Document parse(String file) throws Exception {
        DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
        factory.setNamespaceAware(true);
        String text = Files.readString(Path.of(file));
        Document document = factory.newDocumentBuilder().parse(new InputSource(new StringReader(text)));
        NodeList all = document.getElementsByTagName("*");
        for (int at = 0; at < all.getLength(); at++) {
            Element element = (Element) all.item(at);
            if (element.hasAttributeNS(WSU, "Id")) {
                element.setIdAttributeNS(WSU, "Id", true);
            }
        }
        return document;
    }

    static PrivateKey key(String file) throws Exception {
        String text = Files.readString(Path.of(file)).replaceAll("-----[A-Z ]+-----", "");
        byte[] der = Base64.getMimeDecoder().decode(text);
        return KeyFactory.getInstance("RSA").generatePrivate(new PKCS8EncodedKeySpec(der));
    }

    static X509Certificate certificate(String file) throws Exception {
        return (X509Certificate) CertificateFactory.getInstance("X.509")
            .generateCertificate(Files.newInputStream(Path.of(file)));
    }
}
