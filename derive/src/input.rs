//! The struct and its attributes as the later steps want them: names settled, kinds known.

use proc_macro2::Span;
use syn::spanned::Spanned as _;
use syn::{Data, DeriveInput, Error, Expr, Fields, Ident, LitStr, Path, Result, Type};

use crate::attr::{self, Errors};

/// A struct that is to become a message.
pub(crate) struct Message {
    pub(crate) ident: Ident,
    pub(crate) runtime: Path,
    pub(crate) package: LitStr,
    pub(crate) kind: String,
    pub(crate) name: LitStr,
    /// The hash's attribute; `hash_bytes` reads it.
    pub(crate) hash: Option<LitStr>,
    pub(crate) fields: Vec<Field>,
    pub(crate) repr_c: bool,
    pub(crate) no_default: bool,
    pub(crate) no_serde: bool,
}

/// One field of the struct.
pub(crate) struct Field {
    pub(crate) ident: Ident,
    /// The field's name in ROS.
    pub(crate) name: String,
    pub(crate) ty: Type,
    pub(crate) text: Text,
    pub(crate) bound: Option<u32>,
    pub(crate) string_bound: Option<u32>,
    pub(crate) default: Option<Expr>,
}

/// What `byte`, `char` and `wstring` say of a field.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Text {
    AsTyped,
    Byte,
    Char,
    WString,
}

/// The ROS name behind a Rust identifier: no `r#`, and one `_` less, which stands after what Rust cannot name.
fn ros_name(ident: &Ident) -> String {
    let text = ident.to_string();
    let text = text.strip_prefix("r#").unwrap_or(&text);
    text.strip_suffix('_').unwrap_or(text).to_owned()
}

impl Message {
    pub(crate) fn from_item(item: &DeriveInput) -> Result<Self> {
        let mut errors = Errors::default();
        let attrs = attr::container(&item.attrs, &mut errors);
        if !item.generics.params.is_empty() {
            errors.push(Error::new(
                item.generics.span(),
                "a message cannot be generic: its type hash depends on its fields",
            ));
        }
        let named = match &item.data {
            Data::Struct(data) => match &data.fields {
                Fields::Named(fields) => Some(fields),
                other => {
                    let span = if other.is_empty() {
                        item.ident.span()
                    } else {
                        other.span()
                    };
                    errors.push(Error::new(
                        span,
                        "a message's fields have names; write `struct Name { … }`",
                    ));
                    None
                }
            },
            Data::Enum(_) | Data::Union(_) => {
                errors.push(Error::new(
                    item.ident.span(),
                    "only a struct can be a message; ROS 2 interfaces have no enums or unions",
                ));
                None
            }
        };
        let package = attrs.package.unwrap_or_else(|| {
            errors.push(Error::new(
                item.ident.span(),
                "a message belongs to a package; add `#[ros2(package = \"my_msgs\")]`",
            ));
            LitStr::new("", Span::call_site())
        });
        let mut fields = Vec::new();
        for field in named.into_iter().flat_map(|fields| &fields.named) {
            if let Some(ident) = &field.ident {
                fields.push(Field::new(ident, field, &mut errors));
            }
        }
        errors.finish()?;
        Ok(Self {
            name: attrs
                .name
                .unwrap_or_else(|| LitStr::new(&ros_name(&item.ident), item.ident.span())),
            kind: attrs
                .kind
                .as_ref()
                .map_or_else(|| "msg".to_owned(), LitStr::value),
            ident: item.ident.clone(),
            runtime: attrs
                .runtime
                .unwrap_or_else(|| syn::parse_quote!(::rosidl_buffer_runtime)),
            package,
            hash: attrs.hash,
            fields,
            repr_c: attrs.repr_c,
            no_default: attrs.no_default,
            no_serde: attrs.no_serde,
        })
    }

    /// `my_msgs/msg/Name`.
    pub(crate) fn type_name(&self) -> String {
        format!(
            "{}/{}/{}",
            self.package.value(),
            self.kind,
            self.name.value()
        )
    }

    /// The 32 bytes behind `RIHS01_`; `None` if the text has another form.
    pub(crate) fn hash_bytes(&self) -> Option<Vec<u8>> {
        let text = self.hash.as_ref()?.value();
        let digits = text.strip_prefix("RIHS01_")?;
        if digits.len() != 64
            || !digits
                .bytes()
                .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        {
            return None;
        }
        (0..32)
            .map(|i| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).ok())
            .collect()
    }
}

impl Field {
    fn new(ident: &Ident, field: &syn::Field, errors: &mut Errors) -> Self {
        let attrs = attr::field(&field.attrs, errors);
        let text = match (attrs.byte, attrs.char, attrs.wstring) {
            (false, false, false) => Text::AsTyped,
            (true, false, false) => Text::Byte,
            (false, true, false) => Text::Char,
            (false, false, true) => Text::WString,
            _ => {
                errors.push(Error::new(
                    field.ty.span(),
                    "a field is at most one of `byte`, `char` and `wstring`",
                ));
                Text::AsTyped
            }
        };
        // Out-of-range bounds were reported by `attr`.
        let number = |lit: Option<syn::LitInt>| lit.and_then(|lit| lit.base10_parse().ok());
        Self {
            ident: ident.clone(),
            name: ros_name(ident),
            ty: field.ty.clone(),
            text,
            bound: number(attrs.bound),
            string_bound: number(attrs.string_bound),
            default: attrs.default,
        }
    }

    /// Whether the type is spelled as a primitive, so that nothing nested can be inside.
    pub(crate) fn is_leaf(&self) -> bool {
        // No interface has such a name, whatever is in scope; `String` could be `std_msgs/msg/String`.
        const LEAVES: [&str; 11] = [
            "bool", "u8", "i8", "u16", "i16", "u32", "i32", "u64", "i64", "f32", "f64",
        ];
        matches!(&self.ty, Type::Path(path) if LEAVES.iter().any(|leaf| path.path.is_ident(leaf)))
    }
}
