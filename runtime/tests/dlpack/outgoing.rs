//! Tensors of messages, as a library in C sees them.

use std::ptr::NonNull;
use std::sync::Arc;

use bytes::Bytes;
use rosidl_buffer_runtime::Buffer;
use rosidl_buffer_runtime::tensor::{
    DType, DlDevice, DlTensor, DlpackError, ImageParts, ImageView, Layout, TensorError,
    TensorMessage as _, TensorView, TypeCode,
};

use crate::capsule::{Legacy, PADDED, READ_ONLY, Tensor as Inner, Versioned};
use crate::messages::Tensor;

/// All types whose elements are whole bytes, and those of fewer bits.
fn dtypes() -> Vec<DType> {
    let mut all = Vec::new();
    for code in [TypeCode::Int, TypeCode::UInt] {
        all.extend([8, 16, 32, 64].map(|bits| DType::scalar(code, bits)));
    }
    all.extend([16, 32, 64].map(|bits| DType::scalar(TypeCode::Float, bits)));
    all.extend([64, 128].map(|bits| DType::scalar(TypeCode::Complex, bits)));
    all.extend([
        DType::BF16,
        DType::BOOL,
        DType::scalar(TypeCode::OpaqueHandle, 64),
    ]);
    for code in 7..=17 {
        let code = TypeCode::from_number(code).unwrap();
        let bits = match code {
            TypeCode::Float6E2M3Fn | TypeCode::Float6E3M2Fn => 6,
            TypeCode::Float4E2M1Fn => 4,
            _ => 8,
        };
        all.push(DType::scalar(code, bits));
    }
    all.push(DType {
        lanes: 4,
        ..DType::F32
    });
    all.push(DType {
        lanes: 2,
        ..DType::scalar(TypeCode::Float4E2M1Fn, 4)
    });
    all
}

/// The same bytes in each memory that the host reads.
fn places(bytes: &[u8]) -> Vec<Buffer<u8>> {
    let mut places = vec![
        Buffer::from(bytes.to_vec()),
        Buffer::from(Bytes::copy_from_slice(bytes)),
        Buffer::from_owner(bytes.to_vec(), drop),
    ];
    #[cfg(all(target_os = "linux", not(miri)))]
    {
        let shm = rosidl_buffer_runtime::shm::ShmBackend::new().unwrap();
        places.push(shm.to_buffer(bytes).unwrap());
    }
    places
}

/// A vector of bytes that is aligned for numbers, as those of most allocators are.
fn zeros(len: usize) -> Buffer<u8> {
    let mut others = Vec::new();
    loop {
        let bytes = vec![0_u8; len];
        if bytes.as_ptr().addr().is_multiple_of(8) {
            return bytes.into();
        }
        others.push(bytes); // so that the next one is elsewhere
    }
}

/// A tensor as a library has it: the pointer, and what it says.
fn given(tensor: DlTensor) -> (NonNull<Versioned>, Said) {
    let tensor = tensor.into_raw().cast::<Versioned>();
    // SAFETY: of `into_raw`, not deleted yet.
    let said = unsafe { tensor.as_ref() };
    let Versioned {
        major,
        minor,
        flags,
        tensor: inner,
        ..
    } = *said;
    (
        tensor,
        Said {
            version: (major, minor),
            flags,
            inner,
        },
    )
}

struct Said {
    version: (u32, u32),
    flags: u64,
    inner: Inner,
}

fn delete(tensor: NonNull<Versioned>) {
    // SAFETY: of `into_raw`, not deleted yet.
    let deleter = unsafe { tensor.as_ref() }.deleter.unwrap();
    // SAFETY: called once.
    unsafe { deleter(tensor.as_ptr()) };
}

fn numbers(at: *const i64, rank: i32) -> &'static [i64] {
    // SAFETY: shape or strides of a tensor that lives, and has so many dimensions.
    unsafe { std::slice::from_raw_parts(at, usize::try_from(rank).unwrap()) }
}

