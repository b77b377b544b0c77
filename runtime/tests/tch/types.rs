//! Every type of torch through every memory of the host.

use rosidl_buffer_runtime::cdr;
use rosidl_buffer_runtime::tensor::tch::{
    TorchError, allocate_tensor_msg, dtype, from_input_tensor_msg, from_output_tensor_msg,
    into_tensor, into_tensor_msg, to_tensor_msg, view_input_tensor_msg,
};
use rosidl_buffer_runtime::tensor::{DType, TensorMessage as _};
use tch::{Device, Kind, Tensor};

use crate::{Message, address, backends, bytes, data_address};

/// Those that DLPack has a number for, with that number and their width in bits.
pub(crate) const KINDS: [(Kind, u8, u8); 17] = [
    (Kind::Int8, 0, 8),
    (Kind::Int16, 0, 16),
    (Kind::Int, 0, 32),
    (Kind::Int64, 0, 64),
    (Kind::Uint8, 1, 8),
    (Kind::Half, 2, 16),
    (Kind::Float, 2, 32),
    (Kind::Double, 2, 64),
    (Kind::BFloat16, 4, 16),
    (Kind::ComplexHalf, 5, 32),
    (Kind::ComplexFloat, 5, 64),
    (Kind::ComplexDouble, 5, 128),
    (Kind::Bool, 6, 8),
    (Kind::Float8e4m3fn, 10, 8),
    (Kind::Float8e4m3fnuz, 11, 8),
    (Kind::Float8e5m2, 12, 8),
    (Kind::Float8e5m2fnuz, 13, 8),
];

/// Two rows of the kind, whose bytes all differ; for `bool` they are 0 and 1.
pub(crate) fn sample(kind: Kind) -> Tensor {
    let bytes = Tensor::arange(96, (Kind::Uint8, Device::Cpu));
    let flat = match kind {
        Kind::Bool => bytes.remainder(3).eq(0),
        kind => bytes.view_dtype(kind),
    };
    flat.reshape([2, -1])
}

#[test]
fn every_kind_goes_through_every_memory_of_the_host() {
    let (backends, _shm) = backends();
    for (kind, code, bits) in KINDS {
        let tensor = sample(kind);
        let expected = bytes(&tensor);
        for backend in ["cpu", "shm"] {
            let message: Message = to_tensor_msg(&backends, &tensor, Some(backend)).unwrap();
            let numbers = (message.dtype_code, message.dtype_bits, message.dtype_lanes);
            assert_eq!(numbers, (code, bits, 1), "{kind:?}");
            assert_eq!(DType::try_from(kind).unwrap(), dtype(&tensor).unwrap());
            assert_eq!(message.data.backend_type(), backend);
            assert_eq!(message.data, expected, "{kind:?} in {backend}");
            assert_eq!(message.shape, tensor.size());

            let wire = cdr::encode(&message).unwrap();
            let received: Message = cdr::decode_payload(wire.into()).unwrap();
            for message in [&message, &received] {
                let copy = from_input_tensor_msg(message).unwrap();
                assert_eq!((copy.kind(), copy.size()), (kind, tensor.size()));
                assert_eq!(bytes(&copy), expected, "{kind:?} from {backend}");
                assert_ne!(address(&copy), data_address(message));
            }
            // SAFETY: it is only read.
            let view = unsafe { view_input_tensor_msg(&message) }.unwrap();
            assert_eq!(address(&view), data_address(&message));
            assert_eq!(bytes(&view), expected);
            drop(view);

            let mut output: Message =
                allocate_tensor_msg(&backends, tensor.size(), kind, Some(backend)).unwrap();
            let mut target = from_output_tensor_msg(&mut output).unwrap();
            assert_eq!((target.kind(), target.size()), (kind, tensor.size()));
            target.copy_(&tensor);
            let written = address(&target);
            drop(target);
            assert_eq!(output, message, "{kind:?} in {backend}");
            assert_eq!(data_address(&output), written);
            assert_eq!(bytes(&into_tensor(message).unwrap()), expected);
        }
        let moved: Message = into_tensor_msg(&backends, tensor).unwrap();
        assert_eq!(moved.data, expected);
    }
}

#[test]
fn types_that_tch_has_no_name_for_pass_too() {
    let message = Message::from_vec([2, 2], vec![1_u16, 2, 3, 65_535]).unwrap();
    let tensor = from_input_tensor_msg(&message).unwrap();
    assert_eq!(dtype(&tensor).unwrap(), DType::U16);
    assert_eq!(tensor.size(), [2, 2]);
    assert_eq!(tensor.to_kind(Kind::Int).int64_value(&[1, 1]), 65_535);
    let (backends, _shm) = backends();
    let back: Message = to_tensor_msg(&backends, &tensor, Some("cpu")).unwrap();
    assert_eq!(
        back,
        Message {
            data: message.data.clone(),
            ..back.clone()
        }
    );
    assert_eq!(back.tensor().unwrap().as_slice::<u16>().unwrap()[3], 65_535);
}

#[test]
fn types_without_a_number_are_refused_by_name() {
    let (backends, _shm) = backends();
    let quantised =
        Tensor::rand([4], (Kind::Float, Device::Cpu)).quantize_per_tensor(0.1, 0, Kind::QInt8);
    let refused = to_tensor_msg::<Message>(&backends, &quantised, None).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "elements of torch's type QInt8 have no number in DLPack and so in no message; convert them with `to_kind` before"
    );
    let refused = allocate_tensor_msg::<Message>(&backends, [4], Kind::QInt32, None).unwrap_err();
    assert!(matches!(refused, TorchError::Type(name) if name == "QInt32"));

    let lanes = DType {
        lanes: 4,
        ..DType::U8
    };
    let message = Message::from_buffer(lanes, [2], vec![0; 8].into()).unwrap();
    let refused = from_input_tensor_msg(&message).unwrap_err().to_string();
    assert!(
        refused.starts_with("torch: ") && refused.contains("lanes"),
        "{refused}"
    );
}
