//! Escape sequences in strings, as the pipeline from `.msg` over `.idl` treats them.
//!
//! Upstream decodes a string twice, with a file in between that cannot hold everything. Decoded here is
//! once, which is what the writer of the string meant; where upstream stops, or would come to another
//! text, the caller is told. What has no meaning at all is refused.

/// A string with its escape sequences decoded.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Decoded {
    pub(super) text: String,
    /// Why upstream's pipeline stops at the string, if it does: an end of the sentence "this string …".
    pub(super) stops: Option<Reason>,
    /// Whether upstream would decode once more what is left.
    pub(super) decoded_again: bool,
}

pub(super) type Reason = &'static str;

/// A string in a list. Upstream writes the list into the file in between as Python would print it, and
/// has Python read it in the end: every escape sequence is decoded once and stands for one character.
pub(super) fn decode_item(text: &str) -> Result<Decoded, Reason> {
    // Python prints a string with both kinds of quotes in single ones.
    let mut before_quotes = text.split('\'').rev().skip(1);
    let stops = if !text.is_ascii() {
        Some("is in a list and has characters beyond ASCII")
    } else if text.contains('"') && before_quotes.any(ends_in_open_backslash) {
        Some("is in a list and has both kinds of quotes, one of them behind a backslash")
    } else {
        None
    };
    let mut characters = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (code, behind) = decode_one(&rest[at + 1..])?;
        characters.push_str(&rest[..at]);
        characters.push(code);
        rest = behind;
    }
    characters.push_str(rest);
    Ok(Decoded {
        text: characters,
        stops,
        decoded_again: false,
    })
}

/// The error is why the string means nothing, as an end of the sentence "this string …".
pub(super) fn decode(text: &str) -> Result<Decoded, Reason> {
    if !text.contains('\\') {
        return Ok(Decoded {
            text: text.to_owned(),
            stops: None,
            decoded_again: false,
        });
    }
    // The file in between is Latin-1 and read as UTF-8: an escape sequence stands for one byte there.
    let mut bytes = Some(Vec::with_capacity(text.len()));
    let mut characters = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (code, behind) = decode_one(&rest[at + 1..])?;
        let before = &rest[..at];
        characters.push_str(before);
        characters.push(code);
        if let Some(some) = &mut bytes {
            some.extend_from_slice(before.as_bytes());
            match u8::try_from(code) {
                Ok(byte) => some.push(byte),
                Err(_) => bytes = None,
            }
        }
        rest = behind;
    }
    characters.push_str(rest);
    if let Some(bytes) = &mut bytes {
        bytes.extend_from_slice(rest.as_bytes());
    }
    let (text, mut stops) = match bytes.map(String::from_utf8) {
        Some(Ok(text)) => (text, None),
        Some(Err(_)) => (characters, Some("has escape sequences that are not UTF-8")),
        None => (characters, Some("has an escape sequence beyond `\\xff`")),
    };
    if text.contains(['\n', '\r']) {
        stops = Some("contains a line break, which the .idl file made from it cannot hold");
    }
    if text.split('"').any(ends_in_open_backslash) {
        stops = Some(if ends_in_open_backslash(&text) {
            "ends in a backslash, which hides the closing quote in the .idl file made from it"
        } else {
            "has a quote behind a backslash, which ends the string in the .idl file made from it"
        });
    }
    let decoded_again = is_decoded_again(&text);
    Ok(Decoded {
        text,
        stops,
        decoded_again,
    })
}

/// Whether there is an odd number of backslashes at the end, so that the last one is not escaped.
fn ends_in_open_backslash(text: &str) -> bool {
    (text.len() - text.trim_end_matches('\\').len()) % 2 == 1
}

/// Decodes what follows a backslash; gives back what comes after that. A sequence that is none is a
/// backslash.
fn decode_one(rest: &str) -> Result<(char, &str), Reason> {
    let first = rest.chars().next().ok_or("ends in a lone backslash")?;
    let plain = match first {
        '\\' | '\'' | '"' => first,
        'a' => '\x07',
        'b' => '\x08',
        't' => '\t',
        'n' => '\n',
        'v' => '\x0b',
        'f' => '\x0c',
        'r' => '\r',
        '0'..='7' => {
            let digits = rest.bytes().take(3);
            let length = digits
                .take_while(|byte| (b'0'..=b'7').contains(byte))
                .count();
            return Ok((code_point(&rest[..length], 8)?, &rest[length..]));
        }
        'x' | 'u' | 'U' => {
            let length = 1 + match first {
                'x' => 2,
                'u' => 4,
                _ => 8,
            };
            let digits = rest
                .get(1..length)
                .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
            let digits = digits.ok_or(r"has an incomplete `\x`, `\u` or `\U` escape sequence")?;
            return Ok((code_point(digits, 16)?, &rest[length..]));
        }
        'N' => return Err(r"names a character with `\N`; write the character itself"),
        _ => return Ok(('\\', rest)),
    };
    Ok((plain, &rest[1..]))
}

