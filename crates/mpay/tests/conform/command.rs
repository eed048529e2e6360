//! The command, and its reports.

use super::*;

fn conform_command(url: &str) -> Command {
    let data = |name: &str| workspace().join("crates/wsse/tests/data").join(name);
    let mut command = Command::new(env!("CARGO_BIN_EXE_mpay"));
    command
        .current_dir(workspace())
        .env_remove("MPAY_API_TOKEN")
        .args(["conform", url, "--service", SERVICE])
        .arg("--key")
        .arg(data("mpay.key.pem"))
        .arg("--certificate")
        .arg(data("mpay.pem"))
        .arg("--provider-certificate")
        .arg(data("service.pem"));
    command
}

#[test]
fn the_exit_status_tells_the_verdict() {
    let status = |command: &mut Command| command.output().unwrap().status.code();
    let right = PROVIDER.url.clone();
    let with = |url: &str, arguments: &[&str]| {
        let mut command = conform_command(url);
        command.args(arguments);
        status(&mut command)
    };
    let token = ["--api-token", TOKEN, "--only", "transport,wsdl"];
    assert_eq!(with(&right, &token), Some(0));
    assert_eq!(with(&right, &["--only", "wsdl"]), Some(0));
    assert_eq!(with(&right, &["--only", "language"]), Some(0));
    assert_eq!(with(&right, &["--only", "language", "--no-skips"]), Some(1));
    assert_eq!(with(&right, &[]), Some(2), "no orders");
    assert_eq!(with(&right, &["--api-token", "wrong"]), Some(2));
    assert_eq!(with(&right, &["--only", "nothing"]), Some(2));
    assert_eq!(with("http://127.0.0.1:1/", &token), Some(2));
    let wrong = serve(
        &PROVIDER,
        Arc::new(|call: Call, forward: &dyn Fn(Call) -> Reply| {
            let mut reply = forward(call);
            reply
                .headers
                .insert("content-type", "text/html".parse().unwrap());
            reply
        }),
    );
    let api = format!("{}api", PROVIDER.url);
    let arguments = [&token[..], &["--api", &api]].concat();
    assert_eq!(with(&wrong, &arguments), Some(1));
}

/// A server of the WSDL that asks for this client certificate.
fn serve_tls(server: &rcgen::CertifiedKey<rcgen::KeyPair>, client: &rcgen::Certificate) -> String {
    use rustls::{
        RootCertStore, ServerConfig, ServerConnection, StreamOwned, pki_types::PrivateKeyDer,
        server::WebPkiClientVerifier,
    };
    use std::io::{Read, Write};

    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(client.der().clone()).unwrap();
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .unwrap();
    let key = PrivateKeyDer::try_from(server.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![server.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream.unwrap());
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                // Whoever shows no certificate is gone here.
                if stream.read_exact(&mut byte).is_err() {
                    break;
                }
                request.extend(byte);
            }
            let wsdl = include_str!("../../../../wsdl/IServiceProvider.wsdl");
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{wsdl}",
                wsdl.len()
            );
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    });
    url
}

#[test]
fn providers_behind_tls_of_their_own_are_reached() {
    let certified = || rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (server, client) = (certified(), certified());
    let url = serve_tls(&server, &client.cert);
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: String| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        file
    };
    let authority = file("authority.pem", server.cert.pem());
    let certificate = file("client.pem", client.cert.pem());
    let key = file("client.key.pem", client.signing_key.serialize_pem());
    let run = |authority_too: bool, client_too: bool| {
        let mut command = conform_command(&url);
        command.args(["--only", "wsdl.reachable"]);
        if authority_too {
            command.arg("--tls-authority").arg(&authority);
        }
        if client_too {
            command.arg("--tls-certificate").arg(&certificate);
            command.arg("--tls-key").arg(&key);
        }
        let output = command.output().unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let (status, told) = run(true, true);
    assert_eq!(status, Some(0), "{told}");
    assert_eq!(
        run(false, true).0,
        Some(2),
        "an authority that nobody knows"
    );
    assert_eq!(run(true, false).0, Some(2), "no client certificate");
}

