//! An uploaded file, which the next page sends again.

use base64ct::{Base64, Encoding};
use http::StatusCode;
use maud::{Markup, html};
use mpay_door::Problem;

use super::desk::Form;

/// The media type with which a file is sent to the API. The API recognises the format by the bytes.
pub const MEDIA_TYPE: &str = "application/octet-stream";

/// The largest file, in bytes. The next page sends it in base64, which is longer, and the body of a request has
/// its limit.
const LARGEST: usize = 600_000;

/// An uploaded file.
pub struct Upload {
    pub content: Vec<u8>,
}

impl Upload {
    /// The file of a form: from the file field, or from the page before.
    ///
    /// # Errors
    /// A [`Problem`] if no file was chosen, or if it is too large.
    pub fn of(form: &Form) -> Result<Self, Problem> {
        let again = form
            .text("file64")
            .and_then(|text| Base64::decode_vec(text).ok());
        let content = again.or_else(|| form.file().map(<[u8]>::to_vec));
        let content = content.filter(|content| !content.is_empty());
        let content = content.ok_or_else(|| Problem::member("file", "is not chosen"))?;
        if content.len() > LARGEST {
            return Err(Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "The file is larger than a page takes (600 kB). Divide it, or use `mpay orders import`.",
            ));
        }
        Ok(Self { content })
    }

    /// The hidden field that carries the file to the next page.
    pub fn hidden(&self) -> Markup {
        html! { input type="hidden" name="file64" value=(Base64::encode_string(&self.content)); }
    }
}
