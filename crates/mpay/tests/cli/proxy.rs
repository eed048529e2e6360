//! The proxies of `deploy/server`, as far as they are at hand: nginx in front of a deployment.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    path::Path,
    process::{Child, Command},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use mpay_client::encode_query;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

use crate::{
    deployment::{Deployed, Place},
    is_there, workspace,
};

fn of_server(name: &str) -> String {
    fs::read_to_string(workspace().join("deploy/server").join(name)).unwrap()
}

/// Paths that are one place if `..` is resolved, and another if it is not.
const CROOKED: [&str; 14] = [
    "/api/..",
    "/api/../",
    "/api/..?wsdl",
    "/admin/..",
    "/metrics/..",
    "/health/%2e%2e",
    "/health/.%2E",
    "/api/..%2f",
    "/api/../ServiceProvider.svc",
    "/admin/..%2fServiceProvider.svc?wsdl",
    "/api/../o/x",
    "/api/../cards/x",
    "/api/orders/TAX/..%2f..%2f..%2fo%2fx",
    "/o/../api/orders/%2e%2e/../o/x",
];

/// nginx with the site of `deploy/server`, on a port of this machine, until it is dropped.
struct Nginx {
    process: Child,
    port: u16,
    agent: ureq::Agent,
    root: Certificate<'static>,
}

impl Nginx {
    fn start(folder: &Path, upstream: &str) -> Self {
        Self::start_with(folder, upstream, &[])
    }

