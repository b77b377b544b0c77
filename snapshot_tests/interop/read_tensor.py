"""The example `examples/read_tensor.py` on tensors that Rust wrote: from a file, and from a node over Zenoh.

usage: read_tensor.py PATH_TO_cdr_peer PATH_TO_ros_peer
"""

import importlib.util
import json
import pathlib
import queue
import subprocess
import sys
import tempfile
import warnings

import numpy as np

from zenoh_peer import (SOON, attachment, endpoint_token, free_port, gid_of, hashes, node_token, open_session, start,
                        wait_for)

EXAMPLE = pathlib.Path(__file__).resolve().parents[2] / "examples" / "read_tensor.py"
DOMAIN = 79


def load_example():
    spec = importlib.util.spec_from_file_location("example", EXAMPLE)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    return example


def rust_writes(program, **fields):
    """The message as the Rust types encode it."""
    request = json.dumps({"type": example.NAME, "value": fields})
    answer = json.loads(subprocess.run([program], input=request + "\n", capture_output=True, text=True, check=True).stdout)
    return bytes.fromhex(answer["cdr"])


def fields(values, strides=(), shape=None, byte_offset=0, code=2, bits=32, lanes=1):
    data = np.ascontiguousarray(values)
    return {"dtype_code": code, "dtype_bits": bits, "dtype_lanes": lanes, "byte_offset": byte_offset,
            "shape": list(data.shape if shape is None else shape), "strides": list(strides),
            "data": list(data.tobytes())}


def from_a_file(program):
    values = np.arange(12, dtype="f4").reshape(3, 4)
    read = lambda **said: example.as_numpy(example.decode(rust_writes(program, **said)))
    payload = rust_writes(program, **fields(values))
    array = example.as_numpy(example.decode(payload))
    assert (array == values).all()
    assert (read(**fields(values, (1, 4), (4, 3))) == values.T).all()
    assert (read(**fields(values, (4, 2), (2, 2), 4)) == values[:2, 1::2]).all()
    assert (read(**fields(values, (0,), (3,))) == [0, 0, 0]).all()
    assert read(**fields(values, (), (), 8)) == 2
    assert read(**fields(np.empty(0, "f4"), (), (2, 0))).shape == (2, 0)
    assert read(**fields(np.array([0x3F80], "u2"), code=4, bits=16)).tolist() == [0x3F80]
    for wrong, says in [
        (fields(values, shape=(3, 5)), "ends at byte 60 of 48"),
        (fields(values, byte_offset=4), "ends at byte 52 of 48"),
        (fields(values, byte_offset=2**64 - 4), "of 48"),
        (fields(values, (2**62, 1)), "of 48"),
        (fields(values, (1,)), "1 strides for 2 dimensions"),
        (fields(values, (-4, 1)), "negative"),
        (fields(values, shape=(-1, 4)), "negative"),
        (fields(values, code=9), "no type for code 9"),
        (fields(values, lanes=2), "2 lanes"),
    ]:
        try:
            read(**wrong)
        except ValueError as error:
            assert says in str(error), error
        else:
            raise AssertionError(f"read: {says}")
    with tempfile.NamedTemporaryFile() as file:
        file.write(payload)
        file.flush()
        said = subprocess.run([sys.executable, EXAMPLE, "--file", file.name], capture_output=True, text=True, check=True)
    assert said.stdout.startswith("float32 [3, 4], mean 5.5000"), said.stdout


def with_torch(program):
    import torch

    values = np.arange(12, dtype="f4").reshape(3, 4)
    message = example.decode(rust_writes(program, **fields(values, (1, 4), (4, 3))))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tensor = example.as_torch(message)
    assert tensor.dtype == torch.float32 and tensor.stride() == (1, 4)
    assert (tensor.numpy() == values.T).all()
    assert tensor.data_ptr() == example.as_numpy(message).ctypes.data
    message = example.decode(rust_writes(program, **fields(np.array([0x3F80, 0xC000], "u2"), code=4, bits=16)))
    assert example.as_torch(message).tolist() == [1, -2]


def from_a_node(writer, program):
    """The node sends back on another topic what it gets, written anew."""
    port, heard = free_port(), queue.Queue()
    type_hash = hashes()[example.NAME]
    with open_session(port) as session:
        seen = []
        watcher = session.liveliness().declare_subscriber(
            f"@ros2_lv/{DOMAIN}/**", lambda sample: seen.append(str(sample.key_expr)), history=True)
        text = endpoint_token(session, DOMAIN, "MP", "interop/tensor", example.NAME, type_hash)
        own = [session.liveliness().declare_token(token) for token in (node_token(session, DOMAIN), text)]
        reader = example.subscribe(session, "/interop/tensor_back", heard.put, DOMAIN)
        publisher = session.declare_publisher(
            f"{DOMAIN}/interop/tensor/tensor_msgs::msg::dds_::ExperimentalTensor_/{type_hash}")
        peer = start([program, "tensors"], DOMAIN, port, stdin=subprocess.PIPE)
        try:
            wait_for("the node's topics", lambda: all(
                any(f"/{kind}/" in token and f"%interop%tensor{end}/" in token for token in seen)
                for kind, end in (("MS", ""), ("MP", "_back"))))
            wait_for("the node listens", lambda: publisher.matching_status.matching)
            values = np.arange(2000, dtype="f8").reshape(40, 50)
            payload = rust_writes(writer, **fields(values, bits=64))
            publisher.put(payload, attachment=attachment(1, gid_of(text)))
            array = example.as_numpy(heard.get(timeout=SOON))
            assert (array == values).all() and array.dtype == values.dtype
        finally:
            peer.stdin.close()
            peer.wait(timeout=SOON)
        del reader, own, watcher


if __name__ == "__main__":
    example = load_example()
    from_a_file(sys.argv[1])
    from_a_node(sys.argv[1], sys.argv[2])
    print("read_tensor: numpy reads what Rust wrote, from a file and from a node")
    try:
        with_torch(sys.argv[1])
        print("read_tensor: torch too")
    except ImportError as error:
        print(f"read_tensor: torch skipped, {error}")
