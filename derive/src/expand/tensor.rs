//! Accessors of the messages that hold tensors, images and points, where name and fields are theirs.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{GenericArgument, PathArguments, Type};

use super::well_known::has_fields;
use crate::input::Message;

const TENSOR: [(&str, &str); 7] = [
    ("dtype_code", "u8"),
    ("dtype_bits", "u8"),
    ("dtype_lanes", "u16"),
    ("shape", "…Vec<i64>"),
    ("strides", "…Vec<i64>"),
    ("byte_offset", "u64"),
    ("data", "…Buffer<u8>"),
];

const IMAGE: [(&str, &str); 7] = [
    ("header", ""),
    ("height", "u32"),
    ("width", "u32"),
    ("encoding", "…String"),
    ("is_bigendian", "u8"),
    ("step", "u32"),
    ("data", "…Buffer<u8>"),
];

const COMPRESSED_IMAGE: [(&str, &str); 3] = [
    ("header", ""),
    ("format", "…String"),
    ("data", "…Buffer<u8>"),
];

const POINT_FIELD: [(&str, &str); 4] = [
    ("name", "…String"),
    ("offset", "u32"),
    ("datatype", "u8"),
    ("count", "u32"),
];

const CLOUD: [(&str, &str); 9] = [
    ("header", ""),
    ("height", "u32"),
    ("width", "u32"),
    ("fields", ""),
    ("is_bigendian", "bool"),
    ("point_step", "u32"),
    ("row_step", "u32"),
    ("data", "…Buffer<u8>"),
    ("is_dense", "bool"),
];

