//! The common parts of the services that are played on one's own machine, for rehearsals: a server of
//! pages that work without a script, in three languages.
//!
//! | module | what |
//! | --- | --- |
//! | `server` | connections, of this machine and of its own pages only |
//! | `http` | requests and replies as the pages need them |
//! | `language`, `text` | the language of a page, and texts in each |
//! | `page` | what is around every page |

#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

mod http;
mod language;
mod page;
mod server;
mod text;

pub use http::{Broken, Reply, Request, link};
pub use mpay_domain::Language;
pub use page::{Look, Reload, View, layout};
pub use server::{Play, Server};
pub use text::Text;

/// The font of the pages, regular: Noto Sans.
pub const REGULAR: &[u8] = include_bytes!("font/NotoSans-Regular.ttf");
/// The font of the pages, bold.
pub const BOLD: &[u8] = include_bytes!("font/NotoSans-Bold.ttf");
