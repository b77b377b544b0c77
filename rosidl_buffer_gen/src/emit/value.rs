//! Values as Rust expressions that are constant.

use proc_macro2::{Literal, Span, TokenStream};
use quote::quote;

use crate::model::{BasicType, Value, ValueType};

pub(super) fn emit(value: &Value, value_type: &ValueType) -> TokenStream {
    match value {
        Value::Boolean(truth) => quote!(#truth),
        Value::Integer(number) => {
            let literal = Literal::u128_unsuffixed(number.unsigned_abs());
            signed(*number < 0, quote!(#literal))
        }
        Value::Float(number) => {
            let single = *value_type == ValueType::Basic(BasicType::Float);
            signed(
                number.is_sign_negative() && !number.is_nan(),
                magnitude(number.abs(), single),
            )
        }
        Value::String(text) => quote!(#text),
        Value::Array(items) => {
            let items = items.iter().map(|item| emit(item, value_type));
            quote!([#(#items),*])
        }
    }
}

fn signed(negative: bool, magnitude: TokenStream) -> TokenStream {
    if negative {
        quote!(-#magnitude)
    } else {
        magnitude
    }
}

fn magnitude(number: f64, single: bool) -> TokenStream {
    let of_type = if single {
        quote!(::core::primitive::f32)
    } else {
        quote!(::core::primitive::f64)
    };
    #[allow(clippy::cast_possible_truncation)]
    let infinite = if single {
        (number as f32).is_infinite()
    } else {
        number.is_infinite()
    };
    if number.is_nan() {
        quote!(#of_type::NAN)
    } else if infinite {
        quote!(#of_type::INFINITY)
    } else {
        let ordinary = number == 0.0 || (1e-5..1e16).contains(&number);
        let text = if ordinary {
            format!("{number:?}")
        } else {
            format!("{number:e}")
        };
        let literal = syn::LitFloat::new(&text, Span::call_site());
        quote!(#literal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn float(number: f64, basic: BasicType) -> String {
        emit(&Value::Float(number), &ValueType::Basic(basic))
            .to_string()
            .replace(' ', "")
    }

    #[test]
    fn floats() {
        for (number, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (-2.5, "-2.5"),
            (1e-7, "1e-7"),
            (1e300, "1e300"),
            (1e39, "1e39"),
            (1.5e20, "1.5e20"),
            (123_456.789, "123456.789"),
            (f64::NAN, "::core::primitive::f64::NAN"),
            (-f64::NAN, "::core::primitive::f64::NAN"),
            (f64::NEG_INFINITY, "-::core::primitive::f64::INFINITY"),
        ] {
            assert_eq!(float(number, BasicType::Double), text);
        }
        assert_eq!(
            float(-1e39, BasicType::Float),
            "-::core::primitive::f32::INFINITY"
        );
        assert_eq!(float(1e38, BasicType::Float), "1e38");
    }

    #[test]
    fn integers_at_the_edges() {
        let integer =
            |number| emit(&Value::Integer(number), &ValueType::Basic(BasicType::Int64)).to_string();
        assert_eq!(
            integer(i64::MIN.into()).replace(' ', ""),
            "-9223372036854775808"
        );
        assert_eq!(integer(u64::MAX.into()), "18446744073709551615");
    }
}
