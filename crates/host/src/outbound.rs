//! Requests of the component to the outside: to the hosts that the manifest names, and no others.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, Uri};
use http_body_util::BodyExt;
use wasmtime_wasi_http::{
    Error as HttpError, RequestOptions, WasiBody, WasiHttpHooks, default_send_request,
};

use super::allowed_hosts::AllowedHosts;
use super::log::Log;

/// Below this name the components of the application are hosts, as in Spin.
const INTERNAL: &str = ".spin.internal";

/// An answer that is still to come.
pub(super) type Asked = Pin<Box<dyn Future<Output = Result<Response<WasiBody>, HttpError>> + Send>>;

/// The other components of the application, for one of them.
pub(super) trait Neighbours: Send + Sync {
    /// Asks a component. The error is that of a host that cannot be reached.
    fn ask(&self, component: String, request: Request<WasiBody>, time: Duration) -> Asked;
}

/// Sends the requests of a component that are allowed, over TLS where the address says so, and
/// refuses the others with a line in the log.
pub(super) struct Outbound {
    pub(super) allowed: Arc<AllowedHosts>,
    /// The components of the application, which are hosts as well.
    pub(super) others: Arc<dyn Neighbours>,
    pub(super) log: Log,
    /// The longest time for connecting, for the first byte of an answer and for each further one.
    pub(super) time: Duration,
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Outbound").field(&self.allowed).finish()
    }
}

type Completion = Box<dyn Future<Output = Result<(), HttpError>> + Send>;
type Sent = Result<(Response<WasiBody>, Completion), HttpError>;

impl WasiHttpHooks for Outbound {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _completion: Completion,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let uri = request.uri();
        if !self.allowed.allows(uri) {
            self.log.line(format_args!(
                "refused a request of the component to {}://{}: the manifest does not allow it \
                 (allowed_outbound_hosts)",
                uri.scheme_str().unwrap_or("?"),
                uri.authority().map_or("?", |authority| authority.as_str()),
            ));
            return Box::new(async { Err(HttpError::HttpRequestDenied) });
        }
        let options = options.unwrap_or_default();
        if let Some(component) = component_of(uri) {
            let wanted = options.first_byte_timeout;
            let time = wanted.map_or(self.time, |wanted| wanted.min(self.time));
            let asked = self.others.ask(component, request, time);
            return Box::new(async move {
                let done: Completion = Box::new(async { Ok(()) });
                Ok((asked.await?, done))
            });
        }
        let within =
            |wanted: Option<Duration>| Some(wanted.map_or(self.time, |t| t.min(self.time)));
        let options = RequestOptions {
            connect_timeout: within(options.connect_timeout),
            first_byte_timeout: within(options.first_byte_timeout),
            between_bytes_timeout: within(options.between_bytes_timeout),
        };
        Box::new(async move {
            let (response, completion) = default_send_request(request, Some(options)).await?;
            Ok((
                response.map(BodyExt::boxed_unsync),
                Box::new(completion) as Completion,
            ))
        })
    }
}

/// The component that an address names within the application.
fn component_of(uri: &Uri) -> Option<String> {
    let host = uri.host()?.to_ascii_lowercase();
    let component = host.strip_suffix(INTERNAL)?;
    (!component.is_empty()).then(|| component.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_are_hosts_below_a_name_of_their_own() {
        for (address, component) in [
            ("http://mpay-office.spin.internal/a", Some("mpay-office")),
            ("http://Mpay-Office.Spin.Internal", Some("mpay-office")),
            ("http://spin.internal/", None),
            ("http://.spin.internal/", None),
            ("http://spin.internal.example/", None),
            ("http://a.spin.internal.example/", None),
            ("/a.spin.internal", None),
        ] {
            let found = address.parse().ok().and_then(|uri| component_of(&uri));
            assert_eq!(found.as_deref(), component, "{address}");
        }
    }
}
