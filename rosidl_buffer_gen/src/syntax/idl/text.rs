//! String literals: from what is between the quotes to the text that ROS 2 makes of it.
//!
//! ROS 2 decodes twice: all escape sequences first, then `\"` and `\\` once more. Its own converter
//! from `.msg` counts on that, so it is done here as well: the same file has the same values.

/// Why ROS 2 stops at a string: an end of the sentence "this string …".
pub(super) type Reason = &'static str;

/// Decodes one literal; `\u` is known to wide ones alone.
pub(super) fn decode(inside: &str, wide: bool) -> Result<String, Reason> {
    if !inside.contains('\\') {
        return Ok(inside.to_owned());
    }
    decode_sequences(inside, wide).map(|text| decode_backslashes(&text))
}

fn decode_sequences(inside: &str, wide: bool) -> Result<String, Reason> {
    replace(inside, |rest, first| match first {
        'x' if starts_hexadecimal(&rest[1..]) => exactly(rest, 2),
        'u' if wide && starts_hexadecimal(&rest[1..]) => exactly(rest, 4),
        _ => Ok(NO_SEQUENCE),
    })
}

/// Decodes a string of a Python list; the quotes around it are off already.
pub(super) fn decode_python(inside: &str) -> Result<String, Reason> {
    replace(inside, |rest, first| match first {
        'x' => exactly(rest, 2),
        'u' => exactly(rest, 4),
        'U' => exactly(rest, 8),
        'N' => Err(r"names a character with `\N`; write the character itself"),
        _ => Ok(NO_SEQUENCE),
    })
}

/// The backslash stands for itself.
const NO_SEQUENCE: (char, usize) = ('\\', 0);

/// Replaces escape sequences: those that IDL and Python share, and those that `special` knows. It
/// gets what follows the backslash and gives the character and the length of what it stands for.
fn replace(
    inside: &str,
    special: impl Fn(&str, char) -> Result<(char, usize), Reason>,
) -> Result<String, Reason> {
    let mut text = String::with_capacity(inside.len());
    let mut rest = inside;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let (character, length) = match rest.chars().next() {
            Some('n') => ('\n', 1),
            Some('t') => ('\t', 1),
            Some('v') => ('\u{b}', 1),
            Some('b') => ('\u{8}', 1),
            Some('r') => ('\r', 1),
            Some('f') => ('\u{c}', 1),
            Some('a') => ('\u{7}', 1),
            Some(first @ ('\\' | '\'' | '"')) => (first, 1),
            Some('0'..='7') => code(rest, 0, 3, 8)?,
            Some(first) => special(rest, first)?,
            None => NO_SEQUENCE,
        };
        text.push(character);
        rest = &rest[length..];
    }
    text.push_str(rest);
    Ok(text)
}

fn starts_hexadecimal(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_hexdigit())
}

/// The character behind `x` or `u`, which has so many digits.
fn exactly(text: &str, digits: usize) -> Result<(char, usize), Reason> {
    let (character, length) = code(text, 1, digits, 16)?;
    if length == 1 + digits {
        Ok((character, length))
    } else {
        Err(r"has an escape sequence with too few digits: `\x41`, or `\u00e9` in a wide string")
    }
}

/// The character of the digits from `start` on, at most so many, and where they end.
fn code(text: &str, start: usize, most: usize, radix: u32) -> Result<(char, usize), Reason> {
    let digits = text[start..].chars().take(most);
    let length = digits.take_while(|digit| digit.is_digit(radix)).count();
    let end = start + length;
    u32::from_str_radix(&text[start..end], radix)
        .ok()
        .and_then(char::from_u32)
        .map(|character| (character, end))
        .ok_or("has an escape sequence that is not a character")
}

fn decode_backslashes(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let next = characters.next_if(|next| character == '\\' && matches!(next, '"' | '\\'));
        decoded.push(next.unwrap_or(character));
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoded_as_by_ros() {
        for (written, meant) in [
            ("日本", "日本"),
            (r"a\tb\n", "a\tb\n"),
            (r"\x41\101\60x", "AA0x"),
            (r"\xe9", "é"),
            (r"c:\dir \? \u00e9", r"c:\dir \? \u00e9"),
            (r"it\'s \v\f\a\b", "it's \u{b}\u{c}\u{7}\u{8}"),
            (r#"say \"x\""#, r#"say "x""#),
            (r"a\\b", r"a\b"),
            (r"a\\\\b", r"a\b"),
            (r"a\\\\\\b", r"a\\b"),
            (r#"\\\""#, "\""),
            (r"\xg", r"\xg"),
        ] {
            assert_eq!(decode(written, false).as_deref(), Ok(meant), "{written}");
        }
        assert_eq!(decode(r"\u00e9\u4e2d", true).as_deref(), Ok("é中"));
        for written in [r"\x4", r"\u12", r"\ud800"] {
            assert!(decode(written, true).is_err(), "{written}");
        }
    }

    #[test]
    fn strings_of_python() {
        for (written, meant) in [
            (r"a\tb", "a\tb"),
            (r"\\d \d", r"\d \d"),
            (r#"\'\""#, "'\""),
            (r"\x41\u00e9\U0001F600\101", "Aé😀A"),
        ] {
            assert_eq!(decode_python(written).as_deref(), Ok(meant), "{written}");
        }
        for written in [r"\x4", r"\xé", r"\u12", r"\U00110000", r"\N{BULLET}"] {
            assert!(decode_python(written).is_err(), "{written}");
        }
    }
}
