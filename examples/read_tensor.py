"""Reads tensors (`tensor_msgs/msg/ExperimentalTensor`) in Python, with numpy and, where it is installed, torch.

    python3 -m pip install numpy rosbags eclipse-zenoh
    python3 examples/read_tensor.py --topic /tensor      # from nodes over Zenoh
    python3 examples/read_tensor.py --file tensor.cdr    # a message as it travels

An array is a view of the message's data, which rosbags copies once out of what came. What a message says is compared with its
data first.
"""

import argparse
import pathlib
import queue
import warnings

import numpy as np
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

NAME = "tensor_msgs/msg/ExperimentalTensor"
FIELDS = """
uint8 dtype_code
uint8 dtype_bits
uint16 dtype_lanes
int64[] shape
int64[] strides
uint64 byte_offset
uint8[] data
"""
STORE = get_typestore(Stores.EMPTY)
STORE.register(get_types_from_msg(FIELDS, NAME))

# Codes of DLPack as numpy's kinds; what numpy does not have is read as numbers of the same size.
KINDS = {0: "i", 1: "u", 2: "f", 5: "c", 6: "b"}
BFLOAT = 4


def decode(payload):
    """The message in bytes as they travel, and as they stand in a bag."""
    return STORE.deserialize_cdr(payload, NAME)


def as_numpy(message):
    """The tensor as an array, in place; bfloat16 as `uint16`. A ValueError if it is none."""
    bits = message.dtype_bits
    kind = "u" if message.dtype_code == BFLOAT else KINDS.get(message.dtype_code)
    try:
        dtype = np.dtype(f"{kind}{bits // 8}")
    except TypeError:
        raise ValueError(f"numpy has no type for code {message.dtype_code} of {bits} bits") from None
    if kind == "f" and bits > 64 or kind == "c" and bits > 128:
        raise ValueError(f"floats of {bits} bits mean something else on each machine")
    if bits % 8 or message.dtype_lanes != 1:
        raise ValueError(f"elements of {bits} bits in {message.dtype_lanes} lanes are not read here")
    shape, steps = [int(size) for size in message.shape], [int(stride) for stride in message.strides]
    if steps and len(steps) != len(shape):
        raise ValueError(f"{len(steps)} strides for {len(shape)} dimensions")
    if min(shape + steps, default=0) < 0:
        raise ValueError(f"negative sizes or strides: {shape}, {steps}")
    if 0 in shape:
        return np.empty(shape, dtype)
    if not steps:
        steps = [int(np.prod(shape[axis + 1:], dtype=object)) for axis in range(len(shape))]
    last = sum((size - 1) * stride for size, stride in zip(shape, steps))
    needed = int(message.byte_offset) + (last + 1) * dtype.itemsize
    if needed > len(message.data):
        raise ValueError(f"the tensor ends at byte {needed} of {len(message.data)}")
    strides = [stride * dtype.itemsize for stride in steps]
    return np.ndarray(shape, dtype, message.data, int(message.byte_offset), strides)


def as_torch(message):
    """The tensor for torch, which shares the array's memory. Do not write it: torch does not know that it may not."""
    import torch

    array = as_numpy(message)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that the bytes of a message may not be written
        if message.dtype_code == BFLOAT:
            return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
        return torch.from_numpy(array)


def describe(message):
    """One line on the tensor."""
    array = as_numpy(message)
    if message.dtype_code == BFLOAT:
        text = f"bfloat16 {list(array.shape)}"
    else:
        # Strides of zero make any number of elements out of one.
        is_small = 0 < array.size <= len(message.data)
        mean = f", mean {array.mean():.4f}" if is_small and array.dtype.kind in "iuf" else ""
        text = f"{array.dtype} {list(array.shape)}{mean}"
    try:
        text += f", torch {as_torch(message).dtype}"
    except (ImportError, TypeError):
        pass  # it is not installed, or does not have the type
    return text


def subscribe(session, topic, heard, domain=0):
    """Calls `heard` with each message on a topic. Keep what is returned."""
    key = f"{domain}/{topic.strip('/')}/tensor_msgs::msg::dds_::ExperimentalTensor_/*"
    subscriber = session.declare_subscriber(key, lambda sample: heard(decode(sample.payload.to_bytes())))
    # The liveliness token of a ROS node's subscription with default QoS: nodes see us as one of theirs.
    place, type_hash = "%" + topic.strip("/").replace("/", "%"), STORE.hash_rihs01(NAME)
    token = session.liveliness().declare_token(
        f"@ros2_lv/{domain}/{session.info.zid()}/0/1/MS/%/%/read_tensor/{place}/"
        f"tensor_msgs::msg::dds_::ExperimentalTensor_/{type_hash}/::,:,:,:,,")
    return subscriber, token


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--file", type=pathlib.Path, help="a message in CDR, with its header of four bytes")
    source.add_argument("--topic", help="a topic of ROS nodes over Zenoh")
    parser.add_argument("--connect", help="where a node or router is, tcp/127.0.0.1:7447 for instance; else nodes are looked for")
    parser.add_argument("--domain", type=int, default=0, help="ROS_DOMAIN_ID of the nodes")
    parser.add_argument("--count", type=int, help="end after so many messages")
    arguments = parser.parse_args()
    if arguments.file:
        print(describe(decode(arguments.file.read_bytes())))
        return

    import zenoh

    config = zenoh.Config()
    if arguments.connect:
        config.insert_json5("connect/endpoints", f'["{arguments.connect}"]')
    messages = queue.Queue(maxsize=10)

    def heard(message):
        try:
            messages.put_nowait(message)
        except queue.Full:
            print("a message was left out: they come faster than they are read")

    with zenoh.open(config) as session:
        kept = subscribe(session, arguments.topic, heard, arguments.domain)
        read = 0
        while arguments.count is None or read < arguments.count:
            try:
                print(describe(messages.get()), flush=True)
            except ValueError as error:
                print(f"a message is no tensor: {error}", flush=True)
            read += 1
        del kept


if __name__ == "__main__":
    main()
