//! Values of `xml:base` joined into one: `join-URI-References` of Canonical XML 1.1, section 2.4.

/// A reference inside elements that have a base, as a reference relative to the base around these.
///
/// This is RFC 3986 section 5.2, where the base may be relative too: `..` that lead out of it stay.
/// As section 2.4 has it, `/` in a row are one, and `/` is added to a `..` at the end.
pub(super) fn join(base: &str, reference: &str) -> String {
    let (b, r) = (Uri::parse(base), Uri::parse(reference));
    let joined = if r.scheme.is_some() || r.authority.is_some() {
        Uri {
            scheme: r.scheme.or(b.scheme),
            path: without_dots(&r.path),
            ..r
        }
    } else if r.path.is_empty() {
        Uri {
            query: r.query.or(b.query),
            fragment: r.fragment,
            path: without_dots(&b.path),
            ..b
        }
    } else {
        let path = match &b {
            _ if r.path.starts_with('/') => r.path,
            Uri {
                authority: Some(_),
                path,
                ..
            } if path.is_empty() => format!("/{}", r.path),
            Uri { path, .. } => format!("{}{}", folder(path), r.path),
        };
        Uri {
            path: without_dots(&path),
            query: r.query,
            fragment: r.fragment,
            ..b
        }
    };
    joined.to_string()
}

struct Uri<'a> {
    scheme: Option<&'a str>,
    authority: Option<&'a str>,
    path: String,
    query: Option<&'a str>,
    fragment: Option<&'a str>,
}

impl<'a> Uri<'a> {
    /// RFC 3986 appendix B.
    fn parse(text: &'a str) -> Uri<'a> {
        let (rest, fragment) = split(text, '#');
        let (rest, query) = split(rest, '?');
        let (scheme, rest) = match rest.split_once(':') {
            Some((scheme, rest)) if !scheme.is_empty() && !scheme.contains('/') => {
                (Some(scheme), rest)
            }
            _ => (None, rest),
        };
        let (authority, path) = match rest.strip_prefix("//") {
            Some(rest) => {
                let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                (Some(authority), path)
            }
            None => (None, rest),
        };
        Uri {
            scheme,
            authority,
            path: path.to_owned(),
            query,
            fragment,
        }
    }
}

/// RFC 3986 section 5.3.
impl std::fmt::Display for Uri<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(scheme) = self.scheme {
            write!(f, "{scheme}:")?;
        }
        if let Some(authority) = self.authority {
            write!(f, "//{authority}")?;
        }
        f.write_str(&self.path)?;
        if let Some(query) = self.query {
            write!(f, "?{query}")?;
        }
        if let Some(fragment) = self.fragment {
            write!(f, "#{fragment}")?;
        }
        Ok(())
    }
}

fn split(text: &str, at: char) -> (&str, Option<&str>) {
    match text.split_once(at) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

/// A path without its last segment, unless that leads up.
fn folder(path: &str) -> String {
    match path.rsplit_once('/') {
        _ if path == ".." || path.ends_with("/..") => format!("{path}/"),
        Some((folder, _)) => format!("{folder}/"),
        None => String::new(),
    }
}

/// RFC 3986 section 5.2.4, as Canonical XML 1.1 changes it.
fn without_dots(path: &str) -> String {
    let (root, relative) = match path.strip_prefix('/') {
        Some(relative) => ("/", relative),
        None => ("", path),
    };
    let mut kept: Vec<&str> = Vec::new();
    let mut ends_in_folder = false;
    for segment in relative.split('/') {
        ends_in_folder = matches!(segment, "" | "." | "..");
        match segment {
            "" | "." => {}
            ".." if kept.last().is_some_and(|last| *last != "..") => {
                kept.pop();
            }
            ".." if !root.is_empty() => {}
            segment => kept.push(segment),
        }
    }
    let end = if ends_in_folder && !kept.is_empty() {
        "/"
    } else {
        ""
    };
    format!("{root}{}{end}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::join;

    #[test]
    fn references_are_resolved_as_the_rfc_says() {
        // RFC 3986 section 5.4, all whose results are the same here.
        for (reference, expected) in [
            ("g:h", "g:h"),
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g"),
            ("?y", "http://a/b/c/d;p?y"),
            ("g?y", "http://a/b/c/g?y"),
            ("#s", "http://a/b/c/d;p?q#s"),
            ("", "http://a/b/c/d;p?q"),
            (".", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../g", "http://a/b/g"),
            ("../../../g", "http://a/g"),
            ("/./g/../h", "http://a/h"),
            ("g;x=1/../y", "http://a/b/c/y"),
        ] {
            assert_eq!(
                join("http://a/b/c/d;p?q", reference),
                expected,
                "{reference}"
            );
        }
        assert_eq!(join("http://a", "g"), "http://a/g");
    }

    #[test]
    fn relative_bases_stay_relative() {
        for (base, reference, expected) in [
            ("a/b", "c", "a/c"),
            ("a/", "b/c", "a/b/c"),
            ("a", "b", "b"),
            ("../a/", "../../b", "../../b"),
            ("..", "b", "../b"),
            ("a/..", "b", "b"),
            ("a/", "..", ""),
            ("../", "..", "../../"),
            ("a//b/", "c", "a/b/c"),
            ("/a/b", "../../c", "/c"),
        ] {
            assert_eq!(join(base, reference), expected, "{base} {reference}");
        }
    }
}
