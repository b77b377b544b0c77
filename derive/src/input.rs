//! The struct and its attributes as the later steps want them: names settled, kinds known.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens as _, quote};
use syn::spanned::Spanned as _;
use syn::{
    Attribute, Data, DeriveInput, Error, Expr, ExprLit, Fields, GenericArgument, Generics, Ident,
    Lit, Path, PathArguments, Result, Type, TypePath, Visibility,
};

pub(crate) use crate::attr::Text;

use crate::attr::{self, Errors, View};
use crate::interface::{Interface, ros_name};

/// A struct that is to become a message.
pub(crate) struct Message {
    pub(crate) ident: Ident,
    /// Only the runtime's own structs have parameters.
    pub(crate) generics: Generics,
    pub(crate) runtime: Path,
    pub(crate) identity: Identity,
    /// The text of its fields in the form of a `.msg` file.
    pub(crate) definition: Option<Expr>,
    pub(crate) vis: Visibility,
    pub(crate) fields: Vec<Field>,
    pub(crate) view: View,
    pub(crate) repr_c: bool,
    pub(crate) no_default: bool,
    pub(crate) no_serde: bool,
}

/// Where the name and the type hash come from.
pub(crate) enum Identity {
    Interface(Interface),
    /// A struct of the runtime that stands for the implicit types of every service or action: constant expressions.
    Implicit {
        type_name: Expr,
        type_hash: Expr,
    },
}

/// One field of the struct.
pub(crate) struct Field {
    pub(crate) ident: Ident,
    pub(crate) vis: Visibility,
    pub(crate) docs: Vec<Attribute>,
    /// The field's name in ROS.
    pub(crate) name: String,
    /// Where the name was given, if it was.
    pub(crate) given_name: Option<syn::LitStr>,
    pub(crate) ty: Type,
    /// Whether a parameter of the struct stands in the type.
    pub(crate) is_generic: bool,
    pub(crate) text: Text,
    pub(crate) bound: Option<u32>,
    pub(crate) string_bound: Option<u32>,
    pub(crate) default: Option<Expr>,
}

impl Message {
    pub(crate) fn from_item(item: &DeriveInput) -> Result<Self> {
        let mut errors = Errors::default();
        let attrs = attr::container(&item.attrs, &mut errors);
        let named = named_fields(item, &mut errors);
        let kind = attrs
            .kind
            .as_ref()
            .map_or_else(|| "msg".to_owned(), syn::LitStr::value);
        let identity = match (attrs.type_name, attrs.type_hash) {
            (Some(type_name), Some(type_hash)) => Identity::Implicit {
                type_name,
                type_hash,
            },
            _ => {
                if !item.generics.params.is_empty() {
                    errors.push(Error::new(
                        item.generics.span(),
                        "a message cannot be generic: its type hash depends on its fields",
                    ));
                }
                Identity::Interface(Interface::new(
                    &item.ident,
                    attrs.interface,
                    kind,
                    "a message",
                    &mut errors,
                ))
            }
        };
        let mut fields = Vec::new();
        for field in named.into_iter().flat_map(|fields| &fields.named) {
            if let Some(ident) = &field.ident {
                fields.push(Field::new(ident, field, &item.generics, &mut errors));
            }
        }
        errors.finish()?;
        Ok(Self {
            ident: item.ident.clone(),
            vis: item.vis.clone(),
            generics: item.generics.clone(),
            runtime: match &identity {
                Identity::Interface(interface) => interface.runtime.clone(),
                Identity::Implicit { .. } => syn::parse_quote!(::rosidl_buffer_runtime),
            },
            identity,
            definition: attrs.definition,
            fields,
            view: attrs.view,
            repr_c: attrs.repr_c,
            no_default: attrs.no_default,
            no_serde: attrs.no_serde,
        })
    }

    pub(crate) fn interface(&self) -> Option<&Interface> {
        match &self.identity {
            Identity::Interface(interface) => Some(interface),
            Identity::Implicit { .. } => None,
        }
    }

    /// The interface's name; that of the struct for the runtime's own.
    pub(crate) fn name(&self) -> String {
        self.interface().map_or_else(
            || self.ident.to_string(),
            |interface| interface.name.value(),
        )
    }

    pub(crate) fn is_generic(&self) -> bool {
        !self.generics.params.is_empty()
    }

    /// `impl<…> Trait for Name<…> where …`; each of `bounds` holds for the fields that depend on a parameter.
    pub(crate) fn implement(&self, of: &TokenStream, bounds: &[TokenStream]) -> TokenStream {
        self.implement_with(None, of, bounds)
    }