    /// One whose site has other texts in the place of some.
    fn start_with(folder: &Path, upstream: &str, others: &[(&str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (certificate, key) = (folder.join("tls.pem"), folder.join("tls.key"));
        fs::write(&certificate, made.cert.pem()).unwrap();
        fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        let mut site = of_server("nginx.conf");
        for (from, to) in [
            ("listen 443 ssl", format!("listen 127.0.0.1:{port} ssl")),
            (
                "server_name plati.exemplu.md",
                "server_name localhost".to_owned(),
            ),
            (
                "/etc/ssl/plati.exemplu.md.pem",
                certificate.display().to_string(),
            ),
            ("/etc/ssl/plati.exemplu.md.key", key.display().to_string()),
            (
                "/var/log/nginx/mpay-provider.log",
                folder.join("access.log").display().to_string(),
            ),
            (
                "http://127.0.0.1:3000",
                upstream.trim_end_matches('/').to_owned(),
            ),
        ] {
            assert!(site.contains(from), "{from}");
            site = site.replace(from, &to);
        }
        for (from, to) in others {
            assert!(site.contains(from), "{from}");
            site = site.replace(from, to);
        }
        fs::write(folder.join("site.conf"), site).unwrap();
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {}/{kind};", folder.display()));
        let main = format!(
            "daemon off; master_process off; pid {0}/nginx.pid; error_log {0}/error.log;\n\
             events {{}}\nhttp {{ access_log off; {1} include {0}/site.conf; }}\n",
            folder.display(),
            temporary.join(" ")
        );
        let file = folder.join("nginx.conf");
        fs::write(&file, main).unwrap();
        let log = folder.join("error.log");
        let process = Command::new("nginx")
            .args(["-e", log.to_str().unwrap(), "-c", file.to_str().unwrap()])
            .spawn()
            .unwrap();
        let root = Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::from([root.clone()]))
            .build();
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .tls_config(tls)
            .timeout_global(Some(Duration::from_secs(30)))
            .build()
            .new_agent();
        let nginx = Self {
            process,
            port,
            agent,
            root,
        };
        for _ in 0..200 {
            if nginx.agent.get(nginx.url("/nothing")).call().is_ok() {
                return nginx;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("{}", fs::read_to_string(log).unwrap_or_default());
    }

    fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port)
    }

    fn status(&self, path: &str) -> u16 {
        let answer = self.agent.get(self.url(path)).call().unwrap();
        answer.status().as_u16()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

#[test]
fn nginx_lets_mpay_and_payers_through_and_fences_the_rest() {
    if !is_there("nginx") {
        return;
    }
    let place = Place::new();
    let up: Deployed = place.up();
    let folder = tempfile::tempdir().unwrap();
    let nginx = Nginx::start(folder.path(), up.url());
    for (path, status) in [
        ("/?wsdl", 200),
        ("/ServiceProvider.svc?wsdl", 200),
        // Without a link there is no page; but it is the provider that says so.
        ("/o/x", 404),
        ("/o/seal?lang=ro", 404),
        ("/api/orders?customer_id=2000000000004", 403),
        ("/api", 403),
        ("/admin", 403),
        ("/admin/orders", 403),
        ("/health", 403),
        ("/health/office", 403),
        ("/nothing", 404),
        ("/apis", 404),
    ] {
        assert_eq!(nginx.status(path), status, "{path}");
    }
    let body_of = |path: &str| {
        let mut answer = nginx.agent.get(nginx.url(path)).call().unwrap();
        answer.body_mut().read_to_string().unwrap()
    };
    assert!(!body_of("/o/x").contains("nginx"), "{}", body_of("/o/x"));
    assert!(body_of("/nothing").contains("nginx"));
    // One path for who lets through, and another for who would answer.
    for path in CROOKED {
        assert_eq!(nginx.status(path), 404, "{path}");
        assert!(body_of(path).contains("nginx"), "{path}: {}", body_of(path));
    }
    // Nobody learns from the log whose order it was.
    let log = fs::read_to_string(folder.path().join("access.log")).unwrap();
    assert!(log.contains(" GET /api/ 403 "), "{log}");
    assert!(log.contains(" GET /o/ 404 "), "{log}");
    for secret in ["2000000000004", "seal"] {
        assert!(!log.contains(secret), "{log}");
    }
    // A signed body reaches the provider as it was.
    let query = encode_query("S", "no-such-order", "ro");
    let message = up.client().sign(&query).unwrap();
    let mut called = nginx
        .agent
        .post(nginx.url("/"))
        .content_type("text/xml; charset=utf-8")
        .send(message)
        .unwrap();
    let answer = called.body_mut().read_to_string().unwrap();
    assert!(answer.contains("UnknownOrder"), "{answer}");
    let large = nginx
        .agent
        .post(nginx.url("/"))
        .content_type("text/xml")
        .send("x".repeat(2_000_000).as_str());
    assert_eq!(large.unwrap().status().as_u16(), 413);
}

/// Answers whatever comes with nothing, and gives the lines of its head.
fn listen() -> (String, Receiver<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (heads, received) = channel();
    thread::spawn(move || {
        for connection in listener.incoming().map_while(Result::ok) {
            let lines = BufReader::new(&connection).lines().map_while(Result::ok);
            let head: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
            let answer = b"HTTP/1.0 204 No Content\r\n\r\n";
            (&connection).write_all(answer).unwrap();
            if heads.send(head).is_err() {
                break;
            }
        }
    });
    (url, received)
}

#[test]
fn a_stranger_does_not_choose_what_the_log_says_behind_nginx() {
    if !is_there("nginx") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (upstream, received) = listen();
    // This machine is inside, too.
    let inside = [("allow 10.0.0.0/8", "allow 127.0.0.0/8")];
    let nginx = Nginx::start_with(folder.path(), &upstream, &inside);
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let given = [
        ("traceparent", trace),
        ("tracestate", "erp=1"),
        ("x-request-id", "chosen"),
        ("x-client-verify", "SUCCESS"),
        ("x-forwarded-for", "192.0.2.9"),
    ];
    for (path, is_inside) in [
        ("/?wsdl", false),
        ("/ServiceProvider.svc", false),
        ("/o/x", false),
        ("/cards/x", false),
        ("/health", false),
        ("/api/payments", true),
    ] {
        let mut request = nginx.agent.get(nginx.url(path));
        for (name, value) in given {
            request = request.header(name, value);
        }
        assert_eq!(request.call().unwrap().status().as_u16(), 204, "{path}");
        let head = received.recv_timeout(Duration::from_secs(30)).unwrap();
        let value_of = |name: &str| {
            let mut all = head.iter().filter_map(|line| line.split_once(':'));
            let found = all.find(|(known, _)| known.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.trim())
        };
        let chosen = |value: &'static str| is_inside.then_some(value);
        assert_eq!(value_of("traceparent"), chosen(trace), "{path}");
        assert_eq!(value_of("tracestate"), chosen("erp=1"), "{path}");
        assert_eq!(value_of("x-request-id").map(str::len), Some(32), "{path}");
        assert_eq!(value_of("x-client-verify"), Some("NONE"), "{path}");
        assert_eq!(value_of("x-forwarded-for"), Some("127.0.0.1"), "{path}");
    }
}

/// The second barrier of docs/operate.md: MPay's client certificate, verified by nginx, asked for by the provider.
#[test]
fn who_has_no_client_certificate_that_nginx_has_verified_is_refused() {
    if !is_there("nginx") {
        return;
    }
    let place = Place::new();
    let up = place.up_untimed(&[
        ("trusted_proxies", "127.0.0.1".into()),
        (
            "client_certificate_header",
            "X-Client-Verify: SUCCESS".into(),
        ),
    ]);
    let folder = tempfile::tempdir().unwrap();
    let made = || rcgen::generate_simple_self_signed(["mpay".to_owned()]).unwrap();
    let (mpay, stranger) = (made(), made());
    let authority = folder.path().join("authority.pem");
    fs::write(&authority, mpay.cert.pem()).unwrap();
    let asks = format!("ssl_client_certificate {};", authority.display());
    let others = [
        (
            "# ssl_client_certificate /etc/ssl/mpay-authority.pem;",
            asks.as_str(),
        ),
        (
            "# ssl_verify_client optional;",
            "ssl_verify_client optional;",
        ),
    ];
    let nginx = Nginx::start_with(folder.path(), up.url(), &others);
    let message = up.client().sign(&encode_query("S", "no-such-order", "ro"));
    let message = message.unwrap();
    let post = |agent: &ureq::Agent| {
        let mut answer = agent
            .post(nginx.url("/"))
            .content_type("text/xml; charset=utf-8")
            // As if somebody had verified it.
            .header("x-client-verify", "SUCCESS")
            .header("x-forwarded-for", "127.0.0.1")
            .send(&message)
            .unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        (answer.status().as_u16(), text)
    };
    let presenting = |client: &rcgen::CertifiedKey<rcgen::KeyPair>| {
        let key = PrivateKey::from_pem(client.signing_key.serialize_pem().as_bytes()).unwrap();
        let certificate = Certificate::from_pem(client.cert.pem().as_bytes()).unwrap();
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::from([nginx.root.clone()]))
            .client_cert(Some(ClientCert::new_with_certs(&[certificate], key)))
            .build();
        let config = ureq::Agent::config_builder().http_status_as_error(false);
        config.tls_config(tls).build().new_agent()
    };
    let (status, text) = post(&presenting(&mpay));
    assert!(text.contains("UnknownOrder"), "{status} {text}");
    let (status, text) = post(&nginx.agent);
    assert_eq!(status, 403, "{text}");
    // nginx itself refuses what it cannot verify.
    let (status, text) = post(&presenting(&stranger));
    assert!(status == 400 && text.contains("nginx"), "{status} {text}");
    // Others need none.
    assert_eq!(nginx.status("/?wsdl"), 200);
}

/// Caddy is told in its file what nginx is seen to do.
#[test]
fn caddy_is_told_to_refuse_crooked_paths_to_strangers() {
    let caddy = of_server("Caddyfile");
    let (_, strangers) = caddy.split_once("(of_strangers) {").unwrap();
    let (strangers, _) = strangers.split_once("\n}").unwrap();
    assert!(strangers.contains("\trespond @crooked 404"), "{caddy}");
    let matcher = "@crooked vars_regexp {http.request.orig_uri} `";
    let (_, rest) = strangers.split_once(matcher).unwrap();
    let (pattern, _) = rest.split_once("`\n").unwrap();
    // What of it is used here: characters before "?", and what must not be among them.
    let words = pattern.strip_prefix("(?i)^[^?]*(").unwrap();
    let words: Vec<_> = words.strip_suffix(")").unwrap().split('|').collect();
    assert_eq!(words, [r"\.\.", "%2e", "%2f", "%5c", r"\\"]);
    let is_crooked = |uri: &str| {
        let path = uri.split('?').next().unwrap_or_default().to_lowercase();
        let unescaped = |word: &&str| match *word {
            r"\.\." => "..".to_owned(),
            r"\\" => "\\".to_owned(),
            word => word.to_owned(),
        };
        words.iter().any(|word| path.contains(&unescaped(word)))
    };
    for path in CROOKED.into_iter().chain(["/api\\..\\o"]) {
        assert!(is_crooked(path), "{path}");
    }
    for path in [
        "/?wsdl",
        "/ServiceProvider.svc",
        "/o/seal?a=..%2f",
        "/api/orders/TAX/2026-1",
    ] {
        assert!(!is_crooked(path), "{path}");
    }
}

#[test]
fn caddy_is_told_to_believe_no_stranger() {
    let caddy = of_server("Caddyfile");
    let block = |begin: &str| {
        let (_, rest) = caddy.split_once(begin).expect(begin);
        rest.split_once("\n\t}").expect(begin).0.to_owned()
    };
    for strangers in ["handle @mpay {", "handle @payers {"] {
        assert!(block(strangers).contains("import of_strangers"), "{caddy}");
    }
    for header in ["-Traceparent", "-Tracestate"] {
        assert!(
            caddy.contains(&format!("request_header {header}")),
            "{header}"
        );
    }
    for header in ["-X-Client-Verify", "-X-Request-Id"] {
        assert!(caddy.contains(&format!("header_up {header}")), "{header}");
    }
}

/// A route that no proxy knows would be closed to those whom it is for.
#[test]
fn every_route_of_the_manifest_is_in_the_proxies() {
    let manifest = fs::read_to_string(workspace().join("spin.toml")).unwrap();
    let (nginx, caddy) = (of_server("nginx.conf"), of_server("Caddyfile"));
    let mut routes = 0;
    let lines = manifest.lines();
    for route in lines.filter_map(|line| line.strip_prefix("route = \"/")?.strip_suffix('"')) {
        let first = route.split('/').next().unwrap_or_default();
        let first = first.trim_end_matches("...");
        // What is left over is MPay's door.
        if first.is_empty() {
            continue;
        }
        routes += 1;
        let fenced = nginx.lines().any(|line| {
            let names = line
                .split_once("^/(")
                .and_then(|(_, rest)| rest.split_once(')'));
            names.is_some_and(|(names, _)| names.split('|').any(|name| name == first))
        });
        let open = nginx.contains(&format!("location /{first}/ "));
        assert!(fenced != open, "nginx.conf: /{first}");
        let path = match route.ends_with("...") || route.contains('/') {
            true => format!("/{first}/*"),
            false => format!("/{first}"),
        };
        let mut words = caddy.split_whitespace();
        assert!(words.any(|word| word == path), "Caddyfile: {path}");
    }
    assert!(routes >= 4, "{routes}");
}
