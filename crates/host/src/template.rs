//! Values of component variables: text with `{{ name }}` where an application variable goes.

use super::variable_name::VariableName;

/// A parsed template.
///
/// ```
/// use mpay_host::Template;
///
/// let template = Template::parse("https://{{ host }}/").unwrap();
/// assert_eq!(template.render(|_| "pay.example"), "https://pay.example/");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Variable(VariableName),
}

impl Template {
    /// Reads a template; spaces inside the braces do not count. The error is a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (name, after) = after
                .split_once("}}")
                .ok_or_else(|| format!("`{{{{` without `}}}}` in {text:?}"))?;
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(Part::Variable(VariableName::parse(name.trim())?));
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self(parts))
    }

    /// The application variables that the template names.
    pub fn variables(&self) -> impl Iterator<Item = &VariableName> {
        self.0.iter().filter_map(|part| match part {
            Part::Variable(name) => Some(name),
            Part::Text(_) => None,
        })
    }

    /// The text with every variable replaced by its `value`.
    pub fn render<'a>(&'a self, value: impl Fn(&'a VariableName) -> &'a str) -> String {
        self.0
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.as_str(),
                Part::Variable(name) => value(name),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_variables_alternate() {
        let template = Template::parse("a{{x}}b{{ y_1 }}{{x}}").unwrap();
        let names: Vec<_> = template.variables().map(VariableName::as_str).collect();
        assert_eq!(names, ["x", "y_1", "x"]);
        assert_eq!(template.render(VariableName::as_str), "axby_1x");
    }

    #[test]
    fn plain_text_and_nothing_stay_as_they_are() {
        for text in ["", "plain", "} {", "{ x }", "}}"] {
            assert_eq!(Template::parse(text).unwrap().render(|_| ""), text);
        }
    }

    #[test]
    fn open_braces_and_bad_names_are_refused() {
        for text in [
            "{{",
            "a {{ b",
            "{{ }}",
            "{{ A }}",
            "{{ a-b }}",
            "{{ a {{ b }}",
        ] {
            Template::parse(text).expect_err(text);
        }
    }
}
