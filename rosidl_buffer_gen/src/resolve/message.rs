//! One message: its types looked up, its names and values checked.

use std::collections::HashMap;

use super::{unknown, value};
use crate::{
    diagnostic::{Code, Diagnostic, Diagnostics},
    load::Loaded,
    model::{BasicType, Constant, Doc, Field, FieldType, Message, Storage, ValueType},
    name::{InterfaceName, PackageName, rust_name},
    source::{Source, Span},
    syntax::ast::{self, Array, Base, Primitive},
};

/// A message that another refers to, and where.
pub(super) struct Reference {
    pub(super) target: InterfaceName,
    pub(super) span: Span,
}

pub(super) struct Resolver<'a> {
    pub(super) loaded: &'a Loaded,
    pub(super) name: &'a InterfaceName,
    pub(super) source: &'a Source,
    pub(super) diagnostics: &'a mut Diagnostics,
}

impl Resolver<'_> {
    pub(super) fn resolve(mut self, tree: &ast::Message) -> (Message, Vec<Reference>) {
        self.check_unique("field", tree.fields.iter().map(|field| &field.name));
        self.check_unique(
            "constant",
            tree.constants.iter().map(|constant| &constant.name),
        );
        let mut references = Vec::new();
        let fields = tree
            .fields
            .iter()
            .filter_map(|field| self.field(field, &mut references))
            .collect();
        let constants = tree
            .constants
            .iter()
            .filter_map(|constant| self.constant(constant))
            .collect();
        let message = Message {
            name: self.name.clone(),
            doc: doc(&tree.comment),
            fields,
            constants,
            is_plain: false,
            view: String::new(),
            derives: Vec::new(),
            attributes: Vec::new(),
        };
        (message, references)
    }

    fn check_unique<'n>(&mut self, what: &str, names: impl Iterator<Item = &'n ast::Name>) {
        let mut first = HashMap::new();
        for name in names {
            if let Some(earlier) = first.insert(&name.text, &name.span) {
                let (line, _) = self.source.line_of(earlier.start);
                self.diagnostics.push_with(self.source, || {
                    Diagnostic::new(
                        Code::Duplicate,
                        format!("there is already a {what} called `{}`", name.text),
                    )
                    .at(self.source, name.span.clone(), "")
                    .help(format!("it is in line {}", line + 1))
                });
            }
        }
    }

    fn field(&mut self, field: &ast::Field, references: &mut Vec<Reference>) -> Option<Field> {
        let value_type = self.value_type(&field.field_type)?;
        if let ValueType::Namespaced(target) = &value_type {
            references.push(Reference {
                target: target.clone(),
                span: field.field_type.span.clone(),
            });
        }
        let field_type = match field.field_type.array {
            None => FieldType::Single(value_type),
            Some(Array::Fixed(length)) => FieldType::Array(value_type, length),
            Some(Array::AtMost(bound)) => FieldType::BoundedSequence(value_type, bound),
            Some(Array::Unbounded) => match value_type {
                ValueType::BoundedWString(bound) => {
                    self.warn_about_bound(bound, &field.field_type.span);
                    FieldType::BoundedSequence(value_type, bound)
                }
                _ => FieldType::UnboundedSequence(value_type),
            },
        };
        let default = match &field.default {
            Some(default) => {
                let mut checker = value::Checker {
                    source: self.source,
                    diagnostics: self.diagnostics,
                };
                Some(checker.field(default, &field_type)?)
            }
            None => None,
        };
        Some(Field {
            name: field.name.text.clone(),
            rust_name: rust_name(&field.name.text),
            attributes: Vec::new(),
            doc: doc(&field.comment),
            field_type,
            storage: Storage::Plain,
            default,
        })
    }

    /// `rosidl_parser` takes the bound of the strings for one of the sequence as well (`get_abstract_type`
    /// sees to it for `string`, but not for `wstring`). It is part of the type and of its hash.
    fn warn_about_bound(&mut self, bound: u64, span: &Span) {
        let message = format!("to ROS 2 this is a sequence of at most {bound} strings");
        self.diagnostics.push(
            Diagnostic::new(Code::RiskyType, message)
                .at(self.source, span.clone(), "so it is here")
                .help(format!(
                    "write `wstring<={bound}[<={bound}]`, or another bound"
                )),
        );
    }

    fn constant(&mut self, constant: &ast::Constant) -> Option<Constant> {
        let constant_type = primitive(constant.primitive);
        let mut checker = value::Checker {
            source: self.source,
            diagnostics: self.diagnostics,
        };
        Some(Constant {
            name: constant.name.text.clone(),
            doc: doc(&constant.comment),
            value: checker.single(&constant.value, &constant_type)?,
            constant_type,
        })
    }

    fn value_type(&mut self, written: &ast::Type) -> Option<ValueType> {
        match &written.base {
            Base::Primitive(found) => Some(primitive(*found)),
            Base::BoundedText { wide: false, bound } => Some(ValueType::BoundedString(*bound)),
            Base::BoundedText { wide: true, bound } => Some(ValueType::BoundedWString(*bound)),
            Base::Named {
                package,
                kind,
                name,
            } => {
                let package = match package {
                    Some(package) => PackageName::new(package)?,
                    None => self.name.package().clone(),
                };
                let target = InterfaceName::new(package, *kind, name)?;
                if self.loaded.messages.contains_key(&target) {
                    return Some(ValueType::Namespaced(target));
                }
                self.diagnostics.push_with(self.source, || {
                    let diagnostic = unknown::unknown(self.loaded, Some(self.name), &target);
                    diagnostic.at(self.source, written.span.clone(), "")
                });
                None
            }
        }
    }
}

fn doc(comment: &ast::Comment) -> Doc {
    Doc {
        lines: comment.lines.clone(),
        unit: comment.unit.clone(),
    }
}

fn primitive(primitive: Primitive) -> ValueType {
    ValueType::Basic(match primitive {
        Primitive::Bool => BasicType::Boolean,
        Primitive::Byte => BasicType::Byte,
        Primitive::Char => BasicType::Char,
        Primitive::Float32 => BasicType::Float,
        Primitive::Float64 => BasicType::Double,
        Primitive::Int8 => BasicType::Int8,
        Primitive::Uint8 => BasicType::Uint8,
        Primitive::Int16 => BasicType::Int16,
        Primitive::Uint16 => BasicType::Uint16,
        Primitive::Int32 => BasicType::Int32,
        Primitive::Uint32 => BasicType::Uint32,
        Primitive::Int64 => BasicType::Int64,
        Primitive::Uint64 => BasicType::Uint64,
        Primitive::String => return ValueType::String,
        Primitive::IdlChar => BasicType::IdlChar,
        Primitive::IdlWchar => BasicType::IdlWchar,
        Primitive::Wstring => return ValueType::WString,
    })
}