/// What a library reads of it.
fn seen(inner: Inner) -> Vec<u8> {
    let (shape, strides) = (
        numbers(inner.shape, inner.ndim),
        numbers(inner.strides, inner.ndim),
    );
    let item = (usize::from(inner.bits) * usize::from(inner.lanes)).div_ceil(8);
    let mut bytes = Vec::new();
    for number in 0..shape.iter().product::<i64>() {
        let (mut rest, mut offset) = (number, 0);
        for (&size, &stride) in shape.iter().zip(strides).rev() {
            offset += rest % size * stride;
            rest /= size;
        }
        let offset = usize::try_from(offset).unwrap() * item;
        let start = inner.data.cast::<u8>().wrapping_add(offset);
        // SAFETY: an element of the tensor, which lives.
        bytes.extend_from_slice(unsafe { std::slice::from_raw_parts(start, item) });
    }
    bytes
}

#[test]
fn each_type_goes_out_of_each_memory_and_comes_back_in_place() {
    let bytes: Vec<u8> = (0..=255).collect();
    for dtype in dtypes() {
        let item = dtype.item_size().unwrap();
        for data in places(&bytes) {
            // Rows of three elements, five apart, from the third one on.
            let (shape, strides) = ([2, 3], [5, 1]);
            let byte_offset = 2 * item as u64;
            let message =
                Tensor::from_parts(dtype, shape.into(), strides.into(), byte_offset, data);
            let address = message.data.as_slice().unwrap().as_ptr();
            let tensor = match DlTensor::from_message(&message) {
                Err(DlpackError::Unaligned { .. }) if cfg!(miri) => continue, // bytes may be anywhere there
                tensor => tensor.unwrap(),
            };
            assert_eq!(tensor.dtype(), dtype);
            assert_eq!(
                (tensor.shape(), tensor.strides()),
                (&shape[..], &strides[..])
            );
            assert_eq!(tensor.device(), DlDevice::CPU);
            assert!(tensor.is_read_only());
            assert_eq!(tensor.data_address(), address.addr() + 2 * item);
            let (raw, said) = given(tensor);
            let rows = [&bytes[2 * item..5 * item], &bytes[7 * item..10 * item]];
            assert_eq!(seen(said.inner), rows.concat(), "{dtype}");
            // SAFETY: of `into_raw`, used once; the data is never written.
            let tensor = unsafe { DlTensor::from_raw(raw.cast()) }.unwrap();
            let back: Tensor = tensor.into_message().unwrap();
            let start = back.data.as_slice().unwrap();
            assert_eq!(start.as_ptr().addr(), address.addr() + 2 * item);
            assert_eq!(start, &bytes[2 * item..10 * item]);
            let view = back.tensor().unwrap();
            assert_eq!((view.dtype(), view.shape()), (dtype, &shape[..]));
            assert_eq!((view.stride(0), view.stride(1)), (Some(5), Some(1)));
        }
    }
}

#[test]
fn the_struct_is_as_the_header_says() {
    let message = Tensor::from_vec([2, 3], vec![0.0_f32; 6]).unwrap();
    let (raw, said) = given(DlTensor::from_message(&message).unwrap());
    assert_eq!((said.version.0, said.flags), (1, READ_ONLY));
    assert!(said.version.1 >= 1);
    let inner = said.inner;
    let data = message.data.as_slice().unwrap();
    assert_eq!(inner.data.cast_const().cast(), data.as_ptr());
    assert_eq!(
        (inner.device, inner.ndim, inner.byte_offset),
        ((1, 0), 2, 0)
    );
    assert_eq!((inner.code, inner.bits, inner.lanes), (2, 32, 1));
    assert_eq!(
        (numbers(inner.shape, 2), numbers(inner.strides, 2)),
        (&[2, 3][..], &[3, 1][..])
    );
    delete(raw);
}

