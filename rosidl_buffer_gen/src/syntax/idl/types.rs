//! Types and declarators, as they are written.

use pest::iterators::Pair;

use super::{
    grammar::Rule,
    reader::Reader,
    tree::{Declarator, Element, LiteralKind, TypeSpec},
};
use crate::{
    diagnostic::{Code, Diagnostic},
    syntax::ast::Primitive,
};

impl Reader<'_> {
    /// The type of a field or a `typedef`; ROS 2 must know it.
    pub(super) fn type_spec(&mut self, pair: Pair<'_, Rule>) -> Option<TypeSpec> {
        if pair.as_rule() == Rule::foreign_type {
            self.foreign_type(&pair);
            return None;
        }
        let pair = pair.into_inner().next()?;
        if pair.as_rule() == Rule::element_type {
            return self.element(pair).map(TypeSpec::Element);
        }
        let mut element = None;
        let mut bound = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::element_type => element = Some(self.element(part)?),
                Rule::value => bound = Some(self.bound(part)?),
                _ => {}
            }
        }
        let element = element?;
        Some(TypeSpec::Sequence { element, bound })
    }

    fn foreign_type(&mut self, pair: &Pair<'_, Rule>) {
        let place = self.place(pair);
        let word = pair.clone().into_inner().next();
        match word.map(|word| word.as_str()) {
            Some("sequence") => self.unsupported(
                place,
                "sequences of sequences",
                "put the inner sequence into a message of its own",
            ),
            Some("map") => self.unsupported(
                place,
                "maps",
                "use a sequence of messages with a key and a value",
            ),
            Some("fixed") => self.unsupported(place, "fixed-point numbers", "use `double`"),
            _ => self.unsupported(
                place,
                "types that are declared where they are used",
                "put the type into a message of its own",
            ),
        }
    }

    fn element(&mut self, pair: Pair<'_, Rule>) -> Option<Element> {
        let pair = pair.into_inner().next()?;
        let place = self.place(&pair);
        match pair.as_rule() {
            Rule::text_type => {
                let wide = pair.as_str().starts_with('w');
                let bound = pair.into_inner().find(|part| part.as_rule() == Rule::value);
                Some(match bound {
                    Some(bound) => Element::BoundedText {
                        wide,
                        bound: self.bound(bound)?,
                    },
                    None if wide => Element::Primitive(Primitive::Wstring),
                    None => Element::Primitive(Primitive::String),
                })
            }
            Rule::basic_type => {
                let words: Vec<_> = pair.into_inner().map(|word| word.as_str()).collect();
                let name = words.join(" ");
                let primitive = basic(&name);
                if primitive.is_none() {
                    self.error(place, || {
                        let message = format!("`{name}` is not supported");
                        Diagnostic::new(Code::Unsupported, message).help("use `double`")
                    });
                }
                primitive.map(Element::Primitive)
            }
            _ => {
                let names = pair.into_inner().map(|name| name.as_str().to_owned());
                Some(Element::Named(names.collect()))
            }
        }
    }

    pub(super) fn declarator(&mut self, pair: Pair<'_, Rule>) -> Option<Declarator> {
        let mut inner = pair.into_inner();
        let name = self.name(&inner.next()?);
        let length = match inner.next() {
            Some(dimension) => Some(self.bound(dimension.into_inner().next()?)?),
            None => None,
        };
        if let Some(second) = inner.next() {
            let place = self.place(&second);
            self.unsupported(
                place,
                "arrays of several dimensions",
                "use one array, row after row, or put the inner array into a message of its own",
            );
            return None;
        }
        Some(Declarator { name, length })
    }

    /// The length of an array, or what a sequence or a string is bounded by.
    fn bound(&mut self, pair: Pair<'_, Rule>) -> Option<u64> {
        let literal = self.literal(pair)?;
        // CDR counts elements and characters in 32 bits.
        let bound = match &literal.kind {
            LiteralKind::Integer(number) => u32::try_from(*number).ok().filter(|bound| *bound > 0),
            _ => None,
        };
        if bound.is_none() {
            let help = match literal.kind {
                LiteralKind::Name(_) => "ROS 2 does not look up constants here",
                _ => "an array is `T name[3]`, the others are `sequence<T, 3>` and `string<3>`",
            };
            self.error(literal.span, || {
                let message = format!("a bound is a number from 1 to {}", u32::MAX);
                Diagnostic::new(Code::BadBound, message).help(help)
            });
        }
        bound.map(u64::from)
    }
}

fn basic(name: &str) -> Option<Primitive> {
    Some(match name {
        "boolean" => Primitive::Bool,
        "octet" => Primitive::Byte,
        "char" => Primitive::IdlChar,
        "wchar" => Primitive::IdlWchar,
        "float" => Primitive::Float32,
        "double" => Primitive::Float64,
        "int8" => Primitive::Int8,
        "uint8" => Primitive::Uint8,
        "short" | "int16" => Primitive::Int16,
        "unsigned short" | "uint16" => Primitive::Uint16,
        "long" | "int32" => Primitive::Int32,
        "unsigned long" | "uint32" => Primitive::Uint32,
        "long long" | "int64" => Primitive::Int64,
        "unsigned long long" | "uint64" => Primitive::Uint64,
        _ => return None,
    })
}
