//! Tensors that a library in C made: right ones are taken in place, wrong ones are refused and given back.

use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rosidl_buffer_runtime::tensor::{
    DType, DlDevice, DlTensor, DlpackError, TensorMessage as _, TypeCode,
};

use crate::capsule::{Legacy, PADDED, READ_ONLY, Said, Versioned};
use crate::messages::Tensor;

fn counter() -> Arc<AtomicUsize> {
    Arc::default()
}

/// Takes what a library says, or the reason why not; then it was given back.
fn take(said: &Said, change: impl FnOnce(&mut Versioned)) -> Result<Tensor, String> {
    let deleted = counter();
    let raw = said.lend(&deleted, change);
    // SAFETY: from `lend`; what is changed about it is what is looked at, before anything is read.
    let taken = unsafe { DlTensor::from_raw(raw) };
    let message = taken.and_then(DlTensor::into_message);
    let expected = usize::from(message.is_err());
    assert_eq!(deleted.load(Ordering::SeqCst), expected, "{message:?}");
    message.map_err(|error| error.to_string())
}

fn numbers() -> Said {
    Said::new(DType::I64, &[2, 3], (0..6).collect())
}

#[test]
fn a_tensor_is_a_message_in_place() {
    let deleted = counter();
    let raw = numbers().lend(&deleted, |_| ());
    // SAFETY: from `lend`.
    let tensor = unsafe { DlTensor::from_raw(raw) }.unwrap();
    assert!(!tensor.is_read_only());
    assert_eq!((tensor.shape(), tensor.strides()), (&[2, 3][..], &[][..]));
    let address = tensor.data_address();
    let message: Tensor = tensor.into_message().unwrap();
    assert_eq!(
        (message.strides.len(), message.offset, message.data.len()),
        (0, 0, 48)
    );
    let view = message.tensor().unwrap();
    let elements = view.as_slice::<i64>().unwrap();
    assert_eq!(elements, [0, 1, 2, 3, 4, 5]);
    assert_eq!(elements.as_ptr().addr(), address);
    assert_eq!(message.data.backend_type(), "cpu");
    let clone = message.clone();
    drop(message);
    assert_eq!(deleted.load(Ordering::SeqCst), 0);
    drop(clone);
    assert_eq!(deleted.load(Ordering::SeqCst), 1);
}

#[test]
fn strides_offset_and_flags_are_honoured() {
    let said = Said {
        strides: Some(vec![1, 2]),
        byte_offset: 8,
        flags: READ_ONLY,
        ..numbers()
    };
    let message = take(
        &Said {
            shape: vec![2, 2],
            ..said
        },
        |_| (),
    )
    .unwrap();
    assert_eq!(message.strides, [1, 2]);
    assert_eq!(message.data.len(), 4 * 8);
    let view = message.tensor().unwrap();
    assert!(view.elements::<i64>().unwrap().iter().eq([1, 3, 2, 4]));
}

#[test]
fn a_tensor_goes_on_to_the_next_library() {
    let deleted = counter();
    let raw = numbers().lend(&deleted, |_| ());
    // SAFETY: from `lend`.
    let message: Tensor = unsafe { DlTensor::from_raw(raw) }
        .unwrap()
        .into_message()
        .unwrap();
    let next = DlTensor::from_message(&message).unwrap();
    assert!(next.is_read_only()); // the message has it too
    drop(message);
    assert_eq!((next.shape(), next.strides()), (&[2, 3][..], &[3, 1][..]));
    assert_eq!(deleted.load(Ordering::SeqCst), 0);
    drop(next);
    assert_eq!(deleted.load(Ordering::SeqCst), 1);
}

#[test]
fn memory_that_libraries_pin_is_host_memory() {
    for kind in [1, 3, 11] {
        take(&numbers(), |tensor| tensor.tensor.device = (kind, 0)).unwrap();
    }
}

#[test]
fn steps_that_nobody_takes_may_be_anything() {
    let one = Said {
        strides: Some(vec![-3, i64::MAX]),
        ..Said::new(DType::I64, &[1, 1], vec![7])
    };
    let message = take(&one, |_| ()).unwrap();
    assert_eq!(message.tensor().unwrap().as_slice::<i64>().unwrap(), [7]);
    let none = Said {
        strides: Some(vec![-3, i64::MIN]),
        ..Said::new(DType::I64, &[5, 0], vec![])
    };
    let message = take(&none, |tensor| tensor.tensor.data = ptr::null_mut()).unwrap();
    assert!(message.tensor().unwrap().is_empty());
    let scalar = Said::new(DType::I64, &[], vec![7]);
    let message = take(&scalar, |tensor| {
        tensor.tensor.shape = ptr::null_mut();
        tensor.tensor.strides = ptr::null_mut();
    });
    let message = message.unwrap();
    assert_eq!(message.tensor().unwrap().as_slice::<i64>().unwrap(), [7]);
}

#[test]
fn elements_that_are_not_aligned_are_read_one_by_one() {
    let said = Said {
        byte_offset: 3,
        ..Said::new(DType::U32, &[2], vec![0; 2])
    };
    let message = take(&said, |_| ()).unwrap();
    let view = message.tensor().unwrap();
    assert!(view.as_slice::<u32>().is_err());
    assert!(view.elements::<u32>().unwrap().iter().eq([0, 0]));
    let error = DlTensor::from_message(&message).unwrap_err();
    assert!(matches!(error, DlpackError::Unaligned { .. }), "{error}");
}

