//! Messages as tensors: copies are the reader's own, views lie in the message.

use rosidl_buffer_runtime::tensor::tch::{
    TorchError, from_input_tensor_msg, into_tensor, view_input_tensor_msg,
};
use rosidl_buffer_runtime::tensor::{DType, TensorError, TensorMessage as _};
use rosidl_buffer_runtime::{Buffer, Storage};
use tch::Kind;

use crate::{Message, address, bytes, data_address};

#[test]
fn a_copy_is_independent() {
    let message = Message::from_vec([2, 3], vec![1.0_f32; 6]).unwrap();
    let mut tensor = from_input_tensor_msg(&message).unwrap();
    let _ = tensor.fill_(5.0);
    assert_eq!(
        message.tensor().unwrap().as_slice::<f32>().unwrap(),
        [1.0; 6]
    );
    drop(message);
    assert_eq!(tensor.sum(Kind::Float).double_value(&[]).to_string(), "30");
}

#[test]
fn strides_and_offsets_are_followed() {
    let numbers: Vec<i32> = (0..24).collect();
    let mut message = Message::from_vec([2, 3], numbers).unwrap();
    (message.strides, message.byte_offset) = (vec![1, 8], 4);
    let expected = [1, 9, 17, 2, 10, 18].map(i64::from);
    let copy = from_input_tensor_msg(&message).unwrap();
    let read = |tensor: &tch::Tensor| {
        Vec::<i64>::try_from(tensor.reshape([-1]).to_kind(Kind::Int64)).unwrap()
    };
    assert_eq!(read(&copy), expected);
    assert!(copy.is_contiguous());
    // SAFETY: it is only read.
    let view = unsafe { view_input_tensor_msg(&message) }.unwrap();
    assert_eq!(
        (read(&view), view.stride()),
        (expected.to_vec(), vec![1, 8])
    );
    assert_eq!(address(&view), data_address(&message) + 4);
    drop(view);
    message.strides = vec![0, 1]; // one row for both
    // SAFETY: as above.
    let view = unsafe { view_input_tensor_msg(&message) }.unwrap();
    assert_eq!(read(&view), [1, 2, 3, 1, 2, 3]);
}

#[test]
fn a_vector_of_its_own_moves_into_the_tensor() {
    let message = Message::from_buffer(DType::I32, [2, 2], vec![1_u8; 16].into()).unwrap();
    let place = data_address(&message);
    let mut tensor = into_tensor(message).unwrap();
    assert_eq!(address(&tensor), place);
    let _ = tensor.fill_(3);

    let message = Message::from_buffer(DType::I32, [2, 2], vec![1_u8; 16].into()).unwrap();
    let shared = message.clone();
    let mut tensor = into_tensor(message).unwrap();
    assert_ne!(address(&tensor), data_address(&shared));
    let _ = tensor.fill_(3);
    assert_eq!(shared.data, [1; 16]);
}

#[test]
fn a_stranger_s_bool_is_0_or_1() {
    let message = Message::from_buffer(DType::BOOL, [4], vec![0_u8, 1, 2, 255].into()).unwrap();
    assert_eq!(
        bytes(&from_input_tensor_msg(&message).unwrap()),
        [0, 1, 1, 1]
    );
    assert_eq!(bytes(&into_tensor(message).unwrap()), [0, 1, 1, 1]);
}

#[test]
fn data_that_is_not_aligned_is_copied_and_not_viewed() {
    let mut message = Message::from_vec([3], vec![0.5_f64; 4]).unwrap();
    message.byte_offset = 3;
    // SAFETY: it is only read.
    let refused = unsafe { view_input_tensor_msg(&message) }.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the data is not aligned for float64, so torch cannot use it in place; `from_input_tensor_msg` copies it"
    );
    let copy = from_input_tensor_msg(&message).unwrap();
    assert_eq!(bytes(&copy), message.data.as_slice().unwrap()[3..27]);
    assert_eq!(bytes(&into_tensor(message.clone()).unwrap()), bytes(&copy));
}

