//! Routes of the HTTP trigger: exact paths, and `/...` for everything under a path.

/// A route pattern of the manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    raw: String,
    /// The fixed part, without a slash at the end; empty for `/` and `/...`.
    prefix: String,
    wildcard: bool,
}

/// The routes of an application, each with the name of its component.
#[derive(Clone, Debug)]
pub struct Router(Vec<(Route, String)>);

/// A route that serves a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match<'a> {
    route: &'a Route,
    component: &'a str,
    rest: &'a str,
}

impl Route {
    /// Reads a pattern. Spin's named segments (`/:name`) and inner wildcards are not supported; the
    /// error is the rest of a sentence.
    pub fn parse(raw: &str) -> Result<Self, String> {
        let absolute = match raw.strip_prefix('/') {
            Some(_) => raw.to_owned(),
            None => format!("/{raw}"),
        };
        let (prefix, wildcard) = match absolute.strip_suffix("/...") {
            Some(prefix) => (prefix, true),
            None => (absolute.strip_suffix('/').unwrap_or(&absolute), false),
        };
        let unsupported =
            |segment: &str| segment.starts_with(':') || segment.contains(['*', '?', '#']);
        if prefix.split('/').any(|s| unsupported(s) || s == "...") {
            return Err(format!(
                "{raw:?} is not supported by this host: give a path, or a path and `/...`"
            ));
        }
        if prefix.starts_with("/.well-known/spin") {
            return Err(format!("{raw:?} is reserved for the host"));
        }
        Ok(Self {
            raw: raw.to_owned(),
            prefix: prefix.to_owned(),
            wildcard,
        })
    }

    /// The rest of a path behind the route; `None` if the route does not serve it.
    fn serves<'a>(&self, path: &'a str) -> Option<&'a str> {
        let rest = path.strip_prefix(&self.prefix)?;
        let served = if self.wildcard {
            rest.is_empty() || rest.starts_with('/')
        } else {
            rest.is_empty() || rest == "/"
        };
        served.then_some(rest)
    }
}

impl Router {
    /// A router over these routes.
    pub fn new(mut routes: Vec<(Route, String)>) -> Self {
        routes.sort_by_key(|(route, _)| (route.wildcard, std::cmp::Reverse(route.prefix.len())));
        Self(routes)
    }

    /// The route for a path: an exact one before wildcards, the longest wildcard before shorter
    /// ones.
    pub fn find<'a>(&'a self, path: &'a str) -> Option<Match<'a>> {
        self.0.iter().find_map(|(route, component)| {
            let rest = route.serves(path)?;
            Some(Match {
                route,
                component,
                rest,
            })
        })
    }
}

impl Match<'_> {
    /// The component that serves it.
    pub fn component(&self) -> &str {
        self.component
    }

    /// The path that `/...` stood for, with its leading slash; empty for an exact route.
    pub fn path_info(&self) -> &str {
        if self.route.wildcard { self.rest } else { "" }
    }

    /// The pattern as it stands in the manifest.
    pub fn raw_route(&self) -> &str {
        &self.route.raw
    }

    /// The pattern as it stands in the manifest, without `/...`.
    pub fn component_route(&self) -> &str {
        self.raw_route()
            .strip_suffix("/...")
            .unwrap_or(self.raw_route())
    }

    /// The pattern made absolute, without a slash at its end.
    pub fn matched_route(&self) -> String {
        let wildcard = if self.route.wildcard { "/..." } else { "" };
        format!("{}{wildcard}", self.route.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router(routes: &[&str]) -> Router {
        Router::new(
            routes
                .iter()
                .map(|raw| (Route::parse(raw).unwrap(), format!("for {raw}")))
                .collect(),
        )
    }

    #[test]
    fn a_wildcard_serves_its_path_and_everything_under_it() {
        let router = router(&["/api/..."]);
        for (path, info) in [("/api", ""), ("/api/", "/"), ("/api/a/b", "/a/b")] {
            assert_eq!(router.find(path).unwrap().path_info(), info);
        }
        for path in ["/", "/apiary", "/x/api"] {
            assert_eq!(router.find(path), None, "{path}");
        }
    }

    #[test]
    fn the_root_wildcard_serves_every_path() {
        let router = router(&["/..."]);
        for path in ["/", "/a", "/a/b/", "//"] {
            assert_eq!(router.find(path).unwrap().path_info(), path);
        }
    }

    #[test]
    fn an_exact_route_beats_wildcards_and_a_longer_wildcard_a_shorter() {
        let router = router(&["/...", "/a/...", "/a/b", "/a/b/..."]);
        for (path, route) in [
            ("/a/b", "/a/b"),
            ("/a/b/", "/a/b"),
            ("/a/b/c", "/a/b/..."),
            ("/a/c", "/a/..."),
            ("/c", "/..."),
        ] {
            let found = router.find(path).unwrap();
            assert_eq!(found.raw_route(), route, "{path}");
            assert_eq!(found.component(), format!("for {route}"));
        }
    }

    #[test]
    fn patterns_are_reported_as_spin_reports_them() {
        for (raw, matched, component) in [
            ("/...", "/...", ""),
            ("/", "", "/"),
            ("/foo/...", "/foo/...", "/foo"),
            ("foo", "/foo", "foo"),
        ] {
            let router = router(&[raw]);
            let path = format!("/{}", component.trim_start_matches('/'));
            let found = router.find(&path).unwrap();
            assert_eq!(found.matched_route(), matched);
            assert_eq!(found.component_route(), component);
        }
    }

    #[test]
    fn patterns_this_host_cannot_serve_are_refused() {
        for raw in [
            "/:name",
            "/a/:name/...",
            "/*",
            "/.../a",
            "/.well-known/spin/health",
        ] {
            Route::parse(raw).expect_err(raw);
        }
    }
}
