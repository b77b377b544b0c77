//! Values as Python's `str` writes them: the form in which a type description holds default values.
//!
//! A value comes in, text goes out: `True`, `-50`, `1e-07`, `(1, 2)`, `('hello', 'world')`. Strings that stand alone are
//! written as they are, so there is no function for them; in a tuple they are quoted as `repr` does it.

use std::fmt::Write as _;

/// `True` or `False`.
pub fn boolean(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}

/// The shortest text that gives the number back: `1.0`, `0.0001`, `1e-07`, `1e+16`, `nan`, `-inf`.
///
/// A `float32` field's default is a double in ROS 2, so it is formatted as one: `0.1`, not `0.10000000149011612`.
pub fn float(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        return format!("{value:?}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
}

/// A string as `repr` quotes and escapes it: in single quotes, unless only these stand in it.
pub fn string_repr(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for character in text.chars() {
        match character {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if character == quote || character == '\\' => {
                out.push('\\');
                out.push(character);
            }
            _ if is_printable(character) => out.push(character),
            _ => {
                let code = u32::from(character);
                // Writing into a String cannot fail.
                let _ = match code {
                    ..0x100 => write!(out, "\\x{code:02x}"),
                    0x100..0x1_0000 => write!(out, "\\u{code:04x}"),
                    _ => write!(out, "\\U{code:08x}"),
                };
            }
        }
    }
    out.push(quote);
    out
}

/// Python and Rust exclude the same Unicode categories: other, and separators but for the space.
fn is_printable(character: char) -> bool {
    // After another character Rust does not escape combining ones for being that.
    let text = String::from_iter(['a', character]);
    text.escape_debug().nth(1) != Some('\\') || character == '"' || character == '\''
}

/// Texts of values as a tuple: `()`, `(1,)`, `(1, 2)`.
pub fn tuple<T: AsRef<str>>(items: impl IntoIterator<Item = T>) -> String {
    let mut out = String::from("(");
    let mut count = 0;
    for item in items {
        if count > 0 {
            out.push_str(", ");
        }
        out.push_str(item.as_ref());
        count += 1;
    }
    out.push_str(if count == 1 { ",)" } else { ")" });
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_as_python_prints_them() {
        // Each text is what Python 3 answers to `repr` of the number.
        for (value, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (1.125, "1.125"),
            (-50.5, "-50.5"),
            (0.1, "0.1"),
            (1e-4, "0.0001"),
            (0.000_123_4, "0.0001234"),
            (1e-5, "1e-05"),
            (1e-7, "1e-07"),
            (1.5e-10, "1.5e-10"),
            (1e15, "1000000000000000.0"),
            (1_234_567_890_123_456.0, "1234567890123456.0"),
            (1e16, "1e+16"),
            (1.234_567_890_123_456_7e17, "1.2345678901234566e+17"),
            (1e39, "1e+39"),
            (f64::MAX, "1.7976931348623157e+308"),
            (5e-324, "5e-324"),
            (f64::NAN, "nan"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(float(value), text);
        }
    }

    #[test]
    fn strings_as_python_quotes_them() {
        for (text, repr) in [
            ("", "''"),
            ("hello", "'hello'"),
            ("it's", "\"it's\""),
            ("say \"hi\"", "'say \"hi\"'"),
            ("it's \"it\"", "'it\\'s \"it\"'"),
            ("a\\b", "'a\\\\b'"),
            ("a\n\r\tb", "'a\\n\\r\\tb'"),
            ("\0\u{1f}\u{7f}", "'\\x00\\x1f\\x7f'"),
            ("päß 日本 😀", "'päß 日本 😀'"),
            ("\u{85}\u{a0}\u{ad}", "'\\x85\\xa0\\xad'"),
            ("e\u{301}\u{2028}\u{feff}", "'e\u{301}\\u2028\\ufeff'"),
            ("\u{e0001}", "'\\U000e0001'"),
        ] {
            assert_eq!(string_repr(text), repr, "{text:?}");
        }
    }

    #[test]
    fn tuples() {
        assert_eq!(tuple([""; 0]), "()");
        assert_eq!(tuple(["1"]), "(1,)");
        assert_eq!(tuple([boolean(true), boolean(false)]), "(True, False)");
        assert_eq!(
            tuple(["hello", "world"].map(string_repr)),
            "('hello', 'world')"
        );
    }
}
