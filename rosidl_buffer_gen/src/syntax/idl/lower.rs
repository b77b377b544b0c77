//! From the tree of an `.idl` file to that of a message: typedefs are replaced by what they stand
//! for, annotations become comments, units and default values.

use std::collections::HashMap;

use super::{
    reader::Reader,
    tree::{
        Annotation, ConstantModule, Element, Literal, LiteralKind, Member, Parameters, Struct,
        TypeSpec, Typedef,
    },
    value,
};
use crate::{
    diagnostic::{Code, Diagnostic},
    name::{InterfaceName, Kind, is_message_name},
    source::{Span, lines},
    syntax::ast::{Array, Base, Comment, Constant, Field, Message, Name, Primitive, Type},
};

/// What ROS 2 writes into a struct that has no other member.
const PLACEHOLDER: &str = "structure_needs_at_least_one_member";

/// What ROS 2 appends to the name of a struct for the module with its constants.
const CONSTANTS_SUFFIX: &str = "_Constants";

/// A declaration of more names than this is refused: each gets a copy of the comment and the default value.
const MAX_DECLARATORS: usize = 100;

/// More typedefs than this that lead to one another are taken for a circle.
const MAX_TYPEDEFS: usize = 32;

pub(super) struct Lowering<'r, 'a> {
    pub(super) reader: Reader<'a>,
    pub(super) typedefs: &'r HashMap<String, Typedef>,
    /// That of the file.
    pub(super) kind: Kind,
}

impl<'r> Lowering<'r, '_> {
    pub(super) fn message(&mut self, part: &Struct, modules: &[ConstantModule]) -> Message {
        let mut message = Message {
            comment: self.comment(&part.annotations),
            ..Message::default()
        };
        for module in modules.iter().filter(|module| is_of(module, part)) {
            for constant in &module.constants {
                let comment = self.comment(&constant.annotations);
                let base = Base::Primitive(constant.primitive);
                let value = value::read(&mut self.reader, &base, None, &constant.value);
                message.constants.extend(value.map(|value| Constant {
                    comment,
                    primitive: constant.primitive,
                    name: copy(&constant.name),
                    value,
                }));
            }
        }
        if is_placeholder(&part.members) {
            return message;
        }
        if part.members.is_empty() && !self.reader.failed {
            self.reader.warn(
                Code::RiskyIdl,
                part.name.span.clone(),
                "ROS 2's own generators do not take a struct without members",
                &format!("they take `uint8 {PLACEHOLDER};` for none"),
            );
        }
        for member in &part.members {
            self.fields(member, &mut message.fields);
        }
        message
    }

    /// Warns about constants of no struct: ROS 2 drops them.
    pub(super) fn check_constants(&mut self, modules: &[ConstantModule], parts: &[Option<Struct>]) {
        if self.reader.failed {
            return;
        }
        for module in modules {
            if let Some(first) = module.constants.first()
                && !parts.iter().flatten().any(|part| is_of(module, part))
            {
                self.reader.warn(
                    Code::Ignored,
                    first.name.span.clone(),
                    "the constants of this module are left out, as in ROS 2",
                    "constants of a struct `Name` are in `module Name_Constants`",
                );
            }
        }
    }

    /// Adds the fields that a member declares.
    fn fields(&mut self, member: &Member, fields: &mut Vec<Field>) {
        if let Some(optional) = find(&member.annotations, "optional").next() {
            self.reader.warn(
                Code::Ignored,
                optional.span.clone(),
                "ROS 2 ignores `@optional`: the field is always there",
                "for a value that may be missing, use a sequence of at most one",
            );
        }
        let default = self.default_of(&member.annotations);
        let comment = self.comment(&member.annotations);
        if let Some(surplus) = member.declarators.get(MAX_DECLARATORS) {
            self.reader.error(surplus.name.span.clone(), || {
                let message = format!("more than {MAX_DECLARATORS} names are declared at once");
                Diagnostic::new(Code::Unsupported, message).help("divide the declaration")
            });
        }
        for declarator in member.declarators.iter().take(MAX_DECLARATORS) {
            let spec = &member.type_spec;
            let Some(resolved) = self.resolve(spec, declarator.length, &member.type_span) else {
                return;
            };
            let (element, array) = resolved;
            let Some(base) = self.base(element, &member.type_span) else {
                return;
            };
            let default = match default {
                None => None,
                Some(literal) => match value::read(&mut self.reader, &base, array, literal) {
                    None => return,
                    value => value,
                },
            };
            fields.push(Field {
                comment: comment.clone(),
                field_type: Type {
                    base,
                    array,
                    span: member.type_span.clone(),
                },
                name: copy(&declarator.name),
                default,
            });
        }
    }

    /// Replaces typedefs by what they stand for.
    fn resolve<'s>(
        &mut self,
        mut spec: &'s TypeSpec,
        mut length: Option<u64>,
        span: &Span,
    ) -> Option<(&'s Element, Option<Array>)>
    where
        'r: 's,
    {
        let mut array = None;
        for _ in 0..MAX_TYPEDEFS {
            let (element, sequence) = match spec {
                TypeSpec::Element(element) => (element, None),
                TypeSpec::Sequence { element, bound } => {
                    let sequence = bound.map_or(Array::Unbounded, Array::AtMost);
                    (element, Some(sequence))
                }
            };
            for outer in length.map(Array::Fixed).into_iter().chain(sequence) {
                if array.replace(outer).is_some() {
                    self.reader.unsupported(
                        span.clone(),
                        "arrays of arrays or sequences",
                        "put the inner one into a message of its own",
                    );
                    return None;
                }
            }
            let typedef = match element {
                Element::Named(names) if names.len() == 1 => self.typedefs.get(&names[0]),
                _ => None,
            };
            let Some(typedef) = typedef else {
                return Some((element, array));
            };
            spec = &typedef.type_spec;
            length = typedef.length;
        }
        self.reader.error(span.clone(), || {
            let message = format!("this type leads through more than {MAX_TYPEDEFS} typedefs");
            Diagnostic::new(Code::BadType, message).help("perhaps they stand for each other")
        });
        None
    }

    fn base(&mut self, element: &Element, span: &Span) -> Option<Base> {
        let names = match element {
            Element::Primitive(primitive) => return Some(Base::Primitive(*primitive)),
            Element::BoundedText { wide, bound } => {
                let (wide, bound) = (*wide, *bound);
                return Some(Base::BoundedText { wide, bound });
            }
            Element::Named(names) => names,
        };
        if let [name] = names.as_slice()
            && is_message_name(name)
        {
            self.reader.warn(
                Code::RiskyIdl,
                span.clone(),
                "ROS 2's own generators know no message without its modules",
                &format!("write `my_package::msg::{name}`"),
            );
            return Some(Base::Named {
                package: None,
                kind: self.kind,
                name: name.clone(),
            });
        }
        let found = match names.as_slice() {
            [_, _, _] => InterfaceName::parse(&names.join("/")),
            _ => None,
        };
        if found.is_none() {
            self.reader.error(span.clone(), || explain(names));
        }
        found.map(|found| Base::Named {
            package: Some(found.package().as_str().to_owned()),
            kind: found.kind(),
            name: found.name().to_owned(),
        })
    }

    /// The comment and the unit that annotations give.
    fn comment(&mut self, annotations: &[Annotation]) -> Comment {
        let mut comment = Comment::default();
        for annotation in find(annotations, "verbatim") {
            let language = parameter(annotation, "language").and_then(text);
            let text = parameter(annotation, "text").and_then(text);
            if let (Some("comment"), Some(text)) = (language, text) {
                let found = lines(text).map(|line| text[line.span].to_owned());
                comment.lines.extend(found);
            }
        }
        if let Some(unit) = self.only(annotations, "unit") {
            let value = match &unit.parameters {
                Parameters::Single(literal) => Some(literal),
                _ => parameter(unit, "value"),
            };
            comment.unit = value.and_then(text).map(str::to_owned);
        }
        comment
    }

    fn default_of<'s>(&mut self, annotations: &'s [Annotation]) -> Option<&'s Literal> {
        let annotation = self.only(annotations, "default")?;
        let value = parameter(annotation, "value");
        if value.is_none() {
            self.reader.error(annotation.span.clone(), || {
                Diagnostic::new(Code::BadValue, "ROS 2 does not find a value here")
                    .help("write `@default(value=…)`")
            });
        }
        value
    }

    /// The annotation of this name. ROS 2 ignores all if there are several, which is told.
    fn only<'s>(&mut self, annotations: &'s [Annotation], name: &str) -> Option<&'s Annotation> {
        let mut found = find(annotations, name);
        let first = found.next()?;
        if let Some(second) = found.next() {
            self.reader.error(second.span.clone(), || {
                Diagnostic::new(
                    Code::Duplicate,
                    format!("there is a `@{name}` here already"),
                )
                .help("remove one of the two")
            });
        }
        Some(first)
    }
}