/// A provider may send what is meant for whoever reads the report.
#[test]
fn nothing_that_a_provider_sends_reaches_terminal_or_page_raw() {
    const EVIL: &str =
        "\u{1b}]0;owned\u{7}\u{1b}[31m\u{202e}<script>alert(1)</script>\" onload=\"x";
    let evil = serve(
        &PROVIDER,
        Arc::new(|_: Call, _: &dyn Fn(Call) -> Reply| {
            let mut headers = HeaderMap::new();
            headers.insert("content-type", "<script>alert(2)</script>".parse().unwrap());
            Reply {
                status: 200,
                headers,
                body: EVIL.to_owned(),
            }
        }),
    );
    let folder = tempfile::tempdir().unwrap();
    let (html, junit) = (folder.path().join("r.html"), folder.path().join("r.xml"));
    let run = |json: bool| {
        let mut command = conform_command(&evil);
        command
            .args(["--only", "transport,wsdl,fault", "--orders"])
            .arg(folder.path().join("orders.toml"))
            .arg("--html")
            .arg(&html)
            .arg("--junit")
            .arg(&junit);
        if json {
            command.arg("--json");
        }
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stdout).unwrap()
    };
    std::fs::write(folder.path().join("orders.toml"), "[orders]\nplain = ['1']").unwrap();
    let text = run(false);
    let page = std::fs::read_to_string(&html).unwrap();
    let xml = std::fs::read_to_string(&junit).unwrap();
    assert!(
        text.contains("transport.post (must)") && text.contains("Not passed"),
        "{text}"
    );
    for (what, text) in [("terminal", &text), ("page", &page), ("JUnit", &xml)] {
        assert!(
            !text.contains(['\u{1b}', '\u{7}']),
            "{what} has control characters"
        );
    }
    assert!(!text.contains('\u{202e}') && !page.contains('\u{202e}'));
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;alert(1)"));
    assert!(!page.contains("\" onload=\""));
    assert!(Document::parse(xml.as_bytes()).is_ok(), "{xml}");

    let json: Value = serde_json::from_str(&run(true)).unwrap();
    assert_eq!(json["passed"], false);
    let post = json["checks"]
        .as_array()
        .unwrap()
        .iter()
        .find(|check| check["id"] == "transport.post")
        .unwrap();
    assert_eq!(post["outcome"], "failed");
    assert_eq!(post["severity"], "must");
    assert_eq!(post["exchanges"][0]["answer"]["body"], EVIL);
}

/// `docs/conform.md` lists the checks as they are; set `UPDATE_DOCS` to write it anew.
#[test]
fn the_document_lists_every_check() {
    const MARK: &str = "<!-- The checks: written by the test the_document_lists_every_check. -->\n";
    let mut list = String::new();
    for (_, name, checks) in AREAS {
        list.push_str(&format!(
            "\n## {name}\n\n| check | | what is tested | the rule |\n| --- | --- | --- | --- |\n"
        ));
        for check in checks {
            let cell = |text: &str| text.replace('|', "\\|").replace('<', "&lt;");
            list.push_str(&format!(
                "| `{}` | {} | {} | {} |\n",
                check.id,
                check.severity,
                cell(check.title),
                cell(check.rule)
            ));
        }
    }
    let file = workspace().join("docs/conform.md");
    let text = std::fs::read_to_string(&file).unwrap();
    let (before, written) = text.split_once(MARK).unwrap();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, format!("{before}{MARK}{list}")).unwrap();
    } else {
        assert_eq!(
            written, list,
            "docs/conform.md is not what is tested: set UPDATE_DOCS=1"
        );
    }
    let count = format!("{} checks", conform::checks().count());
    let readme = std::fs::read_to_string(workspace().join("README.md")).unwrap();
    assert!(
        before.contains(&count) && readme.contains(&count),
        "{count}"
    );
}