    /// As `implement`, with a lifetime of the trait's.
    pub(crate) fn implement_with(
        &self,
        lifetime: Option<syn::LifetimeParam>,
        of: &TokenStream,
        bounds: &[TokenStream],
    ) -> TokenStream {
        let mut generics = self.generics.clone();
        if !bounds.is_empty() {
            let place = generics.make_where_clause();
            for Field { ty, .. } in self.fields.iter().filter(|field| field.is_generic) {
                place.predicates.push(syn::parse_quote!(#ty: #(#bounds)+*));
            }
        }
        if let Some(lifetime) = lifetime {
            generics
                .params
                .insert(0, syn::GenericParam::Lifetime(lifetime));
        }
        let (params, _, place) = generics.split_for_impl();
        let (_, arguments, _) = self.generics.split_for_impl();
        let ident = &self.ident;
        quote!(impl #params #of for #ident #arguments #place)
    }
}

fn named_fields<'a>(item: &'a DeriveInput, errors: &mut Errors) -> Option<&'a syn::FieldsNamed> {
    match &item.data {
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
    }
}

/// No interface has such a name, whatever is in scope; `String` could be `std_msgs/msg/String`.
const LEAVES: [&str; 11] = [
    "bool", "u8", "i8", "u16", "i16", "u32", "i32", "u64", "i64", "f32", "f64",
];

/// Whether one of the parameters stands in the type.
fn mentions(tokens: TokenStream, generics: &Generics) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => generics
            .type_params()
            .any(|parameter| parameter.ident == ident),
        TokenTree::Group(group) => mentions(group.stream(), generics),
        _ => false,
    })
}

impl Field {
    fn new(ident: &Ident, field: &syn::Field, generics: &Generics, errors: &mut Errors) -> Self {
        let attrs = attr::field(&field.attrs, errors);
        if attrs.texts.len() > 1 {
            errors.push(Error::new(
                field.ty.span(),
                "a field is at most one of `byte`, `char`, `idl_char`, `wchar` and `wstring`",
            ));
        }
        // Out-of-range bounds were reported by `attr`.
        let number = |lit: Option<syn::LitInt>| lit.and_then(|lit| lit.base10_parse().ok());
        Self {
            ident: ident.clone(),
            vis: field.vis.clone(),
            docs: field
                .attrs
                .iter()
                .filter(|attribute| attribute.path().is_ident("doc"))
                .cloned()
                .collect(),
            name: attrs
                .name
                .as_ref()
                .map_or_else(|| ros_name(ident), syn::LitStr::value),
            given_name: attrs.name,
            ty: field.ty.clone(),
            is_generic: mentions(field.ty.to_token_stream(), generics),
            text: attrs.texts.first().copied().unwrap_or(Text::AsTyped),
            bound: number(attrs.bound),
            string_bound: number(attrs.string_bound),
            default: attrs.default,
        }
    }

    /// Whether the type is spelled as a primitive, so that nothing nested can be inside.
    pub(crate) fn is_leaf(&self) -> bool {
        matches!(&self.ty, Type::Path(path) if LEAVES.iter().any(|leaf| path.path.is_ident(leaf)))
    }

    /// Whether the attributes say that the field, if it is a buffer, is none in ROS 2: there only `uint8[]` without a bound
    /// is one.
    pub(crate) fn is_ordinary_buffer(&self) -> bool {
        let is_uint8 = matches!(self.text, Text::AsTyped | Text::Char);
        !self.is_closed() && (self.bound.is_some() || !is_uint8)
    }

    /// Whether the type is spelled so that no message, no buffer and no mistake can be inside, as generated code spells it:
    /// primitives and strings, and arrays and sequences of them.
    pub(crate) fn is_closed(&self) -> bool {
        match &self.ty {
            Type::Array(array) => {
                let fits = matches!(&array.len, Expr::Lit(len) if matches!(&len.lit, Lit::Int(len) if len.base10_digits() != "0"));
                fits && is_scalar(&array.elem)
            }
            Type::Path(path) if is_absolute(path, &["std", "vec", "Vec"]) => {
                matches!(arguments(path)[..], [GenericArgument::Type(item)] if is_scalar(item))
            }
            Type::Path(path)
                if is_absolute(path, &["rosidl_buffer_runtime", "BoundedSequence"]) =>
            {
                matches!(arguments(path)[..], [GenericArgument::Type(item), GenericArgument::Const(bound)] if is_scalar(item) && is_bound(bound))
            }
            other => is_scalar(other),
        }
    }
}

fn is_scalar(ty: &Type) -> bool {
    let Type::Path(path) = ty else {
        return false;
    };
    LEAVES.iter().any(|leaf| path.path.is_ident(leaf))
        || is_absolute(path, &["std", "string", "String"])
        || is_absolute(path, &["rosidl_buffer_runtime", "WString"])
        || ["BoundedString", "BoundedWString"]
            .iter()
            .any(|name| is_absolute(path, &["rosidl_buffer_runtime", name]))
            && matches!(arguments(path)[..], [GenericArgument::Const(bound)] if is_bound(bound))
}

/// What stands in `<…>` at the end of the path.
fn arguments(path: &TypePath) -> Vec<&GenericArgument> {
    match path.path.segments.last().map(|part| &part.arguments) {
        Some(PathArguments::AngleBracketed(arguments)) => arguments.args.iter().collect(),
        _ => Vec::new(),
    }
}

/// Whether it is a literal that is surely within the limits.
fn is_bound(bound: &Expr) -> bool {
    matches!(bound, Expr::Lit(ExprLit { lit: Lit::Int(bound), .. }) if matches!(bound.base10_parse::<u32>(), Ok(1..)))
}

/// Whether the path is `::` and these names: any other may lead to a message.
fn is_absolute(path: &TypePath, names: &[&str]) -> bool {
    path.qself.is_none()
        && path.path.leading_colon.is_some()
        && path.path.segments.len() == names.len()
        && path
            .path
            .segments
            .iter()
            .zip(names)
            .all(|(part, name)| part.ident == name)
}
