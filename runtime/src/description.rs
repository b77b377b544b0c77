//! A type together with all types that it refers to: their descriptions, their sources, their texts.
//!
//! The derive writes a constant [`Described`] per interface, which refers to those of the messages inside. Whatever is
//! asked of a type walks these constants; nothing is done before it is asked for.

use core::marker::PhantomData;

use rosidl_type_description::{
    Field, FieldType, IndividualTypeDescription, TypeDescription, TypeSource, type_id,
};

use crate::definition::{SEPARATOR, split};

/// An interface as constants.
pub struct Described {
    /// Full name, such as `sensor_msgs/msg/Image`.
    pub type_name: &'static str,
    /// In their order.
    pub fields: &'static [DescribedField],
    /// Where the text comes from.
    pub source: Source,
    /// In the form of a `.msg` file; `None` if it has to be put together from the fields.
    pub text: Option<&'static str>,
    /// Of the fields, in their order.
    pub mentions: Mentions,
}

/// Messages that an interface refers to: a tree, so that it can be put together from types. A reference in a constant of
/// one message would be evaluated whenever that message is compiled; those in the constants of generic types are not.
#[derive(Clone, Copy)]
pub enum Mentions {
    /// No message.
    None,
    /// That of one field; nothing if its type mentions no message.
    One(Option<&'static Described>),
    /// Those of the left, then those of the right.
    Two(&'static Mentions, &'static Mentions),
}

/// A field's type in a `MentionTree`.
pub struct Mentioned<F>(PhantomData<F>);

/// Types of fields: `()`, [`Mentioned<F>`](Mentioned), or two trees.
pub trait MentionTree {
    /// What they mention.
    const MENTIONS: Mentions;
}

impl MentionTree for () {
    const MENTIONS: Mentions = Mentions::None;
}

impl<F: crate::Field> MentionTree for Mentioned<F> {
    const MENTIONS: Mentions = Mentions::One(F::MENTION);
}

impl<L: MentionTree, R: MentionTree> MentionTree for (L, R) {
    const MENTIONS: Mentions = Mentions::Two(&L::MENTIONS, &R::MENTIONS);
}

/// A field as constants.
pub struct DescribedField {
    /// Its name in ROS.
    pub name: &'static str,
    /// Its type.
    pub field_type: fn() -> FieldType,
    /// Its default value as Python writes it.
    pub default: &'static str,
    /// Its default value as a `.msg` file has it; empty if there is none or it cannot stand there.
    pub text_default: &'static str,
}

impl DescribedField {
    /// A field without default value.
    pub const fn new(name: &'static str, field_type: fn() -> FieldType) -> Self {
        Self {
            name,
            field_type,
            default: "",
            text_default: "",
        }
    }
}

/// Where the text of an interface comes from.
#[derive(Debug, Clone, Copy)]
pub enum Source {
    /// A file.
    File {
        /// `msg`, `srv`, `action` or `idl`.
        encoding: &'static str,
        /// All of it.
        text: &'static str,
    },
    /// Part of another interface's file, or made from another interface.
    Implicit,
    /// A Rust struct: the text is made from the fields.
    Rendered,
}

impl Described {
    fn individual(&self) -> IndividualTypeDescription {
        let fields = self.fields.iter().map(|field| Field {
            name: field.name.to_owned(),
            field_type: (field.field_type)(),
            default_value: field.default.to_owned(),
        });
        let mut fields: Vec<_> = fields.collect();
        if fields.is_empty() {
            // rosidl gives such a message a member, so that C and C++ have something to hold.
            fields.push(Field {
                name: "structure_needs_at_least_one_member".to_owned(),
                field_type: <u8 as crate::Field>::field_type(),
                default_value: String::new(),
            });
        }
        IndividualTypeDescription {
            type_name: self.type_name.to_owned(),
            fields,
        }
    }

