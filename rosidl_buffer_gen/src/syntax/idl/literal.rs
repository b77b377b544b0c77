//! Values and annotations, as they are written.

use pest::iterators::{Pair, Pairs};

use super::{
    grammar::Rule,
    reader::Reader,
    text,
    tree::{Annotation, Literal, LiteralKind, Parameters},
};
use crate::diagnostic::{Code, Diagnostic};

impl Reader<'_> {
    /// Takes the annotations off the front of a statement's parts.
    pub(super) fn annotations(&mut self, pairs: &mut Pairs<'_, Rule>) -> Vec<Annotation> {
        let mut annotations = Vec::new();
        while let Some(pair) = pairs
            .peek()
            .filter(|pair| pair.as_rule() == Rule::annotation)
        {
            pairs.next();
            annotations.extend(self.annotation(pair));
        }
        annotations
    }

    fn annotation(&mut self, pair: Pair<'_, Rule>) -> Option<Annotation> {
        let mut inner = pair.into_inner();
        let name = inner.next()?;
        let span = self.place(&name);
        let path: Vec<_> = name.into_inner().map(|part| part.as_str()).collect();
        let mut parameters = Parameters::None;
        for part in inner {
            match part.as_rule() {
                Rule::value => parameters = Parameters::Single(self.literal(part)?),
                Rule::parameter => {
                    let mut inner = part.into_inner();
                    let key = inner.next()?.as_str().to_owned();
                    let value = self.literal(inner.nth(1)?)?;
                    match &mut parameters {
                        Parameters::Named(named) => named.push((key, value)),
                        _ => parameters = Parameters::Named(vec![(key, value)]),
                    }
                }
                _ => {}
            }
        }
        Some(Annotation {
            name: path.join("::"),
            span,
            parameters,
        })
    }

    pub(super) fn literal(&mut self, pair: Pair<'_, Rule>) -> Option<Literal> {
        let span = self.place(&pair);
        let mut inner = pair.into_inner();
        let mut pair = inner.next()?;
        let mut sign = "";
        if pair.as_rule() == Rule::sign {
            sign = pair.as_str();
            pair = inner.next()?;
        }
        let negative = sign == "-";
        let kind = match pair.as_rule() {
            Rule::integer | Rule::hexadecimal => {
                let number = self.integer(&pair)?;
                LiteralKind::Integer(if negative { -number } else { number })
            }
            Rule::float => {
                let number = pair.as_str().trim_end_matches(['d', 'D']);
                let number: f64 = number.parse().ok()?;
                LiteralKind::Float(if negative { -number } else { number })
            }
            Rule::scoped_name => {
                let names: Vec<_> = pair.into_inner().map(|name| name.as_str()).collect();
                LiteralKind::Name(format!("{sign}{}", names.join("::")))
            }
            Rule::character => {
                self.unsupported(
                    span,
                    "character literals",
                    "write the number of the character",
                );
                return None;
            }
            _ if !sign.is_empty() => {
                self.error(span, || {
                    Diagnostic::new(Code::BadValue, "a sign belongs to a number")
                });
                return None;
            }
            Rule::boolean => LiteralKind::Boolean(pair.as_str() == "TRUE"),
            rule => LiteralKind::Text(self.strings(pair, rule == Rule::wide_strings)?),
        };
        Some(Literal { kind, span })
    }

    /// A number; one that is too large becomes the largest.
    fn integer(&mut self, pair: &Pair<'_, Rule>) -> Option<i128> {
        let text = pair.as_str();
        let (digits, radix) = if pair.as_rule() == Rule::hexadecimal {
            (&text[2..], 16)
        } else if text.len() > 1 && text.starts_with('0') {
            (text, 8)
        } else {
            (text, 10)
        };
        let place = self.place(pair);
        if radix == 8 && digits.contains(['8', '9']) {
            self.error(place, || {
                Diagnostic::new(Code::BadValue, "this is not a number")
                    .help("a number with a leading zero is octal: leave the zero out")
            });
            return None;
        }
        if radix != 10 {
            self.warn(
                Code::RiskyIdl,
                place,
                "ROS 2's own generators take decimal numbers only",
                "hexadecimal and octal numbers are understood here",
            );
        }
        let number = i128::from_str_radix(digits, radix);
        Some(number.unwrap_or(i128::MAX))
    }

    /// Literals in a row are one text.
    fn strings(&mut self, pair: Pair<'_, Rule>, wide: bool) -> Option<String> {
        let mut joined = String::new();
        for literal in pair.into_inner() {
            let written = literal.as_str();
            let inside = &written[if wide { 2 } else { 1 }..written.len() - 1];
            match text::decode(inside, wide) {
                Ok(text) => joined.push_str(&text),
                Err(reason) => {
                    let place = self.place(&literal);
                    self.error(place, || {
                        let message =
                            format!("ROS 2's own generators stop at this string: it {reason}");
                        Diagnostic::new(Code::BadValue, message)
                    });
                    return None;
                }
            }
        }
        Some(joined)
    }
}
