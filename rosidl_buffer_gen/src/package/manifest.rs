//! The one thing of a `package.xml` that matters here: the package's name.

/// The text of the first `<name>` element that is not inside a comment.
pub(super) fn name(manifest: &str) -> Option<String> {
    let mut rest = manifest;
    loop {
        rest = &rest[rest.find('<')?..];
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = &comment[comment.find("-->")?..];
        } else if let Some(element) = rest.strip_prefix("<name") {
            if let Some(text) = element.trim_start().strip_prefix('>') {
                let name = text[..text.find('<')?].trim();
                return (!name.is_empty()).then(|| name.to_owned());
            }
            rest = element;
        } else {
            rest = &rest[1..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn names() {
        for (manifest, found) in [
            ("<package><name>a_b</name></package>", Some("a_b")),
            (
                "<?xml?><package><!-- <name>x</name> --><name >\n a \n</name>",
                Some("a"),
            ),
            ("<package><names>x</names><name>a</name>", Some("a")),
            ("<package/>", None),
            ("<name></name>", None),
            ("<name>a", None),
            ("<!-- <name>a</name>", None),
            ("<name", None),
            ("", None),
        ] {
            assert_eq!(name(manifest).as_deref(), found, "{manifest}");
        }
    }
}
