//! Which fields may hold a descriptor: those that are buffers in ROS 2 too, and no others.

use std::fmt::Debug;

use rosidl_buffer_runtime::{
    BoundedBuffer, Buffer, BufferMessage, DecodeErrorKind, Field, Message, cdr,
};

use super::Load;
use super::depot::{Depot, known};

macro_rules! messages {
    ($($(#[$attribute:meta])* $name:ident: $ty:ty;)*) => {$(
        #[derive(Debug, Clone, PartialEq, BufferMessage)]
        #[ros2(package = "depot_msgs")]
        struct $name {
            $(#[$attribute])*
            data: $ty,
        }
    )*};
}

messages! {
    #[ros2(char)] Chars: Buffer<u8>;
    #[ros2(byte)] Octets: Buffer<u8>;
    #[ros2(idl_char)] IdlChars: Buffer<u8>;
    #[ros2(bound = 5000)] Bound: Buffer<u8>;
    Bounded: BoundedBuffer<u8, 5000>;
    Signed: Buffer<i8>;
    Floats: Buffer<f32>;
    #[ros2(wchar)] WChars: Buffer<u16>;
    Numbers: Vec<u8>;
    #[ros2(bound = 2)] Loads: Vec<Load>;
    LoadPair: [Load; 2];
    NoLoad: Vec<Octets>;
}

#[test]
fn a_type_says_whether_it_has_ros_buffers() {
    const {
        assert!(Load::HAS_ROS_BUFFERS && Chars::HAS_ROS_BUFFERS);
        assert!(Loads::HAS_ROS_BUFFERS && LoadPair::HAS_ROS_BUFFERS);
        assert!(!Octets::HAS_ROS_BUFFERS && !IdlChars::HAS_ROS_BUFFERS && !NoLoad::HAS_ROS_BUFFERS);
        assert!(!Bound::HAS_ROS_BUFFERS && !Bounded::HAS_ROS_BUFFERS);
        assert!(!Signed::HAS_ROS_BUFFERS && !Floats::HAS_ROS_BUFFERS && !WChars::HAS_ROS_BUFFERS);
        assert!(!Numbers::HAS_ROS_BUFFERS);
        assert!(Octets::HAS_BUFFERS && Bound::HAS_BUFFERS && Floats::HAS_BUFFERS);
    }
}

#[test]
fn chars_are_bytes_of_a_ros_buffer() {
    let depot = Depot::new("depot");
    let (registry, peer) = known(&depot);
    let mut bytes = Vec::new();
    let chars = Chars {
        data: depot.goods(5000, ""),
    };
    let described = cdr::encode_for(&chars, &registry, &peer, &mut bytes).unwrap();
    assert_eq!(described.count(), 1);
    described.sent();
    assert_eq!(
        cdr::decode_payload_with::<Chars>(bytes.into(), &registry).unwrap(),
        chars
    );
}

/// Bytes go out, and a descriptor that comes in is refused; `load` is a message with a descriptor where the field stands.
fn is_ordinary<M: Message + PartialEq + Debug>(
    depot: &std::sync::Arc<Depot>,
    message: &M,
    load: &[u8],
) {
    let (registry, peer) = known(depot);
    let mut bytes = Vec::new();
    let described = cdr::encode_for(message, &registry, &peer, &mut bytes).unwrap();
    assert_eq!(described.count(), 0, "{}", M::TYPE_NAME);
    drop(described);
    assert_eq!(bytes, cdr::encode(message).unwrap(), "{}", M::TYPE_NAME);
    let decoded: M = cdr::decode_payload_with(bytes.into(), &registry).unwrap();
    assert_eq!(decoded, *message);

    let error = cdr::decode_payload_with::<M>(load.to_vec().into(), &registry).unwrap_err();
    assert_eq!(
        *error.kind(),
        DecodeErrorKind::NoBuffer("depot".into()),
        "{error}"
    );
    assert_eq!(error.field(), format!("{}.data", M::TYPE_NAME));
    let error = cdr::decode::<M>(load).unwrap_err();
    assert_eq!(
        *error.kind(),
        DecodeErrorKind::UnknownBackend("depot".into()),
        "{error}"
    );
    assert_eq!(cdr::view::<M>(load).map(drop).unwrap_err(), error);
}

#[test]
fn what_is_no_buffer_in_ros_is_bytes() {
    let depot = Depot::new("depot");
    let (registry, peer) = known(&depot);
    let goods = || depot.goods(5000, "");
    let mut load = Vec::new();
    cdr::encode_for(&Load { data: goods() }, &registry, &peer, &mut load)
        .unwrap()
        .sent();

    is_ordinary(&depot, &Octets { data: goods() }, &load);
    is_ordinary(&depot, &IdlChars { data: goods() }, &load);
    is_ordinary(&depot, &Bound { data: goods() }, &load);
    let data = goods().try_into().unwrap();
    is_ordinary(&depot, &Bounded { data }, &load);
    is_ordinary(
        &depot,
        &Signed {
            data: depot.goods_of(5000, ""),
        },
        &load,
    );
    is_ordinary(
        &depot,
        &Floats {
            data: depot.goods_of(5000, ""),
        },
        &load,
    );
    is_ordinary(
        &depot,
        &WChars {
            data: depot.goods_of(5000, ""),
        },
        &load,
    );
    is_ordinary(&depot, &Numbers { data: vec![1, 2] }, &load);
    assert_eq!(depot.pending(), [1], "none was described, none was taken");
}

#[test]
fn a_bound_of_messages_does_not_reach_into_them() {
    let depot = Depot::new("depot");
    let (registry, peer) = known(&depot);
    let load = || Load {
        data: depot.goods(5000, ""),
    };
    let loads = Loads {
        data: vec![load(), load()],
    };
    let pair = LoadPair {
        data: [load(), load()],
    };
    let mut bytes = Vec::new();
    cdr::encode_for(&loads, &registry, &peer, &mut bytes)
        .unwrap()
        .sent();
    assert_eq!(
        cdr::decode_payload_with::<Loads>(bytes.clone().into(), &registry).unwrap(),
        loads
    );
    cdr::encode_for(&pair, &registry, &peer, &mut bytes)
        .unwrap()
        .sent();
    assert_eq!(
        cdr::decode_payload_with::<LoadPair>(bytes.into(), &registry).unwrap(),
        pair
    );
    assert_eq!(depot.pending(), [0; 0]);
}
