//! Second pass: one piece of the file is taken apart by the grammar.
//!
//! A piece goes in, a part of the file's tree comes out; one that is not as it should be is told and
//! left out, and the next is read all the same.

use pest::iterators::Pair;

use super::{
    grammar::Rule,
    reader::Reader,
    tree::{Annotation, Constant, Declarator, Element, Member, TypeSpec, Typedef},
};
use crate::{
    diagnostic::{Code, Diagnostic},
    source::Span,
    syntax::ast::{Name, Primitive},
};

/// What a block is.
pub(super) enum Head {
    Module(String),
    Struct(Name, Vec<Annotation>),
    /// Told already: what is inside is not looked at.
    Foreign,
}

/// What may be outside of structs.
pub(super) enum Declaration {
    Constant(Constant),
    Typedef(Name, Typedef),
    /// `struct Name;` promises a struct and means nothing to ROS 2.
    Forward,
}

impl<'a> Reader<'a> {
    /// What stands before a `{`.
    pub(super) fn head(&mut self, span: &Span) -> Head {
        let Some((annotations, pair)) = self.statement(Rule::head, span) else {
            return Head::Foreign;
        };
        let rule = pair.as_rule();
        if rule == Rule::foreign {
            self.foreign(&pair);
            return Head::Foreign;
        }
        let mut inner = pair.into_inner();
        let Some(name) = inner.nth(1) else {
            return Head::Foreign;
        };
        if rule == Rule::module_head {
            return Head::Module(name.as_str().to_owned());
        }
        if let Some(base) = inner.next() {
            let place = self.place(&base);
            self.unsupported(
                place,
                "structs that extend others",
                "make the other message a field of this one",
            );
        }
        Head::Struct(self.name(&name), annotations)
    }

    /// What ends in a `;` outside of structs.
    pub(super) fn declaration(&mut self, span: &Span) -> Option<Declaration> {
        let (annotations, pair) = self.statement(Rule::declaration, span)?;
        match pair.as_rule() {
            Rule::constant => self.constant(annotations, pair).map(Declaration::Constant),
            Rule::typedef => {
                if let Some(annotation) = annotations.first() {
                    let place = annotation.span.clone();
                    self.unsupported(
                        place,
                        "annotations of a `typedef`",
                        "annotate the fields that use it",
                    );
                }
                self.typedef(pair)
            }
            Rule::forward => Some(Declaration::Forward),
            _ => {
                self.foreign(&pair);
                None
            }
        }
    }

    /// What ends in a `;` inside of a struct.
    pub(super) fn member(&mut self, span: &Span) -> Option<Member> {
        let mut pairs = self.parse(Rule::member, span)?;
        let annotations = self.annotations(&mut pairs);
        let type_pair = pairs.next()?;
        let type_span = self.place(&type_pair);
        let type_spec = self.type_spec(type_pair)?;
        let mut declarators: Vec<Declarator> = Vec::new();
        for pair in pairs.filter(|pair| pair.as_rule() == Rule::declarator) {
            self.rust_safe_name(&pair.clone().into_inner().next()?)?;
            let declarator = self.declarator(pair)?;
            if declarators.last().is_some_and(|last| last.length.is_some()) {
                self.error(declarator.name.span, || {
                    let message = "ROS 2 makes every name behind an array an array as well";
                    Diagnostic::new(Code::Unsupported, message)
                        .help("give this name a declaration of its own")
                });
                return None;
            }
            declarators.push(declarator);
        }
        Some(Member {
            annotations,
            type_spec,
            type_span,
            declarators,
        })
    }

    /// The annotations of a piece, and what they are for.
    fn statement(&mut self, rule: Rule, span: &Span) -> Option<(Vec<Annotation>, Pair<'a, Rule>)> {
        let mut pairs = self.parse(rule, span)?;
        let annotations = self.annotations(&mut pairs);
        Some((annotations, pairs.next()?))
    }

    fn constant(&mut self, annotations: Vec<Annotation>, pair: Pair<'_, Rule>) -> Option<Constant> {
        let mut inner = pair.into_inner().skip(1);
        let type_pair = inner.next()?;
        let type_place = self.place(&type_pair);
        let primitive = match self.type_spec(type_pair)? {
            TypeSpec::Element(Element::Primitive(primitive)) => primitive,
            // ROS 2 does not look at the bound either.
            TypeSpec::Element(Element::BoundedText { wide: false, .. }) => Primitive::String,
            TypeSpec::Element(Element::BoundedText { wide: true, .. }) => Primitive::Wstring,
            _ => {
                self.error(type_place, || {
                    Diagnostic::new(Code::BadType, "a constant cannot have this type")
                        .help("constants are numbers, booleans or strings")
                });
                return None;
            }
        };
        let name = self.rust_safe_name(&inner.next()?)?;
        let value = self.literal(inner.nth(1)?)?;
        Some(Constant {
            annotations,
            primitive,
            name,
            value,
        })
    }

    fn typedef(&mut self, pair: Pair<'_, Rule>) -> Option<Declaration> {
        let mut inner = pair.into_inner().skip(1);
        let type_spec = self.type_spec(inner.next()?)?;
        let Declarator { name, length } = self.declarator(inner.next()?)?;
        if let Some(comma) = inner.next() {
            let place = self.place(&comma);
            self.unsupported(
                place,
                "`typedef` of several names",
                "give each name a `typedef` of its own",
            );
        }
        Some(Declaration::Typedef(name, Typedef { type_spec, length }))
    }

    fn foreign(&mut self, pair: &Pair<'_, Rule>) {
        let Some(word) = pair.clone().into_inner().next() else {
            return;
        };
        let place = self.place(&word);
        let (what, help) = match word.as_str() {
            "enum" | "bitmask" => (
                "enumerations",
                "use an integer field, and constants for its values",
            ),
            "union" => (
                "unions",
                "use a field for each case and one that tells which it is",
            ),
            "typedef" => (
                "`typedef` of a block",
                "put the struct into a file of its own",
            ),
            "bitset" => ("bit sets", "use an integer field"),
            _ => (
                "such declarations in an .idl file",
                "a file declares structs",
            ),
        };
        self.unsupported(place, what, help);
    }
}
