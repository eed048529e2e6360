import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.transform.OutputKeys;
import javax.xml.transform.Transformer;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.dom.DOMSource;
import javax.xml.transform.stream.StreamResult;
import org.apache.ws.security.WSConstants;
import org.apache.ws.security.WSEncryptionPart;
import org.apache.ws.security.WSSecurityEngine;
import org.apache.ws.security.WSSecurityEngineResult;
import org.apache.ws.security.components.crypto.Merlin;
import org.apache.ws.security.message.WSSecHeader;
import org.apache.ws.security.message.WSSecSignature;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.xml.sax.InputSource;

/**
 * Signs a message in many ways with Apache WSS4J, or verifies messages with it.
 *
 * sign MESSAGE KEY CERTIFICATE FOLDER: writes FOLDER/name.xml for every way.
 * verify CERTIFICATE MESSAGE...: fails if one of them does not verify, with Body and Timestamp.
 */
public class Wss4j {
    static final char[] PASSWORD = "password".toCharArray();

    public static void main(String[] arguments) throws Exception {
        if (arguments[0].equals("sign")) {
            sign(arguments[1], key(arguments[2]), certificate(arguments[3]), arguments[4]);
            return;
        }
        Merlin crypto = crypto(null, certificate(arguments[1]));
        for (int at = 2; at < arguments.length; at++) {
            List<WSSecurityEngineResult> results =
                new WSSecurityEngine().processSecurityHeader(parse(arguments[at]), null, null, crypto);
            int signed = 0;
            for (WSSecurityEngineResult result : results) {
                List<?> references =
                    (List<?>) result.get(WSSecurityEngineResult.TAG_DATA_REF_URIS);
                signed += references == null ? 0 : references.size();
            }
            if (signed != 2) {
                throw new Exception(arguments[at] + ": " + signed + " parts are signed");
            }
        }
    }

    static void sign(String message, PrivateKey key, X509Certificate certificate, String folder)
            throws Exception {
        int[] identifiers = {
            WSConstants.BST_DIRECT_REFERENCE,
            WSConstants.ISSUER_SERIAL,
            WSConstants.X509_KEY_IDENTIFIER,
            WSConstants.SKI_KEY_IDENTIFIER,
            WSConstants.THUMBPRINT_IDENTIFIER,
            WSConstants.KEY_VALUE,
        };
        String[][] algorithms = {
            {WSConstants.RSA_SHA1, WSConstants.SHA1},
            {"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", WSConstants.SHA256},
            {"http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
                "http://www.w3.org/2001/04/xmlenc#sha512"},
        };
        Merlin crypto = crypto(key, certificate);
        for (int identifier : identifiers) {
            for (String[] algorithm : algorithms) {
                for (boolean token : new boolean[] {false, true}) {
                    if (token && identifier == WSConstants.KEY_VALUE) {
                        continue;
                    }
                    Document document = parse(message);
                    Element old = (Element) document
                        .getElementsByTagNameNS(WSConstants.SIG_NS, "Signature").item(0);
                    Element security = (Element) old.getParentNode();
                    security.removeChild(old);
                    security.removeChild(document.getElementsByTagNameNS(
                        WSConstants.WSSE_NS, "BinarySecurityToken").item(0));
                    WSSecHeader header = new WSSecHeader();
                    header.insertSecurityHeader(document);
                    WSSecSignature signature = new WSSecSignature();
                    signature.setUserInfo("signer", new String(PASSWORD));
                    signature.setKeyIdentifierType(identifier);
                    signature.setSignatureAlgorithm(algorithm[0]);
                    signature.setDigestAlgo(algorithm[1]);
                    List<WSEncryptionPart> parts = new ArrayList<>();
                    parts.add(new WSEncryptionPart("Body", WSConstants.URI_SOAP11_ENV, ""));
                    parts.add(new WSEncryptionPart("Timestamp", WSConstants.WSU_NS, ""));
                    if (token) {
                        parts.add(new WSEncryptionPart("STRTransform", "", "Content"));
                    }
                    signature.setParts(parts);
                    signature.build(document, crypto, header);
                    String hash = algorithm[1].substring(algorithm[1].indexOf('#') + 1);
                    write(document, Path.of(
                        folder, identifier + "-" + hash + (token ? "-token" : "") + ".xml"));
                }
            }
        }
    }

    static Merlin crypto(PrivateKey key, X509Certificate certificate) throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, PASSWORD);
        if (key == null) {
            store.setCertificateEntry("signer", certificate);
        } else {
            store.setKeyEntry("signer", key, PASSWORD, new Certificate[] {certificate});
        }
        Merlin crypto = new Merlin();
        crypto.setKeyStore(store);
        return crypto;
    }

    static Document parse(String file) throws Exception {
        DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
        factory.setNamespaceAware(true);
        String text = Files.readString(Path.of(file));
        return factory.newDocumentBuilder().parse(new InputSource(new StringReader(text)));
    }

    static void write(Document document, Path path) throws Exception {
        Transformer transformer = TransformerFactory.newInstance().newTransformer();
        transformer.setOutputProperty(OutputKeys.OMIT_XML_DECLARATION, "yes");
        transformer.transform(new DOMSource(document), new StreamResult(path.toFile()));
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
