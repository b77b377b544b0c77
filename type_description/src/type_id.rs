//! The numbers by which a type description names field types.
//!
//! A scalar has one of the plain ids; an array or a sequence of it adds one of the offsets.
//! They are the constants of `type_description_interfaces/msg/FieldType`.

/// Another message, named by `nested_type_name`.
pub const NESTED_TYPE: u8 = 1;
/// `int8`.
pub const INT8: u8 = 2;
/// `uint8`, and `char` of a `.msg` file.
pub const UINT8: u8 = 3;
/// `int16`.
pub const INT16: u8 = 4;
/// `uint16`.
pub const UINT16: u8 = 5;
/// `int32`.
pub const INT32: u8 = 6;
/// `uint32`.
pub const UINT32: u8 = 7;
/// `int64`.
pub const INT64: u8 = 8;
/// `uint64`.
pub const UINT64: u8 = 9;
/// `float32`.
pub const FLOAT: u8 = 10;
/// `float64`.
pub const DOUBLE: u8 = 11;
/// `long double`, from IDL only.
pub const LONG_DOUBLE: u8 = 12;
/// IDL's `char`; never a `.msg` file's, which is [`UINT8`].
pub const CHAR: u8 = 13;
/// IDL's `wchar`.
pub const WCHAR: u8 = 14;
/// `bool`.
pub const BOOLEAN: u8 = 15;
/// `byte`, IDL's `octet`.
pub const BYTE: u8 = 16;
/// `string` without a bound.
pub const STRING: u8 = 17;
/// `wstring` without a bound.
pub const WSTRING: u8 = 18;
/// A string of fixed length; no front end makes one.
pub const FIXED_STRING: u8 = 19;
/// A wide string of fixed length; no front end makes one.
pub const FIXED_WSTRING: u8 = 20;
/// `string<=N`.
pub const BOUNDED_STRING: u8 = 21;
/// `wstring<=N`.
pub const BOUNDED_WSTRING: u8 = 22;

/// Added to a scalar's id for `T[N]`.
pub const ARRAY_OFFSET: u8 = 48;
/// Added to a scalar's id for `T[<=N]`.
pub const BOUNDED_SEQUENCE_OFFSET: u8 = 96;
/// Added to a scalar's id for `T[]`.
pub const UNBOUNDED_SEQUENCE_OFFSET: u8 = 144;

/// The id of the scalar, and the offset that makes an array or a sequence of it; 0 if it is none.
pub const fn split(id: u8) -> (u8, u8) {
    let offset = id.saturating_sub(1) / ARRAY_OFFSET * ARRAY_OFFSET;
    (id - offset, offset)
}
