//! The frame of every page.

use maud::{DOCTYPE, Markup, html};

use crate::{Language, Request, Text};

/// For whom a page is.
#[derive(Debug, Clone)]
pub struct View {
    /// The language of the page.
    pub language: Language,
    /// The address at which the same page is found by GET.
    here: String,
}

impl View {
    /// The view for the sender of a request, of a page at the address `here`.
    #[must_use]
    pub fn new(request: &Request, here: String) -> Self {
        Self {
            language: request.language,
            here,
        }
    }

    /// A text for them.
    #[must_use]
    pub fn t(&self, text: Text) -> &'static str {
        text.of(self.language)
    }
}

/// The party that is played.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Their name: the part in full ink, and the part behind it.
    pub brand: (&'static str, &'static str),
    /// That this is a rehearsal.
    pub rehearsal: Text,
    /// That nothing here is real.
    pub warning: Text,
    /// The name of the choice of a language.
    pub languages: Text,
    /// Paths and names of the pages that all pages lead to.
    pub nav: &'static [(&'static str, Text)],
}

/// The address that the browser loads, and when.
#[derive(Debug, Clone)]
pub struct Reload {
    /// After so many seconds.
    pub seconds: u32,
    /// This address; by default the page itself.
    pub url: Option<String>,
}

/// A page.
#[must_use]
pub fn layout(
    look: &Look,
    view: &View,
    title: &str,
    reload: Option<Reload>,
    content: Markup,
) -> Markup {
    let (name, rest) = look.brand;
    let refresh = reload.map(|reload| match reload.url {
        Some(url) => format!("{};url={url}", reload.seconds),
        None => reload.seconds.to_string(),
    });
    html! {
        (DOCTYPE)
        html lang=(view.language.code()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                @if let Some(refresh) = refresh {
                    meta http-equiv="refresh" content=(refresh);
                }
                title { (title) " · " (name) " " (rest) }
                link rel="stylesheet" href="/style.css";
            }
            body {
                aside.rehearsal aria-label=(view.t(look.rehearsal)) {
                    strong { (view.t(look.rehearsal)) } " " (view.t(look.warning))
                }
                header {
                    a.brand href="/" { (name) " " span { (rest) } }
                    nav {
                        @for (path, name) in look.nav {
                            a href=(path) { (view.t(*name)) }
                        }
                        span.languages role="group" aria-label=(view.t(look.languages)) {
                            @for language in Language::ALL {
                                @if language == view.language {
                                    b aria-current="true" { (language.code()) }
                                } @else {
                                    a href=(in_language(&view.here, language)) hreflang=(language.code())
                                        lang=(language.code()) title=(language.name()) { (language.code()) }
                                }
                            }
                        }
                    }
                }
                main { (content) }
            }
        }
    }
}

/// The same page in another language.
fn in_language(here: &str, language: Language) -> String {
    let separator = if here.contains('?') { '&' } else { '?' };
    format!("{here}{separator}lang={}", language.code())
}
