//! What interfaces mean: types resolved, values checked, names legal.
//!
//! Made by `resolve`, read by `describe` and `emit`. The words are those of ROS 2's `rosidl_parser`.

use std::{collections::BTreeMap, path::PathBuf};

use crate::name::{InterfaceName, PackageName};

/// All interfaces of a run.
#[derive(Debug, Default)]
pub(crate) struct Interfaces {
    /// What each file declares, by name.
    pub(crate) declarations: BTreeMap<InterfaceName, Declaration>,
    /// The messages, and the parts of services and actions, by name; whatever one refers to is here as
    /// well.
    pub(crate) messages: BTreeMap<InterfaceName, Message>,
    /// The names of all messages, each after those that it refers to.
    pub(crate) order: Vec<InterfaceName>,
    /// What the types are called in Rust, those that ROS 2 adds included.
    pub(crate) rust_names: BTreeMap<InterfaceName, String>,
    /// Where code for the package's interfaces is found.
    pub(crate) packages: BTreeMap<PackageName, Placement>,
    /// The files and folders that all this was read from.
    pub(crate) inputs: Vec<PathBuf>,
}

/// Where the code of a package's interfaces is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Placement {
    /// It is generated here.
    Emitted,
    /// It is in another crate, in the module of this path.
    Extern(String),
}

/// A file that declares an interface. Its name is that of the message, or the one of which the parts
/// of a service or an action have theirs.
#[derive(Debug)]
pub(crate) struct Declaration {
    /// What the file says.
    pub(crate) text: String,
    /// What ROS 2 calls the language of the file.
    pub(crate) encoding: &'static str,
}

#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) name: InterfaceName,
    pub(crate) doc: Doc,
    pub(crate) fields: Vec<Field>,
    pub(crate) constants: Vec<Constant>,
    /// Whether the struct consists of numbers only, without anything on the heap.
    pub(crate) is_plain: bool,
    /// What the struct's view is called in Rust.
    pub(crate) view: String,
    /// Paths of traits to derive beyond the usual ones.
    pub(crate) derives: Vec<String>,
    /// Attributes that the settings ask for.
    pub(crate) attributes: Vec<String>,
}

/// A comment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Doc {
    pub(crate) lines: Vec<String>,
    pub(crate) unit: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) rust_name: String,
    /// Attributes that the settings ask for.
    pub(crate) attributes: Vec<String>,
    pub(crate) doc: Doc,
    pub(crate) field_type: FieldType,
    pub(crate) storage: Storage,
    pub(crate) default: Option<Value>,
}

/// How a field's value is kept, where there is a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Storage {
    /// As the type says.
    Plain,
    /// A sequence in a buffer.
    Buffer,
    /// An array too large for the stack.
    Boxed,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FieldType {
    Single(ValueType),
    Array(ValueType, u64),
    BoundedSequence(ValueType, u64),
    UnboundedSequence(ValueType),
}

impl FieldType {
    /// The type of the field, or of its elements.
    pub(crate) fn value_type(&self) -> &ValueType {
        match self {
            Self::Single(value)
            | Self::Array(value, _)
            | Self::BoundedSequence(value, _)
            | Self::UnboundedSequence(value) => value,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ValueType {
    Basic(BasicType),
    String,
    WString,
    BoundedString(u64),
    BoundedWString(u64),
    Namespaced(InterfaceName),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BasicType {
    Boolean,
    Byte,
    Char,
    Int8,
    Uint8,
    Int16,
    Uint16,
    Int32,
    Uint32,
    Int64,
    Uint64,
    Float,
    Double,
    /// `char` of an `.idl` file; [`Char`](Self::Char) is that of `.msg` files.
    IdlChar,
    /// `wchar` of an `.idl` file.
    IdlWchar,
}

impl BasicType {
    /// The name in `.msg` files, where there is one.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Boolean => "bool",
            Self::Byte => "byte",
            Self::Char => "char",
            Self::Int8 => "int8",
            Self::Uint8 => "uint8",
            Self::Int16 => "int16",
            Self::Uint16 => "uint16",
            Self::Int32 => "int32",
            Self::Uint32 => "uint32",
            Self::Int64 => "int64",
            Self::Uint64 => "uint64",
            Self::Float => "float32",
            Self::Double => "float64",
            Self::IdlChar => "idl char",
            Self::IdlWchar => "idl wchar",
        }
    }

    /// The size of a value in bytes, in memory and in a message.
    pub(crate) const fn size(self) -> u64 {
        match self {
            Self::Boolean | Self::Byte | Self::Char | Self::Int8 | Self::Uint8 | Self::IdlChar => 1,
            Self::Int16 | Self::Uint16 | Self::IdlWchar => 2,
            Self::Int32 | Self::Uint32 | Self::Float => 4,
            Self::Int64 | Self::Uint64 | Self::Double => 8,
        }
    }

    /// The smallest and the largest value, for integers.
    pub(crate) fn range(self) -> Option<(i128, i128)> {
        Some(match self {
            Self::Byte | Self::Char | Self::Uint8 | Self::IdlChar => {
                (u8::MIN.into(), u8::MAX.into())
            }
            Self::Int8 => (i8::MIN.into(), i8::MAX.into()),
            Self::Int16 => (i16::MIN.into(), i16::MAX.into()),
            Self::Uint16 | Self::IdlWchar => (u16::MIN.into(), u16::MAX.into()),
            Self::Int32 => (i32::MIN.into(), i32::MAX.into()),
            Self::Uint32 => (u32::MIN.into(), u32::MAX.into()),
            Self::Int64 => (i64::MIN.into(), i64::MAX.into()),
            Self::Uint64 => (u64::MIN.into(), u64::MAX.into()),
            Self::Boolean | Self::Float | Self::Double => return None,
        })
    }
}

#[derive(Debug)]
pub(crate) struct Constant {
    pub(crate) name: String,
    pub(crate) doc: Doc,
    pub(crate) constant_type: ValueType,
    pub(crate) value: Value,
}

/// A value that its type can hold.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Boolean(bool),
    Integer(i128),
    Float(f64),
    String(String),
    Array(Vec<Value>),
}
