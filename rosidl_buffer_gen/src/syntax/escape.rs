//! Escape sequences in strings, as the pipeline from `.msg` over `.idl` treats them.
//!
//! Upstream decodes a string twice, with a file in between that cannot hold everything. Accepted
//! here is what gets through there. Decoded is once, which is what the writer of the string meant;
//! where the second decoding would change the text, the caller is told.

/// A string with its escape sequences decoded.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Decoded {
    pub(super) text: String,
    /// Whether upstream would decode once more what is left.
    pub(super) decoded_again: bool,
}

/// Why upstream's pipeline stops at a string: an end of the sentence "this string …".
pub(super) type Reason = &'static str;

pub(super) fn decode(text: &str) -> Result<Decoded, Reason> {
    if !text.contains('\\') {
        return Ok(Decoded {
            text: text.to_owned(),
            decoded_again: false,
        });
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        rest = decode_one(&rest[at + 1..], &mut bytes)?;
    }
    bytes.extend_from_slice(rest.as_bytes());
    let text = String::from_utf8(bytes)
        .map_err(|_| "has escape sequences that are not UTF-8; write the character itself")?;
    if text.contains(['\n', '\r']) {
        return Err("contains a line break, which the .idl file made from it cannot hold");
    }
    let backslashes_at_end = text.len() - text.trim_end_matches('\\').len();
    if backslashes_at_end % 2 == 1 {
        return Err("ends in a backslash, which makes the .idl file's closing quote part of it");
    }
    let decoded_again = is_decoded_again(&text);
    Ok(Decoded {
        text,
        decoded_again,
    })
}

/// Decodes what follows a backslash; gives back what comes after that.
fn decode_one<'a>(rest: &'a str, bytes: &mut Vec<u8>) -> Result<&'a str, Reason> {
    let Some(first) = rest.chars().next() else {
        return Err("ends in a lone backslash");
    };
    let plain = match first {
        '\\' | '\'' | '"' => first as u8,
        'a' => 0x07,
        'b' => 0x08,
        't' => b'\t',
        'n' => b'\n',
        'v' => 0x0b,
        'f' => 0x0c,
        'r' => b'\r',
        '0'..='7' => {
            let digits = rest.bytes().take(3);
            let length = digits
                .take_while(|byte| (b'0'..=b'7').contains(byte))
                .count();
            push_code(u32::from_str_radix(&rest[..length], 8).ok(), bytes)?;
            return Ok(&rest[length..]);
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
            let Some(digits) = digits else {
                return Err(r"has an incomplete `\x`, `\u` or `\U` escape sequence");
            };
            push_code(u32::from_str_radix(digits, 16).ok(), bytes)?;
            return Ok(&rest[length..]);
        }
        'N' => return Err(r"names a character with `\N`; write the character itself"),
        _ => {
            bytes.push(b'\\');
            return Ok(rest);
        }
    };
    bytes.push(plain);
    Ok(&rest[1..])
}

/// The file in between is Latin-1: one byte for each character.
fn push_code(code: Option<u32>, bytes: &mut Vec<u8>) -> Result<(), Reason> {
    let byte = code.and_then(|code| u8::try_from(code).ok());
    bytes.push(byte.ok_or("has an escape sequence beyond `\\xff`; write the character itself")?);
    Ok(())
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
            let decoded = Decoded {
                text: meant.to_owned(),
                decoded_again: false,
            };
            assert_eq!(decode(written), Ok(decoded), "{written}");
        }
    }

    #[test]
    fn what_upstream_decodes_again() {
        for (written, meant) in [(r"a\\b", r"a\b"), (r"\\\\", r"\\"), (r"\\x41", r"\x41")] {
            let decoded = Decoded {
                text: meant.to_owned(),
                decoded_again: true,
            };
            assert_eq!(decode(written), Ok(decoded), "{written}");
        }
    }

    #[test]
    fn what_upstream_stops_at() {
        for written in [
            r"a\nb",
            r"a\rb",
            r"a\u00e9",
            r"\xe9",
            r"\u4e2d",
            r"a\\",
            r"a\",
            r"\x4",
            r"\xé",
            r"\u12",
            r"\N{BULLET}",
            r"\777",
            r"\U0001F600",
        ] {
            assert!(decode(written).is_err(), "{written}");
        }
    }
}