    /// The types that this one refers to, each once, in the order of first mention, depth first.
    fn mentioned(&'static self) -> Vec<&'static Self> {
        fn add(mentions: &Mentions, found: &mut Vec<&'static Described>) {
            match mentions {
                Mentions::Two(left, right) => {
                    add(left, found);
                    add(right, found);
                }
                Mentions::One(Some(mention))
                    if !found
                        .iter()
                        .any(|other| other.type_name == mention.type_name) =>
                {
                    found.push(mention);
                    add(&mention.mentions, found);
                }
                Mentions::One(_) | Mentions::None => {}
            }
        }
        let mut found = Vec::new();
        add(&self.mentions, &mut found);
        found
    }

    pub(crate) fn type_description(&'static self) -> TypeDescription {
        let referenced = self.mentioned().into_iter().map(Self::individual);
        TypeDescription::new(self.individual(), referenced)
    }

    /// The sources: the type's own first, then in the order of the description.
    pub(crate) fn type_sources(&'static self) -> Vec<TypeSource> {
        let mut mentioned = self.mentioned();
        mentioned.sort_by_key(|mentioned| mentioned.type_name);
        mentioned.insert(0, self);
        mentioned.into_iter().map(Self::type_source).collect()
    }

    fn type_source(&self) -> TypeSource {
        let (encoding, text) = match self.source {
            Source::File { encoding, text } => (encoding, text.to_owned()),
            Source::Implicit => ("implicit", String::new()),
            Source::Rendered => ("msg", self.own_text()),
        };
        TypeSource {
            type_name: self.type_name.to_owned(),
            encoding: encoding.to_owned(),
            raw_file_contents: text,
        }
    }

    /// The texts as a recording has them.
    pub(crate) fn definition(&'static self) -> String {
        let mut out = self.own_text();
        for mentioned in self.mentioned() {
            if !out.is_empty() && !out.ends_with('\n') {
                out.push('\n');
            }
            let (package, name) = split(mentioned.type_name);
            out.push_str(SEPARATOR);
            out.push_str(package);
            out.push('/');
            out.push_str(name);
            out.push('\n');
            out.push_str(&mentioned.own_text());
        }
        out
    }

    /// What was given, else the fields as a `.msg` file has them.
    fn own_text(&self) -> String {
        if let Some(text) = self.text {
            return text.to_owned();
        }
        let mut out = String::new();
        for field in self.fields {
            out.push_str(&type_text(&(field.field_type)()));
            out.push(' ');
            out.push_str(field.name);
            if !field.text_default.is_empty() {
                out.push(' ');
                out.push_str(field.text_default);
            }
            out.push('\n');
        }
        out
    }
}

/// A field that holds the type of that name.
pub(crate) fn nested_field_type(type_name: &str) -> FieldType {
    FieldType {
        type_id: type_id::NESTED_TYPE,
        nested_type_name: type_name.to_owned(),
        ..FieldType::default()
    }
}

/// `uint8`, `string<=5[<=3]`, `std_msgs/Header[]`.
fn type_text(field: &FieldType) -> String {
    let (id, offset) = type_id::split(field.type_id);
    let item = match id {
        type_id::NESTED_TYPE => {
            let (package, name) = split(&field.nested_type_name);
            format!("{package}/{name}")
        }
        type_id::BOUNDED_STRING => format!("string<={}", field.string_capacity),
        type_id::BOUNDED_WSTRING => format!("wstring<={}", field.string_capacity),
        id => primitive_text(id).to_owned(),
    };
    match offset {
        type_id::ARRAY_OFFSET => format!("{item}[{}]", field.capacity),
        type_id::BOUNDED_SEQUENCE_OFFSET => format!("{item}[<={}]", field.capacity),
        type_id::UNBOUNDED_SEQUENCE_OFFSET => format!("{item}[]"),
        _ => item,
    }
}

fn primitive_text(id: u8) -> &'static str {
    match id {
        type_id::INT8 => "int8",
        type_id::INT16 => "int16",
        // A `.msg` file has no `wchar`; on the wire it is this.
        type_id::UINT16 | type_id::WCHAR => "uint16",
        type_id::INT32 => "int32",
        type_id::UINT32 => "uint32",
        type_id::INT64 => "int64",
        type_id::UINT64 => "uint64",
        type_id::FLOAT => "float32",
        type_id::DOUBLE => "float64",
        type_id::BOOLEAN => "bool",
        type_id::BYTE => "byte",
        // IDL's `char`; that of a `.msg` file is a `uint8`, as this is on the wire.
        type_id::CHAR => "char",
        type_id::STRING => "string",
        type_id::WSTRING => "wstring",
        _ => "uint8",
    }
}
