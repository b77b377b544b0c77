//! Little-endian CDR to big-endian CDR, told by a type description alone: a second reading of the format, for tests.

use rosidl_buffer_runtime::type_description::{
    FieldType, IndividualTypeDescription, TypeDescription, type_id,
};

struct Turner<'a> {
    types: Vec<&'a IndividualTypeDescription>,
    body: Vec<u8>,
    at: usize,
}

impl Turner<'_> {
    /// Turns the number of `size` bytes at the next multiple of `size`, and returns it.
    fn number(&mut self, size: usize) -> u32 {
        self.at = self.at.next_multiple_of(size);
        let bytes = &mut self.body[self.at..self.at + size];
        let value = bytes
            .iter()
            .take(4)
            .rev()
            .fold(0, |value, byte| value << 8 | u32::from(*byte));
        bytes.reverse();
        self.at += size;
        value
    }

    fn skip(&mut self, size: usize) {
        self.number(size);
    }

    fn value(&mut self, field: &FieldType) {
        let offset = (field.type_id - 1) / 48 * 48;
        let base = field.type_id - offset;
        let count = match offset {
            0 => 1,
            type_id::ARRAY_OFFSET => u32::try_from(field.capacity).unwrap_or(u32::MAX),
            _ => self.number(4),
        };
        for _ in 0..count {
            match base {
                type_id::NESTED_TYPE => self.message(&field.nested_type_name),
                type_id::STRING | type_id::BOUNDED_STRING => {
                    let len = self.number(4) as usize;
                    self.at += len;
                }
                type_id::WSTRING | type_id::BOUNDED_WSTRING => {
                    let units = self.number(4);
                    (0..units).for_each(|_| self.skip(4));
                }
                type_id::INT16 | type_id::UINT16 => self.skip(2),
                type_id::INT32 | type_id::UINT32 | type_id::FLOAT => self.skip(4),
                type_id::INT64 | type_id::UINT64 | type_id::DOUBLE => self.skip(8),
                _ => self.at += 1,
            }
        }
    }

    fn message(&mut self, name: &str) {
        let description = self.types.iter().find(|ty| ty.type_name == name);
        for field in description.map(|ty| ty.fields.clone()).unwrap_or_default() {
            self.value(&field.field_type);
        }
    }
}

/// The same value as `bytes`, in big-endian CDR.
///
/// # Panics
/// When `bytes` are no little-endian encoding of the type.
pub fn turn(description: &TypeDescription, bytes: &[u8]) -> Vec<u8> {
    let top = &description.type_description;
    let types = description
        .referenced_type_descriptions
        .iter()
        .chain([top])
        .collect();
    let mut turner = Turner {
        types,
        body: bytes[4..].to_vec(),
        at: 0,
    };
    turner.message(&top.type_name);
    [vec![0, 0, 0, 0], turner.body].concat()
}
