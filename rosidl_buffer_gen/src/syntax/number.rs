//! Numbers and truth values, as Python's `int()` and `float()` read them.
//!
//! Underscores may stand between digits, digits may come from any script, leading zeros mean
//! nothing, `0x`, `0o` and `0b` are known for values but not for bounds.

use std::borrow::Cow;

use super::grammar::{Rule, parts};
use crate::source::is_space;

/// `true` and `false` in any case, `1` and `0`.
pub(super) fn boolean(text: &str) -> Option<bool> {
    let first = parts(Rule::boolean, text)?.next()?;
    Some(first.as_rule() == Rule::truth)
}

/// An integer; one that is too large or too small becomes the largest or smallest.
pub(super) fn integer(text: &str) -> Option<i128> {
    signed_digits(Rule::integer, text)
}

/// An integer in decimal notation.
pub(super) fn count(text: &str) -> Option<i128> {
    signed_digits(Rule::count, text)
}

pub(super) fn float(text: &str) -> Option<f64> {
    let text = ascii_digits(text.trim_matches(is_space));
    let mut sign = 1.0;
    let mut magnitude = None;
    for part in parts(Rule::float, &text)? {
        match part.as_rule() {
            Rule::sign if part.as_str() == "-" => sign = -1.0,
            Rule::infinity => magnitude = Some(f64::INFINITY),
            Rule::not_a_number => magnitude = Some(f64::NAN),
            Rule::number => magnitude = part.as_str().replace('_', "").parse().ok(),
            _ => {}
        }
    }
    magnitude.map(|magnitude: f64| sign * magnitude)
}

fn signed_digits(rule: Rule, text: &str) -> Option<i128> {
    let text = ascii_digits(text.trim_matches(is_space));
    let mut negative = false;
    let mut magnitude = None;
    for part in parts(rule, &text)? {
        let radix = match part.as_rule() {
            Rule::sign => {
                negative = part.as_str() == "-";
                continue;
            }
            Rule::hexadecimal => 16,
            Rule::octal => 8,
            Rule::binary => 2,
            Rule::decimal => 10,
            _ => continue,
        };
        let digits = part.clone().into_inner().next().unwrap_or(part);
        magnitude = Some(saturating(digits.as_str(), radix));
    }
    let magnitude = magnitude?;
    Some(if negative { -magnitude } else { magnitude })
}

fn saturating(digits: &str, radix: u32) -> i128 {
    digits
        .chars()
        .filter_map(|digit| digit.to_digit(radix))
        .fold(0_i128, |number, digit| {
            number
                .saturating_mul(radix.into())
                .saturating_add(digit.into())
        })
}

/// The text with decimal digits of all scripts replaced by those of ASCII.
fn ascii_digits(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    text.chars()
        .map(|character| match digit_value(character) {
            Some(value) => char::from(b'0' + value),
            None => character,
        })
        .collect::<String>()
        .into()
}

/// Unicode encodes the digits of a script in a row, zero first, and no row touches half a row.
fn digit_value(character: char) -> Option<u8> {
    let is_digit = |code| char::from_u32(code).is_some_and(pest::unicode::DECIMAL_NUMBER);
    let code = u32::from(character);
    if !is_digit(code) {
        return None;
    }
    let before = (1..=code)
        .take_while(|back| is_digit(code.wrapping_sub(*back)))
        .count();
    u8::try_from(before % 10).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booleans() {
        for (text, value) in [("true", true), ("TRUE", true), ("tRuE", true), ("1", true)] {
            assert_eq!(boolean(text), Some(value), "{text}");
        }
        for text in ["false", "False", "0"] {
            assert_eq!(boolean(text), Some(false), "{text}");
        }
        for text in ["", "yes", "2", "01", "truee", "true 1", "on"] {
            assert_eq!(boolean(text), None, "{text}");
        }
    }

    #[test]
    fn integers() {
        for (text, value) in [
            ("0", 0),
            ("5", 5),
            ("+5", 5),
            ("-5", -5),
            ("010", 10),
            ("000", 0),
            ("1_000", 1000),
            ("0_1", 1),
            ("0x1F", 31),
            ("0X1f", 31),
            ("-0x10", -16),
            ("0x_f_f", 255),
            ("0o17", 15),
            ("0O_1", 1),
            ("0b101", 5),
            ("0B1_0", 2),
            ("١", 1),
            ("٣٤", 34),
            ("𝟘𝟙𝟗", 19),
            ("𝟮", 2),
            ("１２", 12),
            ("０x１f", 31),
            ("\u{a0}7\u{3000}", 7),
        ] {
            assert_eq!(integer(text), Some(value), "{text}");
        }
        for text in [
            "", "-", "+", "1e3", "1.0", "'a'", "- 5", "1__0", "_1", "1_", "0x", "0xg", "0o8",
            "0b2", "0x1__1", "0x1_", "--5", "5 5", "½", "²", "Ⅷ", "10u", "٠x",
        ] {
            assert_eq!(integer(text), None, "{text}");
        }
        assert_eq!(integer(&"9".repeat(1000)), Some(i128::MAX));
        assert_eq!(integer(&format!("-{}", "9".repeat(1000))), Some(-i128::MAX));
    }

    #[test]
    fn counts() {
        for (text, value) in [
            ("3", 3),
            ("+3", 3),
            ("03", 3),
            ("1_0", 10),
            ("-1", -1),
            ("0", 0),
            ("٣", 3),
        ] {
            assert_eq!(count(text), Some(value), "{text}");
        }
        for text in ["", "x", "0x3", "<3", "=3", "3.0", "1 0"] {
            assert_eq!(count(text), None, "{text}");
        }
    }

    #[test]
    #[allow(clippy::float_cmp)]
    fn floats() {
        for (text, value) in [
            ("0", 0.0),
            ("1", 1.0),
            (".5", 0.5),
            ("1.", 1.0),
            ("1e5", 1e5),
            ("1E-5", 1e-5),
            ("1.5e+3", 1500.0),
            ("1_0.5", 10.5),
            ("1_0e1_0", 1e11),
            ("-2.5", -2.5),
            ("+.5e1", 5.0),
            ("01.5", 1.5),
            ("inf", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
            ("1e39", 1e39),
            ("1e999", f64::INFINITY),
            ("٣.٥", 3.5),
        ] {
            assert_eq!(float(text), Some(value), "{text}");
        }
        for text in ["nan", "NaN", "-nan", "+NAN"] {
            assert!(float(text).is_some_and(f64::is_nan), "{text}");
        }
        assert!(float("-0").is_some_and(|zero| zero == 0.0 && zero.is_sign_negative()));
        for text in [
            "", ".", "e5", "1e", "1e+", "0x1p3", "0x10", "1__0", "1_.5", "1._5", "1f", "1.0f",
            "--1", "- 1", "1,5", "infin", "nano", "1 e5",
        ] {
            assert_eq!(float(text), None, "{text}");
        }
    }
}
