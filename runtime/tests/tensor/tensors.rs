//! `tensor_msgs/ExperimentalTensor`.

use std::any::Any;
use std::sync::Arc;

use rosidl_buffer_runtime::tensor::{DType, Layout, TensorError, TensorMessage as _, TensorView};
use rosidl_buffer_runtime::{Buffer, BufferError, Storage, cdr};

use crate::messages::Tensor;

#[test]
fn a_vector_becomes_a_message_without_a_copy() {
    let pixels = vec![0.5_f64; 12];
    let address = pixels.as_ptr();
    let message = Tensor::from_vec([3, 4], pixels).unwrap();
    assert_eq!(message.data.backend_type(), "cpu");
    let slice = message.tensor().unwrap().as_slice::<f64>().unwrap();
    assert_eq!((slice.as_ptr(), slice.len()), (address, 12));

    let decoded: Tensor = cdr::decode(&cdr::encode(&message).unwrap()).unwrap();
    assert_eq!(decoded, message);
    let view = decoded.tensor().unwrap();
    assert_eq!((view.dtype(), view.shape()), (DType::F64, &[3, 4][..]));
    assert_eq!(view.elements::<f64>().unwrap().to_vec().unwrap(), [0.5; 12]);
}

#[test]
fn a_message_is_changed_in_place_while_nobody_shares_it() {
    let mut message = Tensor::from_vec([2, 2], vec![1_u8, 2, 3, 4]).unwrap();
    let mut elements = message.elements_mut::<u8>().unwrap();
    assert_eq!(elements.set([1, 0], 9), Some(3));
    assert_eq!(elements.set([2, 0], 9), None);
    elements.as_mut_slice().unwrap()[3] = 8;
    assert_eq!(message.data, [1, 2, 9, 8]);
    let refused = message.elements_mut::<i8>().unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the elements are uint8, not int8; `reinterpret` reads elements of the same size as another type"
    );

    let shared = message.clone();
    assert_eq!(
        message.elements_mut::<u8>().unwrap_err(),
        TensorError::NotWritable
    );
    drop(shared);
    message.strides = vec![1, 2]; // transposed
    let mut elements = message.elements_mut::<u8>().unwrap();
    assert_eq!(elements.set([0, 1], 7), Some(9));
    assert_eq!(elements.as_mut_slice().unwrap_err(), TensorError::Strided);

    let mut zeros = Tensor::zeros(DType::I32, [2, 3]).unwrap();
    assert_eq!(zeros.data.len(), 24);
    zeros
        .elements_mut::<i32>()
        .unwrap()
        .set([1, 2], -1)
        .unwrap();
    assert_eq!(
        zeros
            .tensor()
            .unwrap()
            .elements::<i32>()
            .unwrap()
            .iter()
            .last(),
        Some(-1)
    );
    assert_eq!(
        Tensor::zeros(DType::F64, [i64::MAX, 2]).unwrap_err(),
        TensorError::TooLarge
    );

    let mut numbers = Tensor::from_vec([1], vec![1.0_f32]).unwrap();
    assert_eq!(
        numbers.elements_mut::<f32>().unwrap_err(),
        TensorError::NotWritable
    );
    numbers.data.make_mut().unwrap();
    assert_eq!(
        numbers.elements_mut::<f32>().unwrap().set([0], 2.0),
        Some(1.0)
    );
}

fn tensor(
    dtype: DType,
    shape: &[i64],
    strides: &[i64],
    byte_offset: u64,
    bytes: usize,
) -> Result<usize, TensorError> {
    let layout = Layout {
        dtype,
        shape,
        strides,
        byte_offset,
    };
    TensorView::new(layout, &vec![0; bytes].into()).map(|view| view.len())
}