#[test]
fn a_tensor_without_dimensions_and_one_without_elements_go_out() {
    let message = Tensor::from_vec([], vec![7_u16]).unwrap();
    let tensor = DlTensor::from_message(&message).unwrap();
    assert_eq!((tensor.shape(), tensor.strides()), (&[][..], &[][..]));
    let (raw, said) = given(tensor);
    assert_eq!(seen(said.inner), 7_u16.to_ne_bytes());
    delete(raw);

    for shape in [vec![0], vec![2, 0, 3], vec![0, i64::MAX, i64::MAX]] {
        for strides in [vec![], vec![i64::MAX; shape.len()]] {
            let message = Tensor::from_parts(DType::F64, shape.clone(), strides, 0, Buffer::new());
            let tensor = DlTensor::from_message(&message).unwrap();
            assert_eq!((tensor.shape(), tensor.data_address()), (&shape[..], 0));
            let back: Tensor = tensor.into_message().unwrap();
            assert!(back.data.is_empty());
            assert_eq!(
                (back.tensor().unwrap().len(), back.shape),
                (0, shape.clone())
            );
        }
    }
}

#[test]
fn elements_of_few_bits_say_that_they_start_at_whole_bytes() {
    let fp4 = DType::scalar(TypeCode::Float4E2M1Fn, 4);
    let flags = |dtype: DType| {
        let message = Tensor::from_parts(dtype, vec![2], vec![], 0, vec![0; 64].into());
        let (raw, said) = given(DlTensor::from_message(&message)?);
        delete(raw);
        Ok::<_, DlpackError>(said.flags)
    };
    assert_eq!(flags(fp4).unwrap(), READ_ONLY | PADDED);
    assert_eq!(flags(DType { lanes: 2, ..fp4 }).unwrap(), READ_ONLY);
    let error = flags(DType { lanes: 3, ..fp4 }).unwrap_err();
    assert!(matches!(error, DlpackError::Packed(_)), "{error}");
    let owned = Layout {
        dtype: fp4,
        shape: &[2],
        strides: &[],
        byte_offset: 0,
    };
    let tensor = DlTensor::from_owned(owned, vec![0; 2].into()).unwrap();
    let error = tensor.into_raw_legacy().unwrap_err();
    assert!(matches!(error, DlpackError::Packed(_)), "{error}");
}

#[test]
fn memory_of_its_own_is_writable_and_that_of_others_is_not() {
    let layout = Layout {
        dtype: DType::U16,
        shape: &[2, 2],
        strides: &[2, 1],
        byte_offset: 2,
    };
    let data = zeros(10);
    let address = data.as_slice().unwrap().as_ptr();
    let tensor = DlTensor::from_owned(layout, data).unwrap();
    assert!(!tensor.is_read_only());
    assert_eq!(tensor.data_address(), address.addr() + 2);
    let (raw, said) = given(tensor);
    assert_eq!(said.flags, 0);
    // SAFETY: four numbers, which nobody else has.
    unsafe { *said.inner.data.cast::<[u16; 4]>() = [1, 2, 3, 4] };
    // SAFETY: of `into_raw`; nobody writes it any more.
    let tensor = unsafe { DlTensor::from_raw(raw.cast()) }.unwrap();
    let message: Tensor = tensor.into_message().unwrap();
    assert_eq!(
        message.tensor().unwrap().as_slice::<u16>().unwrap(),
        [1, 2, 3, 4]
    );

    let shared = Buffer::from(vec![0_u8; 10]);
    let not_writable = |data: Buffer<u8>| {
        let error = DlTensor::from_owned(layout, data).unwrap_err();
        assert!(
            matches!(error, DlpackError::Tensor(TensorError::NotWritable)),
            "{error}"
        );
    };
    not_writable(shared.clone());
    not_writable(Buffer::from(Bytes::from(vec![0_u8; 10])));
    assert!(DlTensor::from_owned(layout, vec![0_u8; 9].into()).is_err());
}

#[test]
fn a_message_is_written_in_place() {
    let mut message = Tensor::zeros(DType::U8, [3]).unwrap();
    // SAFETY: the message is not looked at until the tensor is gone.
    let (raw, said) = given(unsafe { DlTensor::from_message_mut(&mut message) }.unwrap());
    // SAFETY: three numbers, which nobody else looks at.
    unsafe { *said.inner.data.cast::<[u8; 3]>() = [1, 2, 3] };
    assert!(message.data.as_mut_slice().is_none()); // the tensor has it too
    delete(raw);
    assert_eq!(
        message.tensor().unwrap().as_slice::<u8>().unwrap(),
        [1, 2, 3]
    );
    assert!(message.data.as_mut_slice().is_some());
}

