//! What messages, services and actions have in common: package, name, hash, source text, and the rules for them.
//!
//! The name rules are those of `rosidl_adapter`, in a form that takes linear time.

use proc_macro2::{Literal, Span, TokenStream};
use quote::quote;
use syn::{Error, Expr, Ident, LitStr, Path};

use crate::attr::{Errors, InterfaceAttrs};

/// An interface's names and texts.
pub(crate) struct Interface {
    /// The struct that stands for it.
    pub(crate) ident: Ident,
    pub(crate) runtime: Path,
    pub(crate) package: LitStr,
    pub(crate) kind: String,
    pub(crate) name: LitStr,
    /// The hash's attribute; `hash_bytes` reads it.
    pub(crate) hash: Option<LitStr>,
    pub(crate) source: Option<Expr>,
    pub(crate) encoding: Option<LitStr>,
}

/// The ROS name behind a Rust identifier: no `r#`, and one `_` less, which stands after what Rust cannot name.
pub(crate) fn ros_name(ident: &Ident) -> String {
    let text = ident.to_string();
    let text = text.strip_prefix("r#").unwrap_or(&text);
    text.strip_suffix('_').unwrap_or(text).to_owned()
}

impl Interface {
    /// `what` is the word for it in messages: "a message".
    pub(crate) fn new(
        ident: &Ident,
        attrs: InterfaceAttrs,
        kind: String,
        what: &str,
        errors: &mut Errors,
    ) -> Self {
        let package = attrs.package.unwrap_or_else(|| {
            errors.push(Error::new(
                ident.span(),
                format!("{what} belongs to a package; add `#[ros2(package = \"my_msgs\")]`"),
            ));
            LitStr::new("", Span::call_site())
        });
        Self {
            name: attrs
                .name
                .unwrap_or_else(|| LitStr::new(&ros_name(ident), ident.span())),
            ident: ident.clone(),
            runtime: attrs
                .runtime
                .unwrap_or_else(|| syn::parse_quote!(::rosidl_buffer_runtime)),
            package,
            kind,
            hash: attrs.hash,
            source: attrs.source,
            encoding: attrs.encoding,
        }
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

    /// How the source text is written: what the attribute says, else as files of this kind are.
    pub(crate) fn encoding(&self) -> String {
        self.encoding
            .as_ref()
            .map_or_else(|| self.kind.clone(), LitStr::value)
    }

    /// The 32 bytes behind `RIHS01_`; `None` if the text has another form.
    fn hash_bytes(&self) -> Option<Vec<u8>> {
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

    /// The body of `type_hash`, and the implementation of `generated` if the hash is known.
    pub(crate) fn type_hash(
        &self,
        generated: &TokenStream,
        of: &TokenStream,
    ) -> (TokenStream, Option<TokenStream>) {
        let ident = &self.ident;
        if let (Some(bytes), Some(text)) = (self.hash_bytes(), &self.hash) {
            let bytes = Literal::byte_string(&bytes);
            let generated = quote! {
                impl __rt::#generated for #ident {
                    const TYPE_HASH: &'static str = #text;
                }
            };
            return (quote!(__rt::TypeHash::from_bytes(*#bytes)), Some(generated));
        }
        let computed = quote! {
            static __HASH: __rt::OnceLock<__rt::TypeHash> = __rt::OnceLock::new();
            *__HASH.get_or_init(|| <Self as __rt::#of>::type_description().type_hash())
        };
        (computed, None)
    }

    pub(crate) fn check(&self, errors: &mut Errors) {
        let package = self.package.value();
        if !is_lower_name(&package) {
            errors.push(Error::new(
                self.package.span(),
                format!("`{package}` is not a package name: lower-case letters, digits and single underscores, a letter first, none of them `_` at the end"),
            ));
        }
        let name = self.name.value();
        if !is_interface_name(&name) {
            errors.push(Error::new(
                self.name.span(),
                format!("`{name}` is not an interface name: letters and digits, a capital first; `#[ros2(name = \"…\")]` gives another than the struct's"),
            ));
        }
        if !matches!(self.kind.as_str(), "msg" | "srv" | "action") {
            errors.push(Error::new(
                self.ident.span(),
                format!(
                    "`{}` is no kind of interface: `msg`, `srv` or `action`",
                    self.kind
                ),
            ));
        }
        if let Some(hash) = &self.hash
            && self.hash_bytes().is_none()
        {
            errors.push(Error::new(
                hash.span(),
                "a type hash is `RIHS01_` and 64 lower-case hexadecimal digits",
            ));
        }
        if let Some(encoding) = &self.encoding {
            if !matches!(encoding.value().as_str(), "msg" | "srv" | "action" | "idl") {
                errors.push(Error::new(
                    encoding.span(),
                    "a source is written as `msg`, `srv`, `action` or `idl`",
                ));
            } else if self.source.is_none() {
                errors.push(Error::new(
                    encoding.span(),
                    "`encoding` says how `source` is written; add `source = …`",
                ));
            }
        }
    }
}

/// `[a-z]`, then letters, digits and single underscores, none at the end: packages and fields.
pub(crate) fn is_lower_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && !name.contains("__")
        && !name.ends_with('_')
}

/// `[A-Z][A-Za-z0-9]*` with the suffixes of the parts of services and actions.
fn is_interface_name(name: &str) -> bool {
    let suffixes = [
        "_Request",
        "_Response",
        "_Event",
        "_Goal",
        "_Result",
        "_Feedback",
        "_SendGoal",
        "_GetResult",
        "_FeedbackMessage",
    ];
    let mut base = name;
    while let Some(shorter) = suffixes.iter().find_map(|suffix| base.strip_suffix(suffix)) {
        base = shorter;
    }
    base.starts_with(|c: char| c.is_ascii_uppercase())
        && base.bytes().all(|b| b.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_rosidl() {
        for good in ["a", "a1", "frame_id", "x_1_y"] {
            assert!(is_lower_name(good), "{good}");
        }
        for bad in ["", "_a", "a_", "a__b", "A", "1a", "a-b", "ä"] {
            assert!(!is_lower_name(bad), "{bad}");
        }
        for good in [
            "F",
            "PointCloud2",
            "Foo_Request",
            "Foo_SendGoal_Request",
            "Foo_Event",
        ] {
            assert!(is_interface_name(good), "{good}");
        }
        for bad in ["", "f", "Foo_Bar", "_Request", "2D", "Fo-o"] {
            assert!(!is_interface_name(bad), "{bad}");
        }
    }
}