#[test]
fn each_rule_has_its_error() {
    use TensorError as E;
    let u8 = DType::U8;
    assert_eq!(tensor(u8, &[], &[], 0, 1), Ok(1), "a single element");
    assert_eq!(tensor(u8, &[0, i64::MAX, i64::MAX], &[], 0, 0), Ok(0));
    assert_eq!(tensor(u8, &[4, 5], &[0, 1], 0, 5), Ok(20), "a repeated row");
    assert_eq!(
        tensor(u8, &[2, 1], &[3, i64::MAX], 0, 4),
        Ok(2),
        "no step is taken there"
    );
    assert_eq!(tensor(u8, &[1], &[], 0, 0), Err(E::Empty));
    assert_eq!(
        Tensor::default().tensor().unwrap_err(),
        E::NoBits(DType {
            code: 0,
            bits: 0,
            lanes: 0
        })
    );
    let unknown = DType { code: 18, ..u8 };
    assert_eq!(
        tensor(unknown, &[1], &[], 0, 1),
        Err(E::UnknownType(unknown))
    );
    assert_eq!(
        tensor(u8, &[1], &[1, 1], 0, 1),
        Err(E::Strides {
            strides: 2,
            rank: 1
        })
    );
    assert_eq!(
        tensor(u8, &[2, -1], &[], 0, 9),
        Err(E::NegativeDimension { axis: 1, size: -1 })
    );
    assert_eq!(
        tensor(u8, &[2], &[-1], 1, 9),
        Err(E::NegativeStride {
            axis: 0,
            stride: -1
        })
    );
    assert_eq!(
        tensor(DType::F32, &[2, 2], &[], 1, 16),
        Err(E::TooShort {
            needed: 17,
            available: 16
        })
    );
    assert_eq!(
        tensor(u8, &[0], &[], 2, 1),
        Err(E::TooShort {
            needed: 2,
            available: 1
        })
    );
    assert_eq!(
        tensor(u8, &[1 << 32, 1 << 32], &[0, 0], 0, 1),
        Err(E::TooLarge)
    );
    assert_eq!(tensor(u8, &[4], &[i64::MAX], 0, 9), Err(E::TooLarge));
    assert_eq!(tensor(u8, &[1], &[], u64::MAX, 9), Err(E::TooLarge));
    let error = tensor(DType::F32, &[2, 2], &[], 1, 16).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the tensor ends at byte 17 of the data, but there are 16 bytes"
    );
}

#[test]
fn a_few_bytes_do_not_become_a_large_copy() {
    let data = Buffer::from(vec![7_u8; 8]);
    let layout = Layout {
        dtype: DType::U8,
        shape: &[1 << 40, 2],
        strides: &[0, 1],
        byte_offset: 0,
    };
    let elements = TensorView::new(layout, &data)
        .unwrap()
        .elements::<u8>()
        .unwrap();
    assert_eq!(
        elements.to_vec().unwrap_err(),
        TensorError::Repeated {
            elements: 1 << 41,
            bytes: 2
        }
    );
    assert!(elements.iter().take(5).eq([7; 5]));
    assert_eq!(elements.get([(1 << 40) - 1, 1]), Some(7));
}

/// Memory that the host cannot read.
struct Device(usize);

impl Storage for Device {
    fn backend_type(&self) -> &'static str {
        "device"
    }
    fn byte_len(&self) -> usize {
        self.0
    }
    fn host_bytes(&self) -> Option<&[u8]> {
        None
    }
    fn copy_to_host(&self, out: &mut [u8]) -> Result<(), BufferError> {
        out.fill(3);
        Ok(())
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[test]
fn a_tensor_on_a_device_has_a_shape_but_no_elements_here() {
    let data = Buffer::from_storage(Arc::new(Device(24))).unwrap();
    assert_eq!(
        Tensor::from_buffer(DType::U16, [3, 5], data.clone()).unwrap_err(),
        TensorError::TooShort {
            needed: 30,
            available: 24
        }
    );
    let mut message = Tensor::from_buffer(DType::U16, [3, 4], data).unwrap();
    message.strides = vec![1, 3];
    let view = message.tensor().unwrap();
    assert_eq!(
        (view.stride(1), view.byte_stride(1), view.byte_range()),
        (Some(3), Some(6), 0..24)
    );
    assert_eq!(view.buffer().backend_type(), "device");
    let error = view.elements::<u16>().unwrap_err();
    assert!(error.to_string().contains("backend `device`"), "{error}");
    assert_eq!(
        message.elements_mut::<u16>().unwrap_err(),
        TensorError::NotWritable
    );
    message.data.make_mut().unwrap();
    assert_eq!(
        message
            .tensor()
            .unwrap()
            .elements::<u16>()
            .unwrap()
            .get([2, 3]),
        Some(0x0303)
    );
}
