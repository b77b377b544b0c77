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

/// Backends that a token may name; nobody has more kinds of memory.
const MAX_BACKENDS: usize = 16;

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

/// An entry without a colon has no metadata; an empty one is left out, and so is a name that was there before. `None` when there
/// are too many.
pub(super) fn parse_backends(text: &str) -> Option<Vec<Backend>> {
    let mut backends: Vec<Backend> = Vec::new();
    for entry in text.split(';').filter(|entry| !entry.is_empty()) {
        let (name, metadata) = entry.split_once(':').unwrap_or((entry, ""));
        let name = unescape(name);
        if backends.iter().any(|known| known.name == name) {
            continue;
        }
        if backends.len() == MAX_BACKENDS {
            return None;
        }
        let metadata = unescape(metadata);
        backends.push(Backend { name, metadata });
    }
    Some(backends)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_so_many_backends_and_each_once() {
        let name = |number| format!("b{number}:{number}");
        let names = |count: usize| (0..count).map(name).collect::<Vec<_>>().join(";");
        let most = parse_backends(&names(MAX_BACKENDS)).unwrap();
        assert_eq!(most.len(), MAX_BACKENDS);
        assert_eq!(parse_backends(&names(MAX_BACKENDS + 1)), None);
        let same = parse_backends(&"a:1;a:2;;".repeat(500)).unwrap();
        assert_eq!(same.len(), 1);
        assert_eq!(same[0].metadata, "1");
    }
}
