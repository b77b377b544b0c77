//! What torch writes into messages, and copies of tensors however they lie.

use std::time::Duration;

use rosidl_buffer_runtime::BufferBackend as _;
use rosidl_buffer_runtime::cdr;
use rosidl_buffer_runtime::shm::ShmBackend;
use rosidl_buffer_runtime::tensor::tch::{
    TorchError, allocate_tensor_msg, copy_to_tensor_msg, from_input_tensor_msg,
    from_output_tensor_msg, into_tensor_msg, to_tensor_msg,
};
use rosidl_buffer_runtime::tensor::{DType, TensorMessage as _};
use tch::{Device, IndexOp as _, Kind, Tensor};

use crate::{Message, address, backends, bytes, data_address};

const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);

#[test]
fn a_message_is_read_when_the_last_tensor_over_it_has_gone() {
    let (backends, _shm) = backends();
    for backend in ["cpu", "shm"] {
        let mut message: Message =
            allocate_tensor_msg(&backends, [4, 8], Kind::Float, Some(backend)).unwrap();
        let mut output = from_output_tensor_msg(&mut message).unwrap();
        let _ = output.fill_(2.5);
        let row = output.i(1);
        let clone = message.clone();
        drop(output);

        // One tensor is left.
        assert_eq!(message.data.as_slice(), None);
        let error = cdr::encode(&message).unwrap_err().to_string();
        let cause =
            std::error::Error::source(&message.data.to_vec().unwrap_err()).map(ToString::to_string);
        assert!(
            cause
                .unwrap()
                .starts_with("a tensor writes it: drop that tensor"),
            "{error}"
        );
        assert!(from_input_tensor_msg(&message).is_err());
        assert!(matches!(
            from_output_tensor_msg(&mut message),
            Err(TorchError::NotWritable)
        ));

        let place = address(&row) - 8 * 4;
        std::thread::spawn(move || drop(row)).join().unwrap();
        assert_eq!(data_address(&message), place);
        assert_eq!(data_address(&clone), place);
        assert_eq!(
            message.tensor().unwrap().as_slice::<f32>().unwrap(),
            [2.5; 32]
        );
        assert_eq!(
            cdr::decode::<Message>(&cdr::encode(&message).unwrap()).unwrap(),
            clone
        );
        assert!(matches!(
            from_output_tensor_msg(&mut message),
            Err(TorchError::NotWritable)
        ));
    }
}

#[test]
fn memory_that_nobody_wrote_is_not_read() {
    let (backends, _shm) = backends();
    let message: Message = allocate_tensor_msg(&backends, [3], Kind::Int, Some("shm")).unwrap();
    assert_eq!(message.data.as_slice(), None);
    let error = message.data.to_vec().unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.starts_with("nobody wrote it yet"), "{cause}");
    // A vector has zeros.
    let message: Message = allocate_tensor_msg(&backends, [3], Kind::Int, Some("cpu")).unwrap();
    assert_eq!(message.data, [0; 12]);
}

#[test]
fn shared_memory_that_torch_wrote_is_handed_over_in_place() {
    let (backends, shm) = backends();
    let reader = ShmBackend::new().unwrap();
    let soon = Duration::from_secs(10);
    reader.connect(&shm.backend_metadata(), soon).unwrap();
    let tensor = Tensor::arange(50_000, FLOAT);
    let message: Message = to_tensor_msg(&backends, &tensor, None).unwrap(); // the best on the host
    assert_eq!(message.data.backend_type(), "shm");
    let storage = message.data.storage().unwrap();
    let descriptor = shm
        .create_descriptor(storage, &reader.backend_metadata())
        .unwrap();
    let read = reader.read(&descriptor.unwrap()).unwrap();
    assert_eq!(&read[..], bytes(&tensor));
    let stats = shm.stats();
    assert_eq!((stats.made, stats.held), (1, 1), "{stats:?}");
}

#[test]
fn any_layout_is_copied_in_row_major_order() {
    let (backends, _shm) = backends();
    let base = Tensor::arange(60, FLOAT).reshape([3, 4, 5]);
    let complex = Tensor::complex(&base, &(&base + 0.5));
    let cases = [
        base.permute([2, 0, 1]),
        base.i((.., 1..3, 2)),
        base.i((.., .., 0)).unsqueeze(2).expand([3, 4, 7], false),
        base.set_requires_grad(true) * 2.0,
        complex.conj(),
        complex.conj().imag(), // negated
        Tensor::scalar_tensor(7.25, FLOAT),
        Tensor::zeros([3, 0, 2], FLOAT),
    ];
    for backend in ["cpu", "shm"] {
        for (number, case) in cases.iter().enumerate() {
            let message: Message = to_tensor_msg(&backends, case, Some(backend)).unwrap();
            assert!(message.strides.is_empty());
            assert_eq!(message.shape, case.size());
            let plain = case.detach().resolve_conj().resolve_neg();
            assert_eq!(message.data, bytes(&plain), "case {number} in {backend}");
            let back = from_input_tensor_msg(&message).unwrap();
            assert!(back.equal(&plain) && !back.requires_grad());
        }
    }
    assert_eq!(
        from_input_tensor_msg(&to_tensor_msg::<Message>(&backends, &cases[6], None).unwrap())
            .unwrap()
            .size(),
        [0_i64; 0]
    );
}