pub(super) fn expand(message: &Message) -> Option<TokenStream> {
    let ident = &message.ident;
    // The Rust names, which attributes may part from the ROS names.
    let fields: Vec<_> = message.fields.iter().map(|field| &field.ident).collect();
    match message.interface()?.type_name().as_str() {
        "tensor_msgs/msg/ExperimentalTensor" if has_fields(message, &TENSOR) => {
            let (code, bits, lanes) = (fields[0], fields[1], fields[2]);
            let (shape, strides, offset, data) = (fields[3], fields[4], fields[5], fields[6]);
            let layout = quote! {
                __rt::TensorLayout {
                    dtype: __rt::DType { code: self.#code, bits: self.#bits, lanes: self.#lanes },
                    shape: &self.#shape,
                    strides: &self.#strides,
                    byte_offset: self.#offset,
                }
            };
            Some(quote! {
                impl __rt::TensorMessage for #ident {
                    fn from_parts(
                        __dtype: __rt::DType,
                        __shape: __rt::Vec<i64>,
                        __strides: __rt::Vec<i64>,
                        __byte_offset: u64,
                        __data: __rt::Buffer<u8>,
                    ) -> Self {
                        Self {
                            #code: __dtype.code,
                            #bits: __dtype.bits,
                            #lanes: __dtype.lanes,
                            #shape: __shape,
                            #strides: __strides,
                            #offset: __byte_offset,
                            #data: __data,
                        }
                    }
                    fn parts(&self) -> (__rt::TensorLayout<'_>, &__rt::Buffer<u8>) {
                        (#layout, &self.#data)
                    }
                    fn parts_mut(&mut self) -> (__rt::TensorLayout<'_>, &mut __rt::Buffer<u8>) {
                        (#layout, &mut self.#data)
                    }
                }
            })
        }
        "sensor_msgs/msg/Image" if has_fields(message, &IMAGE) => {
            let (height, width, encoding) = (fields[1], fields[2], fields[3]);
            let (is_bigendian, step, data) = (fields[4], fields[5], fields[6]);
            Some(quote! {
                impl __rt::ImageMessage for #ident {
                    fn parts(&self) -> __rt::ImageParts<'_> {
                        __rt::ImageParts {
                            height: self.#height,
                            width: self.#width,
                            encoding: &self.#encoding,
                            is_bigendian: self.#is_bigendian != 0,
                            step: self.#step,
                            data: &self.#data,
                        }
                    }
                    fn set_parts(&mut self, __parts: __rt::ImageParts<'_>) {
                        self.#height = __parts.height;
                        self.#width = __parts.width;
                        self.#encoding = __rt::String::from(__parts.encoding);
                        self.#is_bigendian = u8::from(__parts.is_bigendian);
                        self.#step = __parts.step;
                        self.#data = __rt::Buffer::clone(__parts.data);
                    }
                }
            })
        }
        "sensor_msgs/msg/CompressedImage" if has_fields(message, &COMPRESSED_IMAGE) => {
            let (format, data) = (fields[1], fields[2]);
            Some(quote! {
                impl __rt::CompressedImageMessage for #ident {
                    fn parts(&self) -> __rt::CompressedParts<'_> {
                        __rt::CompressedParts { format: &self.#format, data: &self.#data }
                    }
                    fn set_parts(&mut self, __parts: __rt::CompressedParts<'_>) {
                        self.#format = __rt::String::from(__parts.format);
                        self.#data = __rt::Buffer::clone(__parts.data);
                    }
                }
            })
        }
        "sensor_msgs/msg/PointField" if has_fields(message, &POINT_FIELD) => {
            let (name, offset, datatype, count) = (fields[0], fields[1], fields[2], fields[3]);
            Some(quote! {
                impl __rt::PointFieldMessage for #ident {
                    fn from_parts(__parts: __rt::PointFieldParts<'_>) -> Self {
                        Self {
                            #name: __rt::String::from(__parts.name),
                            #offset: __parts.offset,
                            #datatype: __parts.datatype,
                            #count: __parts.count,
                        }
                    }
                    fn parts(&self) -> __rt::PointFieldParts<'_> {
                        __rt::PointFieldParts {
                            name: &self.#name,
                            offset: self.#offset,
                            datatype: self.#datatype,
                            count: self.#count,
                        }
                    }
                }
            })
        }
        "sensor_msgs/msg/PointCloud2" if has_fields(message, &CLOUD) => {
            let (height, width, is_bigendian) = (fields[1], fields[2], fields[4]);
            let (points, point_step, row_step, data) = (fields[3], fields[5], fields[6], fields[7]);
            let is_dense = fields[8];
            let field = item_of_vec(&message.fields[3].ty)?;
            Some(quote! {
                impl __rt::PointCloudMessage for #ident {
                    type Field = #field;
                    fn parts(&self) -> __rt::CloudParts<'_, #field> {
                        __rt::CloudParts {
                            height: self.#height,
                            width: self.#width,
                            fields: &self.#points,
                            is_bigendian: self.#is_bigendian,
                            point_step: self.#point_step,
                            row_step: self.#row_step,
                            data: &self.#data,
                        }
                    }
                    fn set_parts(
                        &mut self,
                        __parts: __rt::CloudParts<'_, #field>,
                        __is_dense: bool,
                    ) {
                        self.#height = __parts.height;
                        self.#width = __parts.width;
                        self.#points = __rt::Vec::from(__parts.fields);
                        self.#is_bigendian = __parts.is_bigendian;
                        self.#point_step = __parts.point_step;
                        self.#row_step = __parts.row_step;
                        self.#data = __rt::Buffer::clone(__parts.data);
                        self.#is_dense = __is_dense;
                    }
                }
            })
        }
        _ => None,
    }
}

/// The `T` of a `Vec<T>`, whatever path leads to it.
fn item_of_vec(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else {
        return None;
    };
    let last = path.path.segments.last()?;
    match &last.arguments {
        PathArguments::AngleBracketed(arguments) if last.ident == "Vec" => {
            match arguments.args.first()? {
                GenericArgument::Type(item) => Some(item),
                _ => None,
            }
        }
        _ => None,
    }
}
