//! The few things of a `package.xml` that matter here: name, version, licence.

/// The text of the first `<name>` element.
pub(super) fn name(manifest: &str) -> Option<String> {
    texts(manifest, "name").into_iter().next()
}

/// The texts of the elements of this name that are not inside a comment and not empty.
pub(crate) fn texts(manifest: &str, element: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = manifest;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if let Some(comment) = rest.strip_prefix("!--") {
            let Some(end) = comment.find("-->") else {
                break;
            };
            rest = &comment[end..];
        } else if let Some(tag) = rest.strip_prefix(element)
            && tag.starts_with(|next: char| next == '>' || next.is_whitespace())
            && let Some((attributes, content)) = tag.split_once('>')
            && !attributes.ends_with('/')
            && let Some((text, _)) = content.split_once('<')
            && !text.trim().is_empty()
        {
            found.push(unescaped(text.trim()));
        }
    }
    found
}

/// The text with the characters that XML cannot have as they are.
fn unescaped(text: &str) -> String {
    let named = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
    ];
    let text = named
        .iter()
        .fold(text.to_owned(), |text, (name, character)| {
            text.replace(name, character)
        });
    text.replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::{name, texts};

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

    #[test]
    fn versions_and_licences() {
        let manifest = "<version compatibility=\"1.0.0\">1.2.3</version>\
            <license file=\"LICENSE\">BSD</license><license/><license>A &amp; B &lt;c&gt;</license>";
        assert_eq!(texts(manifest, "version"), ["1.2.3"]);
        assert_eq!(texts(manifest, "license"), ["BSD", "A & B <c>"]);
    }
}