#[test]
fn a_message_that_is_there_takes_another_tensor() {
    let (backends, _shm) = backends();
    let mut message = Message::from_vec([4, 5], vec![9_u8; 20]).unwrap();
    let place = data_address(&message);
    let tensor = Tensor::arange(6, (Kind::Int16, Device::Cpu)).reshape([2, 3]);
    copy_to_tensor_msg(&tensor, &mut message).unwrap();
    assert_eq!((data_address(&message), message.data.len()), (place, 20));
    assert!(from_input_tensor_msg(&message).unwrap().equal(&tensor));

    let before = message.clone();
    let large = Tensor::zeros([21], (Kind::Uint8, Device::Cpu));
    let refused = copy_to_tensor_msg(&large, &mut message).unwrap_err();
    assert!(matches!(
        refused,
        TorchError::TooSmall {
            needed: 21,
            available: 20
        }
    ));
    assert_eq!(message, before);
    // A clone shows it.
    assert!(matches!(
        copy_to_tensor_msg(&tensor, &mut message),
        Err(TorchError::NotWritable)
    ));
    assert_eq!(message, before);
    drop(before);
    for number in 0..3 {
        copy_to_tensor_msg(&(&tensor + number), &mut message).unwrap();
        let input = from_input_tensor_msg(&message).unwrap();
        assert!(input.equal(&(&tensor + number)));
        assert_eq!(data_address(&message), place);
        assert!(message.data.as_mut_slice().is_some());
    }

    let mut message: Message =
        allocate_tensor_msg(&backends, [6], Kind::Int16, Some("shm")).unwrap();
    copy_to_tensor_msg(&tensor, &mut message).unwrap();
    assert_eq!(
        (&message.shape[..], message.data.backend_type()),
        (&[2, 3][..], "shm")
    );
    assert!(from_input_tensor_msg(&message).unwrap().equal(&tensor));
}

#[test]
fn a_vector_is_written_again_and_again() {
    let mut message = Message::zeros(DType::I32, [4]).unwrap();
    let place = data_address(&message);
    for number in 1..4 {
        let mut output = from_output_tensor_msg(&mut message).unwrap();
        let _ = output.fill_(number);
        drop(output);
        assert_eq!(data_address(&message), place);
        let wire = cdr::encode(&message).unwrap();
        assert_eq!(cdr::decode::<Message>(&wire).unwrap(), message);
        let number = i32::try_from(number).unwrap();
        let view = message.tensor().unwrap();
        assert_eq!(view.as_slice::<i32>().unwrap(), [number; 4]);
    }
}

#[test]
fn an_error_leaves_the_message_as_it_was() {
    let (backends, _shm) = backends();
    for backend in ["cpu", "shm"] {
        let mut message: Message =
            allocate_tensor_msg(&backends, [4], Kind::Int, Some(backend)).unwrap();
        (message.shape, message.byte_offset) = (vec![3], 1);
        let refused = from_output_tensor_msg(&mut message).unwrap_err();
        assert!(matches!(refused, TorchError::Unaligned(_)), "{refused}");
        (message.dtype_lanes, message.dtype_bits) = (4, 8);
        let refused = from_output_tensor_msg(&mut message).unwrap_err();
        assert!(matches!(refused, TorchError::Torch(_)), "{refused}");
        (message.dtype_lanes, message.dtype_bits) = (1, 32);
        (message.shape, message.byte_offset) = (vec![4], 0);
        let mut output = from_output_tensor_msg(&mut message).unwrap();
        let _ = output.fill_(1);
        drop(output);
        assert_eq!(message.tensor().unwrap().as_slice::<i32>().unwrap(), [1; 4]);
    }
}

#[test]
fn foreign_bytes_are_bools_before_torch_writes_some() {
    let mut message = Message::from_buffer(DType::BOOL, [4], vec![0_u8, 1, 2, 255].into()).unwrap();
    let output = from_output_tensor_msg(&mut message).unwrap();
    assert_eq!(bytes(&output), [0, 1, 1, 1]);
    drop(output);
    assert_eq!(message.data, [0, 1, 1, 1]);
}

#[test]
fn what_lies_between_the_elements_is_not_given_away() {
    let (backends, _shm) = backends();
    let column = Tensor::arange(12, FLOAT).reshape([3, 4]).i((.., 1));
    let expected = bytes(&column);
    let message: Message = into_tensor_msg(&backends, column).unwrap();
    assert_eq!(message.data, expected);
    assert_eq!(message.shape, [3]);
}

#[test]
fn a_tensor_is_given_away_without_a_copy() {
    let (backends, _shm) = backends();
    let tensor = Tensor::arange(12, FLOAT)
        .reshape([3, 4])
        .tr()
        .contiguous()
        .tr() // strided
        .i((.., 1..)); // from the middle of its memory
    let (place, expected) = (address(&tensor), bytes(&tensor));
    let message: Message = into_tensor_msg(&backends, tensor).unwrap();
    assert_eq!(data_address(&message), place);
    assert_eq!(
        (&message.shape[..], &message.strides[..]),
        (&[3, 3][..], &[1, 3][..])
    );
    assert_eq!(bytes(&from_input_tensor_msg(&message).unwrap()), expected);
}

#[test]
fn a_tensor_that_others_use_is_not_given_away() {
    let (backends, _shm) = backends();
    let give = |tensor| into_tensor_msg::<Message>(&backends, tensor);
    let tensor = Tensor::arange(12, FLOAT);
    let other = tensor.i(3..);
    assert!(matches!(give(tensor), Err(TorchError::Shared)));
    give(other).unwrap(); // the last one
    let tensor = Tensor::ones([3], FLOAT).set_requires_grad(true);
    assert!(matches!(give(tensor), Err(TorchError::Shared)));
    let complex = Tensor::complex(&Tensor::ones([3], FLOAT), &Tensor::ones([3], FLOAT));
    assert!(matches!(give(complex.conj()), Err(TorchError::Lazy)));
    assert_eq!(give(Tensor::zeros([0, 3], FLOAT)).unwrap().shape, [0, 3]);
}
