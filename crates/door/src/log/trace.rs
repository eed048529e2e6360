//! The origin of a request, and the parts of it that are sent on: its id, and the trace that it belongs
//! to.

use http::{HeaderMap, HeaderValue};

/// The header with the id of a request.
pub const REQUEST_ID: &str = "x-request-id";

/// The header of W3C Trace Context with the trace that a request belongs to.
pub const TRACEPARENT: &str = "traceparent";

/// The header of W3C Trace Context with what systems on the way keep of a trace.
pub const TRACESTATE: &str = "tracestate";

/// Longest `tracestate` that is sent on, in bytes: as much as everybody must (W3C Trace Context, section
/// 3.3.1.5).
const LONGEST_STATE: usize = 512;

/// The origin of a request, which goes along with the requests that follow from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub(super) id: String,
    pub(super) traceparent: Option<String>,
    /// Only beside a trace. It is not logged.
    pub(super) tracestate: Option<String>,
}

impl Origin {
    /// The caller's id if it is a reasonable one, else one made of `random`.
    pub(super) fn of(headers: &HeaderMap, random: impl FnOnce() -> u64) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let id = text(REQUEST_ID).filter(|id| is_reasonable(id));
        let traceparent = text(TRACEPARENT).and_then(known_version);
        let tracestate = traceparent.as_ref().and_then(|_| state(headers));
        Self {
            id: id.map_or_else(|| format!("{:016x}", random()), str::to_owned),
            traceparent,
            tracestate,
        }
    }
}

/// True if an id can neither steer a reader of the log nor fill it.
fn is_reasonable(id: &str) -> bool {
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:+/=".contains(&byte);
    (1..=64).contains(&id.len()) && id.bytes().all(is_safe)
}

/// The state that systems on the way keep of the trace: as it came, because a trace that is sent on unchanged has its
/// state unchanged (W3C Trace Context, section 3.4). One that is too long, or no text, is left out whole.
fn state(headers: &HeaderMap) -> Option<String> {
    let parts = headers.get_all(TRACESTATE).iter().map(HeaderValue::to_str);
    let state = parts.collect::<Result<Vec<_>, _>>().ok()?.join(",");
    (1..=LONGEST_STATE).contains(&state.len()).then_some(state)
}

/// The trace in the only version that there is, `00`. Of a later version its beginning is that, and of
/// the flags the first alone is known (W3C Trace Context, sections 3.2.2 and 3.2.4).
pub(super) fn known_version(traceparent: &str) -> Option<String> {
    const LENGTH: usize = "00-".len() + 32 + "-".len() + 16 + "-00".len();
    let (beginning, more) = traceparent.split_at_checked(LENGTH)?;
    let (version, rest) = beginning.split_at_checked(2)?;
    if version == "00" {
        return (more.is_empty() && trace_id(beginning).is_some()).then(|| beginning.to_owned());
    }
    if !is_hex(version, 2) || version == "ff" || !(more.is_empty() || more.starts_with('-')) {
        return None;
    }
    let current = format!("00{rest}");
    trace_id(&current)?;
    let (parent, flags) = current.split_at_checked(LENGTH - 2)?;
    let sampled = u8::from_str_radix(flags, 16).ok()? & 1;
    Some(format!("{parent}{sampled:02x}"))
}

fn is_hex(text: &str, length: usize) -> bool {
    let mut digits = text.bytes();
    text.len() == length && digits.all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// The id of the trace (W3C Trace Context, section 3.2.2).
pub(super) fn trace_id(traceparent: &str) -> Option<&str> {
    let mut parts = traceparent.split('-');
    let (version, trace, parent) = (parts.next()?, parts.next()?, parts.next()?);
    let flags = parts.next()?;
    let is_one = version == "00" && parts.next().is_none();
    let some = |text: &str| text.bytes().any(|byte| byte != b'0');
    (is_one && is_hex(trace, 32) && is_hex(parent, 16) && is_hex(flags, 2))
        .then_some(trace)
        .filter(|trace| some(trace) && some(parent))
}