#[test]
fn both_parts_of_a_complex_number_count_for_its_alignment() {
    let complex = DType {
        code: 5,
        bits: 128,
        lanes: 1,
    };
    let mut message = Message::from_vec([6], vec![0.5_f64; 6]).unwrap();
    (message.dtype_code, message.dtype_bits) = (complex.code, complex.bits);
    message.shape = vec![2];
    let mut refusals = 0;
    for offset in [0, 8] {
        message.byte_offset = offset;
        let first = data_address(&message) + usize::try_from(offset).unwrap();
        // SAFETY: it is only read.
        let viewed = unsafe { view_input_tensor_msg(&message) };
        assert_eq!(viewed.is_ok(), first.is_multiple_of(16));
        refusals += usize::from(matches!(viewed, Err(TorchError::Unaligned(is)) if is == complex));
        let copy = from_input_tensor_msg(&message).unwrap();
        assert_eq!(
            copy.real().sum(Kind::Double).double_value(&[]).to_string(),
            "1"
        );
    }
    assert_eq!(refusals, 1);
}

#[test]
fn a_few_bytes_do_not_take_all_memory() {
    let mut message = Message::from_vec([1 << 40], vec![7_u8]).unwrap_or_else(|_| {
        let mut message = Message::from_vec([1], vec![7_u8]).unwrap();
        message.shape = vec![1 << 40];
        message
    });
    message.strides = vec![0];
    let refused = from_input_tensor_msg(&message).unwrap_err();
    let repeated = TensorError::Repeated {
        elements: 1 << 40,
        bytes: 1,
    };
    assert!(matches!(&refused, TorchError::Tensor(error) if *error == repeated));
    let mut own = Message::from_buffer(DType::U8, [1], vec![7].into()).unwrap();
    (own.shape, own.strides) = (vec![1 << 40], vec![0]);
    let refused = into_tensor(own).unwrap_err();
    assert!(matches!(refused, TorchError::Tensor(error) if error == repeated));
    message.strides = vec![1];
    assert!(matches!(
        from_input_tensor_msg(&message),
        Err(TorchError::Tensor(TensorError::TooShort { .. }))
    ));
}

#[test]
fn tensors_without_elements_have_their_shape() {
    for shape in [vec![0], vec![3, 0, 2], vec![0, i64::MAX]] {
        let message = Message::from_buffer(DType::F32, shape.clone(), Buffer::new()).unwrap();
        assert_eq!(from_input_tensor_msg(&message).unwrap().size(), shape);
        assert_eq!(into_tensor(message).unwrap().size(), shape);
    }
}

/// Memory that the host cannot read in place.
struct Far(Vec<u8>);

impl Storage for Far {
    fn backend_type(&self) -> &'static str {
        "far"
    }
    fn byte_len(&self) -> usize {
        self.0.len()
    }
    fn host_bytes(&self) -> Option<&[u8]> {
        None
    }
    fn copy_to_host(&self, out: &mut [u8]) -> Result<(), rosidl_buffer_runtime::BufferError> {
        out.copy_from_slice(&self.0);
        Ok(())
    }
    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

#[test]
fn what_torch_cannot_reach_is_copied_to_the_host() {
    let storage = std::sync::Arc::new(Far((0..16).collect()));
    let data = Buffer::from_storage(storage).unwrap();
    let mut message = Message::from_buffer(DType::I32, [3], data).unwrap();
    for offset in [4, 1] {
        message.byte_offset = offset;
        let start = u8::try_from(offset).unwrap();
        let expected: Vec<u8> = (start..start + 12).collect();
        assert_eq!(bytes(&from_input_tensor_msg(&message).unwrap()), expected);
    }
    // SAFETY: it is only read.
    let refused = unsafe { view_input_tensor_msg(&message) }.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "torch cannot use memory of the backend `far` in place: the host cannot read it there; `from_input_tensor_msg` copies it to the host"
    );
}
