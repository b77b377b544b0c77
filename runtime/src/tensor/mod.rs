//! Messages seen as tensors: `tensor_msgs/ExperimentalTensor`, `sensor_msgs/Image`, `sensor_msgs/CompressedImage` and
//! `sensor_msgs/PointCloud2`.
//!
//! A message comes in, a [`TensorView`] of its bytes goes out: type, shape and strides, and the elements where the host
//! can read them. Messages come from strangers, so every view passes one [check](Layout::validate) that no arithmetic
//! overflows; making one takes time in proportion to the rank and allocates nothing. Nothing here copies unless its name says so.
//!
//! ONNX Runtime needs no feature: its crate `ort` takes the elements where they lie, as
//! `TensorRef::from_array_view((view.shape(), view.as_slice::<f32>()?))`, and those of a device by `TensorRefMut::from_raw` with a read
//! handle's address. The example `onnx` does so.

#[cfg(feature = "ndarray")]
mod array;
mod choice;
mod cloud;
mod compressed;
#[cfg(feature = "dlpack")]
#[allow(unsafe_code)] // pointers of array libraries
mod dlpack;
mod dtype;
mod elements;
mod encoding;
mod error;
mod image;
mod message;
#[cfg(feature = "image")]
mod pixels;
mod point_layout;
mod points;
#[cfg(feature = "image")]
mod samples;
mod scalar;
mod shape;
#[cfg(all(target_os = "linux", feature = "tch", not(all(test, loom))))]
#[allow(unsafe_code)] // calls into C++, and memory that it writes
pub mod tch;
mod view;

pub use choice::{BACKEND_VARIABLE, ChoiceError, choose_backend};
pub use cloud::{
    CloudError, CloudParts, CloudView, FieldView, PointCloudMessage, PointFieldMessage,
    PointFieldParts,
};
pub use compressed::{
    CompressedFormat, CompressedImageError, CompressedImageMessage, CompressedParts, DepthCodec,
};
#[cfg(feature = "image")]
pub use compressed::{Compression, MOST_BYTES};
#[cfg(feature = "dlpack")]
pub use dlpack::{DlDevice, DlTensor, DlpackError};
pub use dtype::{DType, TypeCode};
pub use elements::{Elements, ElementsMut, Iter};
pub use encoding::{Bayer, Encoding, PixelFormat};
pub use error::TensorError;
pub use image::{ImageError, ImageMessage, ImageParts, ImageView};
pub use message::TensorMessage;
pub use point_layout::PointLayout;
pub use points::Points;
pub use scalar::TensorElement;
pub use shape::{Extent, Layout};
pub use view::TensorView;