#[test]
fn the_older_struct_is_for_writable_tensors() {
    let layout = Layout {
        dtype: DType::F32,
        shape: &[2, 1],
        strides: &[],
        byte_offset: 0,
    };
    let tensor = DlTensor::from_owned(layout, zeros(8)).unwrap();
    let address = tensor.data_address();
    let raw = tensor.into_raw_legacy().unwrap();
    // SAFETY: of `into_raw_legacy`.
    let legacy = unsafe { raw.cast::<Legacy>().as_ref() };
    let inner = legacy.tensor;
    assert_eq!(
        (inner.data.addr(), inner.ndim, inner.bits),
        (address, 2, 32)
    );
    assert_eq!(
        (numbers(inner.shape, 2), numbers(inner.strides, 2)),
        (&[2, 1][..], &[1, 1][..])
    );
    // SAFETY: used once.
    let back = unsafe { DlTensor::from_raw_legacy(raw) }.unwrap();
    assert_eq!((back.data_address(), back.is_read_only()), (address, false));

    let message = Tensor::from_vec([2], vec![0_u8; 2]).unwrap();
    let error = DlTensor::from_message(&message)
        .unwrap()
        .into_raw_legacy()
        .unwrap_err();
    assert!(matches!(error, DlpackError::ReadOnly), "{error}");
}

#[test]
fn what_dlpack_cannot_say_is_refused() {
    let data = Tensor::from_vec([8], vec![0_u64; 8]).unwrap().data; // aligned
    let odd = Layout {
        dtype: DType::U32,
        shape: &[2],
        strides: &[],
        byte_offset: 1,
    };
    let error = DlTensor::from_view(&TensorView::new(odd, &data).unwrap()).unwrap_err();
    assert!(matches!(error, DlpackError::Unaligned { .. }), "{error}");

    let long = vec![1; 65];
    let deep = Layout {
        dtype: DType::U8,
        shape: &long,
        strides: &[],
        byte_offset: 0,
    };
    let error = DlTensor::from_view(&TensorView::new(deep, &data).unwrap()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "65 dimensions are no rank; array libraries have 0 to 64"
    );

    let image = |step, is_bigendian| {
        let parts = ImageParts {
            height: 2,
            width: 2,
            encoding: "mono16",
            is_bigendian,
            step,
            data: &data,
        };
        let image = ImageView::new(parts).unwrap();
        DlTensor::from_view(&image.tensor().unwrap())
    };
    let swapped = cfg!(target_endian = "little");
    let error = image(5, !swapped).unwrap_err();
    assert!(
        matches!(error, DlpackError::Stride { axis: 0, .. }),
        "{error}"
    );
    let error = image(6, swapped).unwrap_err();
    assert!(
        matches!(error, DlpackError::Tensor(TensorError::ByteOrder)),
        "{error}"
    );
    let rows = image(6, !swapped).unwrap();
    assert_eq!(
        (rows.shape(), rows.strides()),
        (&[2, 2, 1][..], &[3, 1, 1][..])
    );
}

#[test]
fn what_the_host_does_not_read_is_refused() {
    struct Elsewhere;
    impl rosidl_buffer_runtime::Storage for Elsewhere {
        fn backend_type(&self) -> &'static str {
            "elsewhere"
        }
        fn byte_len(&self) -> usize {
            4
        }
        fn host_bytes(&self) -> Option<&[u8]> {
            None
        }
        fn copy_to_host(&self, _: &mut [u8]) -> Result<(), rosidl_buffer_runtime::BufferError> {
            unreachable!("nothing is copied")
        }
        fn as_any(&self) -> &dyn std::any::Any {
            self
        }
    }
    let data = Buffer::from_storage(Arc::new(Elsewhere)).unwrap();
    let message = Tensor::from_buffer(DType::U8, [4], data).unwrap();
    let error = DlTensor::from_message(&message).unwrap_err();
    assert!(
        error.to_string().contains("memory of backend `elsewhere`"),
        "{error}"
    );
}
