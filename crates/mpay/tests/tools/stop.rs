//! The end of a host that has requests under way.

use std::{
    io::{self, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
    time::Duration,
};

use mpay_client::Client;
use mpay_host::{Log, Server};
use tokio::runtime::Runtime;
use wsse::{Certificate, Signer};

use crate::provider::{options, read};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_is_cut_off_at_a_stop_is_counted_and_is_no_panic() {
    // The institution's own system never answers.
    let source = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", source.local_addr().unwrap());
    let (mut options, _state) = options(&[
        ("service_ids", ""),
        ("services", r#"{"TAX": {"order_source": {}}}"#),
        ("order_source_url", &format!("{origin}/orders")),
        ("order_source_origin", &origin),
        (
            "order_source_secret",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        ),
    ]);
    let lines = Lines::default();
    options.log = Log::new(lines.clone());
    assert!(
        options.limits.stop_time >= options.limits.request_time,
        "what has begun may end"
    );
    options.limits.stop_time = Duration::ZERO;
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(Server::start(options)).unwrap();
    let signer = Signer::from_pem(&read("mpay.key.pem"), &read("mpay.pem")).unwrap();
    let own = Certificate::from_pem(&read("service.pem")).unwrap();
    let client = Client::new(format!("{}/", server.url()), signer, own);
    let call = std::thread::spawn(move || client.details("TAX", "A-1", "ro").is_ok());
    let _asked = source.accept().unwrap();
    runtime.block_on(server.stop()).unwrap();
    drop(runtime);
    assert!(!call.join().unwrap());
    let said = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(said.contains("1 connections were still at work"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}