fn is_of(module: &ConstantModule, part: &Struct) -> bool {
    module.name.strip_suffix(CONSTANTS_SUFFIX) == Some(part.name.text.as_str())
}

/// Whether a struct has a member only because IDL wants one.
fn is_placeholder(members: &[Member]) -> bool {
    let [member] = members else { return false };
    let [declarator] = member.declarators.as_slice() else {
        return false;
    };
    let is_uint8 = matches!(
        member.type_spec,
        TypeSpec::Element(Element::Primitive(Primitive::Uint8))
    );
    is_uint8 && declarator.name.text == PLACEHOLDER && declarator.length.is_none()
}

fn find<'s>(annotations: &'s [Annotation], name: &str) -> impl Iterator<Item = &'s Annotation> {
    annotations
        .iter()
        .filter(move |annotation| annotation.name == name)
}

fn parameter<'s>(annotation: &'s Annotation, key: &str) -> Option<&'s Literal> {
    let Parameters::Named(named) = &annotation.parameters else {
        return None;
    };
    // ROS 2 takes the last of several.
    named
        .iter()
        .rev()
        .find(|(name, _)| name == key)
        .map(|(_, value)| value)
}

fn text(literal: &Literal) -> Option<&str> {
    match &literal.kind {
        LiteralKind::Text(text) => Some(text),
        _ => None,
    }
}

fn copy(name: &Name) -> Name {
    Name {
        text: name.text.clone(),
        span: name.span.clone(),
    }
}

/// What is wrong with the name of a type.
fn explain(names: &[String]) -> Diagnostic {
    let written = names.join("::");
    let instead = match written.as_str() {
        "bool" => Some("boolean"),
        "byte" => Some("octet"),
        "int" => Some("int32"),
        "unsigned" | "uint" => Some("uint32"),
        "float32" => Some("float"),
        "float64" => Some("double"),
        "any" | "Object" => {
            return Diagnostic::new(Code::Unsupported, format!("ROS 2 has no type `{written}`"))
                .help("a field has one type, known before");
        }
        _ => None,
    };
    let help = match (instead, names) {
        (Some(instead), _) => format!("did you mean `{instead}`?"),
        (None, [package, name]) => format!("a message is named in full: `{package}::msg::{name}`"),
        _ => "a message is `package::msg::Name`, all other names need a `typedef`".to_owned(),
    };
    Diagnostic::new(Code::BadType, format!("`{written}` is not a type")).help(help)
}