fn code_point(digits: &str, radix: u32) -> Result<char, Reason> {
    let code = u32::from_str_radix(digits, radix).ok();
    code.and_then(char::from_u32)
        .ok_or("has an escape sequence that is no Unicode character")
}

fn is_decoded_again(text: &str) -> bool {
    text.match_indices('\\').any(|(at, _)| {
        let next = text[at + 1..].chars().next();
        next.is_none_or(|next| "ntvbrfa\\?'\"01234567xu".contains(next))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(written: &str) -> (String, bool, bool) {
        let decoded = decode(written).unwrap();
        (decoded.text, decoded.stops.is_some(), decoded.decoded_again)
    }

    #[test]
    fn quotes_behind_backslashes() {
        let stops = |text| decode(text).unwrap().stops.is_some();
        assert!(stops(r#"a\\"b"#) && stops(r#"a"\\\\\\"b\\\\"#));
        assert!(!stops(r#"a\"b"#) && !stops(r#"a\\\\"b"#));
        let stops = |text| decode_item(text).unwrap().stops.is_some();
        assert!(stops(r#"\'""#) && stops(r#""\\\'"#));
        assert!(!stops(r#"'""#) && !stops(r"\'") && !stops(r#""\\'"#));
    }

    #[test]
    fn decoded_once() {
        for (written, meant) in [
            ("日本", "日本"),
            ("päß", "päß"),
            (r"a\tb", "a\tb"),
            (r"\x41", "A"),
            (r"\101\60x", "A0x"),
            (r"\u0041\U00000042", "AB"),
            (r"\xc3\xa9", "é"),
            (r"c:\dir", r"c:\dir"),
            (r"\é", r"\é"),
            (r"it\'s \v\f\a", "it's \u{b}\u{c}\u{7}"),
        ] {
            assert_eq!(
                decoded(written),
                (meant.to_owned(), false, false),
                "{written}"
            );
        }
    }

    #[test]
    fn what_upstream_decodes_again() {
        for (written, meant) in [(r"a\\b", r"a\b"), (r"\\\\", r"\\"), (r"\\x41", r"\x41")] {
            assert_eq!(
                decoded(written),
                (meant.to_owned(), false, true),
                "{written}"
            );
        }
    }

    #[test]
    fn what_upstream_stops_at() {
        for (written, meant) in [
            (r"a\nb", "a\nb"),
            (r"a\rb", "a\rb"),
            (r"a\u00e9", "aé"),
            (r"\xe9", "é"),
            (r"\u4e2d", "中"),
            (r"\xc3\xa9\u4e2d", "Ã©中"),
            (r"a\\", r"a\"),
            (r"\777", "ǿ"),
            (r"\U0001F600", "😀"),
        ] {
            let (text, stops, _) = decoded(written);
            assert_eq!((text.as_str(), stops), (meant, true), "{written}");
        }
    }

    #[test]
    fn items_of_lists_are_decoded_once() {
        for (written, meant, stops) in [
            (r"a\nb", "a\nb", false),
            (r"a\\b", r"a\b", false),
            (r"a\\", r"a\", false),
            (r"\xc3\xa9\u4e2d", "Ã©中", false),
            ("ä", "ä", true),
        ] {
            let decoded = decode_item(written).unwrap();
            assert_eq!(
                (decoded.text.as_str(), decoded.stops.is_some()),
                (meant, stops),
                "{written}"
            );
            assert!(!decoded.decoded_again);
        }
        assert!(decode_item(r"a\").is_err());
    }

    #[test]
    fn what_means_nothing() {
        for written in [
            r"a\",
            r"\x4",
            r"\xé",
            r"\u12",
            r"\N{BULLET}",
            r"\ud800",
            r"\U00110000",
        ] {
            assert!(decode(written).is_err(), "{written}");
        }
    }
}
