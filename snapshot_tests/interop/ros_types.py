"""The project's interface files as rosbags types, and random values of them."""

import pathlib
import re

import numpy as np
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.interfaces import Nodetype

ROOT = pathlib.Path(__file__).resolve().parents[2]
MSG = ROOT / "msg"


def load():
    """A store with every message of `msg/`. ROS 2 lowers `char` to `uint8`, which rosbags leaves to us."""
    store = get_typestore(Stores.EMPTY)
    types, wide = {}, set()
    for path in sorted(MSG.glob("*/msg/*.msg")):
        name = f"{path.parts[-3]}/msg/{path.stem}"
        text = path.read_text(encoding="utf-8")
        if re.search(r"^wstring", text, re.MULTILINE):
            wide.add(name)  # rosbags has no wstring
            continue
        types.update(get_types_from_msg(re.sub(r"^char\b", "uint8", text, flags=re.MULTILINE), name))
    store.register(types)
    return store, wide


def numpy_type(name):
    """The numpy type of a primitive; rosbags takes `byte` as a signed number."""
    return np.dtype({"byte": "int8", "octet": "int8", "char": "uint8", "bool": "bool"}.get(name, name))


def random_base(rng, name, bound):
    if name == "string":
        length = int(rng.integers(0, min(bound or 12, 12) + 1))
        return "".join(rng.choice(list("abcä漢 /_"), size=length))
    if name == "bool":
        return bool(rng.integers(0, 2))
    dtype = numpy_type(name)
    if dtype.kind == "f":
        return float(np.float32(rng.normal(scale=1e3)))
    info = np.iinfo(dtype)
    return int(rng.integers(info.min, info.max, endpoint=True, dtype=dtype))


# What ROS gives a message without fields; ours has no such field and writes zero.
PLACEHOLDER = "structure_needs_at_least_one_member"


def random_value(rng, store, node):
    """A value for a field, as rosbags wants it."""
    kind, detail = node
    if kind == Nodetype.BASE:
        return random_base(rng, *detail)
    if kind == Nodetype.NAME:
        return random_message(rng, store, detail)
    (item, count) = detail
    if kind == Nodetype.SEQUENCE:
        count = int(rng.integers(0, min(count or 6, 6) + 1))
    items = [random_value(rng, store, item) for _ in range(count)]
    if item[0] == Nodetype.BASE and item[1][0] != "string":
        return np.array(items, dtype=numpy_type(item[1][0]))
    return items


def random_message(rng, store, name):
    _, fields = store.fielddefs[name]
    values = {field: 0 if field == PLACEHOLDER else random_value(rng, store, node) for field, node in fields}
    return store.types[name](**values)


def to_json(store, node, value):
    """The value as the project's serde form has it."""
    kind, detail = node
    if kind == Nodetype.BASE:
        return value % 256 if detail[0] in ("byte", "octet") else value
    if kind == Nodetype.NAME:
        return message_to_json(store, detail, value)
    return [to_json(store, detail[0], item) for item in (value.tolist() if isinstance(value, np.ndarray) else value)]


def message_to_json(store, name, message):
    _, fields = store.fielddefs[name]
    pairs = [(field, to_json(store, node, getattr(message, field))) for field, node in fields]
    return {field: value for field, value in pairs if field != PLACEHOLDER}
