//! The `backends:` component of a token: which memories an endpoint takes or offers buffers in.
//!
//! `backends:<name>:<metadata>;<name>:<metadata>`, names sorted; what would end a part is escaped.

pub(super) const BACKENDS: &str = "backends:";

/// One memory that a subscription takes buffers in, or that a publisher offers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Backend {
    /// `cpu`, `cuda`, …
    pub name: String,
    /// What that backend says about itself; often empty.
    pub metadata: String,
}

/// Characters of a backend's name or metadata that would end it, and what is written instead.
const ESCAPES: [(char, &str); 4] = [('%', "%25"), (';', "%3B"), (':', "%3A"), ('/', "%2F")];

pub(super) fn format_backends(backends: &[Backend]) -> String {
    let mut sorted: Vec<&Backend> = backends.iter().collect();
    sorted.sort_by_key(|backend| &backend.name);
    let entries: Vec<String> = sorted
        .iter()
        .map(|backend| format!("{}:{}", escape(&backend.name), escape(&backend.metadata)))
        .collect();
    format!("{BACKENDS}{}", entries.join(";"))
}

/// An entry without a colon has no metadata; an empty one is left out.
pub(super) fn parse_backends(text: &str) -> Vec<Backend> {
    let entries = text.split(';').filter(|entry| !entry.is_empty());
    entries
        .map(|entry| {
            let (name, metadata) = entry.split_once(':').unwrap_or((entry, ""));
            Backend {
                name: unescape(name),
                metadata: unescape(metadata),
            }
        })
        .collect()
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match ESCAPES.iter().find(|(escaped, _)| *escaped == character) {
            Some((_, code)) => out.push_str(code),
            None => out.push(character),
        }
    }
    out
}

/// A `%` that begins none of the four codes stays.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let code = ESCAPES.iter().find_map(|(c, code)| {
            let end = rest.get(..code.len())?;
            end.eq_ignore_ascii_case(code).then_some((*c, code.len()))
        });
        let (character, len) = code.unwrap_or(('%', 1));
        out.push(character);
        rest = &rest[len..];
    }
    out.push_str(rest);
    out
}