#[test]
fn bits_are_counted() {
    let fp4 = DType::scalar(TypeCode::Float4E2M1Fn, 4);
    let fp6 = DType::scalar(TypeCode::Float6E2M3Fn, 6);
    let of = |dtype, flags| {
        let said = Said::new(dtype, &[2], vec![0]);
        take(&Said { flags, ..said }, |_| ())
    };
    assert_eq!(of(fp4, PADDED).unwrap().data.len(), 2);
    assert_eq!(of(fp6, PADDED).unwrap().data.len(), 2);
    assert_eq!(of(DType { lanes: 2, ..fp4 }, 0).unwrap().data.len(), 2);
    assert_eq!(of(DType::U16, PADDED).unwrap().data.len(), 4);
    for (dtype, flags) in [
        (fp4, 0),
        (fp6, 0),
        (DType::scalar(TypeCode::Bool, 1), 0),
        (DType { lanes: 2, ..fp4 }, PADDED),
        (DType { lanes: 3, ..fp4 }, 0),
    ] {
        let error = of(dtype, flags).unwrap_err();
        assert!(error.contains("share bytes"), "{error}");
    }
}

#[test]
fn what_cannot_be_is_refused_and_given_back() {
    type Change = fn(&mut Versioned);
    let cases: [(Change, &str); 16] = [
        (|t| t.major = 2, "DLPack 2"),
        (|t| t.major = 0, "DLPack 0"),
        (|t| t.tensor.ndim = -1, "-1 dimensions"),
        (|t| t.tensor.ndim = 65, "65 dimensions"),
        (|t| t.tensor.ndim = i32::MAX, "2147483647 dimensions"),
        (
            |t| t.tensor.shape = ptr::null_mut(),
            "shape of 2 dimensions",
        ),
        (
            |t| t.tensor.data = ptr::null_mut(),
            "6 elements and no address",
        ),
        (|t| t.tensor.code = 18, "type code 18"),
        (|t| t.tensor.bits = 0, "have no size"),
        (|t| t.tensor.lanes = 0, "have no size"),
        (
            |t| t.tensor.byte_offset = u64::MAX,
            "more elements or bytes",
        ),
        (|t| t.tensor.byte_offset = 1 << 63, "more elements or bytes"),
        (
            |t| t.tensor.data = ptr::without_provenance_mut(usize::MAX - 8),
            "more elements or bytes",
        ),
        (
            |t| t.tensor.device = (2, 0),
            "is on cuda:0, and cpu was asked for",
        ),
        (
            |t| t.tensor.device = (99, 3),
            "is on device 3 of DLPack's type 99",
        ),
        (|t| t.tensor.device = (-1, 0), "of DLPack's type 4294967295"),
    ];
    for (change, says) in cases {
        let error = take(&numbers(), change).unwrap_err();
        assert!(error.contains(says), "{error} for {says}");
    }
    type Numbers = (&'static [i64], Option<&'static [i64]>);
    let shapes: [(Numbers, &str); 6] = [
        ((&[-1, 2], None), "dimension 0 is -1"),
        ((&[i64::MIN], None), "must not be negative"),
        ((&[i64::MAX, i64::MAX], None), "more elements or bytes"),
        ((&[2, 3], Some(&[3, -1])), "stride of dimension 1 is -1"),
        ((&[2, 3], Some(&[i64::MAX, 1])), "more elements or bytes"),
        ((&[2, 3], Some(&[1 << 60, 1])), "more elements or bytes"),
    ];
    for ((shape, strides), says) in shapes {
        let said = Said {
            strides: strides.map(<[i64]>::to_vec),
            ..Said::new(DType::I64, shape, vec![0; 6])
        };
        let error = take(&said, |_| ()).unwrap_err();
        assert!(error.contains(says), "{error} for {says}");
    }
}

#[test]
fn a_library_that_needs_nothing_back_has_no_deleter() {
    let (deleted, mut its_own) = (counter(), None);
    let raw = numbers().lend(&deleted, |tensor| its_own = tensor.deleter.take());
    // SAFETY: from `lend`.
    drop(unsafe { DlTensor::from_raw(raw) }.unwrap());
    assert_eq!(deleted.load(Ordering::SeqCst), 0);
    // SAFETY: it is still the library's, which calls its deleter once.
    unsafe { its_own.unwrap()(raw.cast().as_ptr()) };
    assert_eq!(deleted.load(Ordering::SeqCst), 1);
}

#[test]
fn the_older_struct_comes_in_too() {
    let deleted = counter();
    let raw = numbers().lend_legacy(&deleted, |_| ());
    // SAFETY: from `lend_legacy`.
    let tensor = unsafe { DlTensor::from_raw_legacy(raw) }.unwrap();
    assert_eq!(
        (tensor.device(), tensor.dtype()),
        (DlDevice::CPU, DType::I64)
    );
    assert!(!tensor.is_read_only());
    let message: Tensor = tensor.into_message().unwrap();
    assert_eq!(
        message.tensor().unwrap().as_slice::<i64>().unwrap(),
        [0, 1, 2, 3, 4, 5]
    );
    drop(message);
    assert_eq!(deleted.load(Ordering::SeqCst), 1);

    type Change = fn(&mut Legacy);
    let refused: [(Change, &str); 3] = [
        (|t| t.tensor.ndim = -5, "-5 dimensions"),
        (|t| t.tensor.data = ptr::null_mut(), "no address"),
        (|t| t.tensor.lanes = 0, "have no size"),
    ];
    for (change, says) in refused {
        let deleted = counter();
        let raw = numbers().lend_legacy(&deleted, change);
        // SAFETY: as in `take`.
        let error = unsafe { DlTensor::from_raw_legacy(raw) }.unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!(deleted.load(Ordering::SeqCst), 1);
    }
}
