//! The default value of an array: a tuple or a list of Python, written in a string.
//!
//! That is how ROS 2's converter from `.msg` writes it, with the quotes and the escape sequences of
//! Python, and what its generators read back.

use super::{
    grammar::{Rule, parse},
    text::{self, Reason},
};

#[derive(Debug, PartialEq)]
pub(super) enum Item<'t> {
    /// A number, `True` or `False`.
    Plain(&'t str),
    /// A string, decoded.
    Text(String),
}

/// Takes a list apart; the error is an end of the sentence "this is not a list: it …".
pub(super) fn read_list(text: &str) -> Result<Vec<Item<'_>>, Reason> {
    let pairs = parse(Rule::list, text).map_err(|_| "is not written as in Python")?;
    let items = pairs.into_iter().flatten();
    items
        .filter(|pair| pair.as_rule() == Rule::item)
        .map(|pair| {
            let mut joined = String::new();
            for part in pair.clone().into_inner() {
                if part.as_rule() == Rule::plain {
                    return match part.as_str().trim() {
                        "" => Err("has an empty element"),
                        plain => Ok(Item::Plain(plain)),
                    };
                }
                let written = part.as_str();
                joined.push_str(&text::decode_python(&written[1..written.len() - 1])?);
            }
            Ok(Item::Text(joined))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Option<Vec<&str>> {
        let items = read_list(text).ok()?.into_iter();
        items
            .map(|item| match item {
                Item::Plain(text) => Some(text),
                Item::Text(_) => None,
            })
            .collect()
    }

    fn texts(text: &str) -> Option<Vec<String>> {
        let items = read_list(text).ok()?.into_iter();
        items
            .map(|item| match item {
                Item::Plain(_) => None,
                Item::Text(text) => Some(text),
            })
            .collect()
    }

    #[test]
    fn tuples_and_lists() {
        for (text, items) in [
            ("()", &[][..]),
            ("( )", &[]),
            ("[]", &[]),
            ("(1,)", &["1"]),
            ("[1]", &["1"]),
            ("(1, -2 ,3.5e-05)", &["1", "-2", "3.5e-05"]),
            (" [True, False, ] ", &["True", "False"]),
            ("1, 2", &["1", "2"]),
            ("1,", &["1"]),
        ] {
            assert_eq!(plain(text).as_deref(), Some(items), "{text}");
        }
        for text in [
            "",
            "1",
            "(1)",
            "(",
            "(1, 2",
            "(1, 2]",
            "(,)",
            "(1,,2)",
            "((1,), 2)",
            "{1}x",
            "(1 ,  , 2)",
        ] {
            assert_eq!(plain(text), None, "{text}");
        }
    }

    #[test]
    fn lists_of_strings() {
        for (text, items) in [
            ("('a', \"b\")", &["a", "b"][..]),
            (r#"('it\'s', "it's", 'a"b')"#, &["it's", "it's", "a\"b"]),
            (r"('a\\b', '\t')", &["a\\b", "\t"]),
            ("('a, b)', '')", &["a, b)", ""]),
            ("('a' 'b', 'c')", &["ab", "c"]),
            ("['日本',]", &["日本"]),
        ] {
            let items: Vec<_> = items.iter().map(|&item| item.to_owned()).collect();
            assert_eq!(texts(text), Some(items), "{text}");
        }
        for text in [
            "('a)",
            "('a'b', 'c')",
            "('a\n',)",
            r"('\x4',)",
            "('a', b'c')",
        ] {
            assert_eq!(texts(text), None, "{text}");
        }
    }
}
