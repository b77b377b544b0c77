"""Our tensors in Python, by the C interface of `snapshot_tests/dlpack` and capsules made by hand.

`Message` is one of our messages. `Lent` is what array libraries' `from_dlpack` asks for: an object with the two methods of
DLPack's Python protocol.
"""

import ctypes
import math
from ctypes import POINTER, byref, c_bool, c_char_p, c_int64, c_size_t, c_ssize_t, c_uint8, c_uint16, c_uint32, c_uint64, c_void_p, py_object

import numpy as np

CPU, CUDA = 1, 2
LEGACY_STREAM = 1
# A capsule points to its name, so these stay.
VERSIONED, USED_VERSIONED = b"dltensor_versioned", b"used_dltensor_versioned"
LEGACY, USED_LEGACY = b"dltensor", b"used_dltensor"

_new = ctypes.pythonapi.PyCapsule_New
_new.restype, _new.argtypes = py_object, [c_void_p, c_char_p, c_void_p]
_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype, _pointer.argtypes = c_void_p, [py_object, c_char_p]
_is_valid = ctypes.pythonapi.PyCapsule_IsValid
_is_valid.argtypes = [py_object, c_char_p]
_set_name = ctypes.pythonapi.PyCapsule_SetName
_set_name.argtypes = [py_object, c_char_p]


class Described(ctypes.Structure):
    _fields_ = [
        ("code", c_uint8), ("bits", c_uint8), ("lanes", c_uint16), ("rank", c_uint32), ("strided", c_uint32),
        ("shape", c_int64 * 8), ("strides", c_int64 * 8), ("byte_offset", c_uint64), ("len", c_size_t),
        ("address", c_size_t),
    ]


class Library:
    """The functions of the shared library."""

    def __init__(self, path):
        self.c = ctypes.CDLL(path)  # lets other threads of Python run during a call
        for name, result, arguments in [
            ("tensor_error", c_char_p, []),
            ("tensors_alive", c_ssize_t, []),
            ("tensor_new", c_void_p, [c_char_p, POINTER(Described)]),
            ("tensor_describe", None, [c_void_p, POINTER(Described)]),
            ("tensor_read", c_bool, [c_void_p, c_void_p]),
            ("tensor_free", None, [c_void_p, c_bool]),
            ("tensor_lend", c_void_p, [c_void_p, c_bool, c_size_t]),
            ("tensor_write", c_void_p, [c_void_p, c_bool, c_size_t]),
            ("tensor_take", c_void_p, [c_void_p, c_bool, c_size_t]),
            ("tensor_delete", None, [c_void_p, c_bool]),
        ]:
            function = getattr(self.c, name)
            function.restype, function.argtypes = result, arguments

    def check(self, result):
        if not result:
            raise BufferError(self.c.tensor_error().decode())
        return result

    def alive(self):
        return self.c.tensors_alive()

    def has_cuda(self):
        """Whether the library was built for GPUs and there is one; else why not."""
        if not hasattr(self.c, "cuda_blocks_used"):
            return "the library is built without the feature `cuda`"
        try:
            Message.new(self, "cuda", np.zeros(1, np.uint8)).free()
        except BufferError as error:
            return str(error)
        return None

    def take(self, capsule, stream=0):
        """A message of a library's capsule, in place."""
        legacy = not _is_valid(capsule, VERSIONED)
        name, used = (LEGACY, USED_LEGACY) if legacy else (VERSIONED, USED_VERSIONED)
        pointer = _pointer(capsule, name)
        _set_name(capsule, used)  # it is ours from here on, also if it is refused
        return Message(self, self.check(self.c.tensor_take(pointer, legacy, stream)))


# Code of DLPack, as numpy's kinds.
CODES = {"i": 0, "u": 1, "f": 2, "c": 5, "b": 6}
KINDS = {code: kind for kind, code in CODES.items()}
BFLOAT16 = (4, 16)


def code_and_bits(dtype):
    return CODES[dtype.kind], 8 * dtype.itemsize


class Message:
    """`tensor_msgs/msg/ExperimentalTensor`, in Rust."""

    def __init__(self, library, handle):
        self.library, self.handle = library, handle

    @classmethod
    def new(cls, library, place, data, shape=None, strides=(), byte_offset=0, dtype=None):
        """Of the bytes of an array, in the memory `place`."""
        code, bits = dtype or code_and_bits(data.dtype)
        shape = data.shape if shape is None else shape
        said = Described(code=code, bits=bits, lanes=1, rank=len(shape), strided=len(strides), shape=tuple(shape),
                         strides=tuple(strides), byte_offset=byte_offset, len=data.nbytes, address=data.ctypes.data)
        return cls(library, library.check(library.c.tensor_new(place.encode(), byref(said))))

    def describe(self):
        said = Described()
        self.library.c.tensor_describe(self.handle, byref(said))
        return said

    def values(self):
        """A copy of the elements, read where the message says that they are."""
        said = self.describe()
        shape, strides = said.shape[:said.rank], said.strides[:said.strided]
        dtype = np.dtype(f"{KINDS[said.code]}{said.bits // 8}")
        data = np.empty(said.len, np.uint8)
        self.library.check(self.library.c.tensor_read(self.handle, data.ctypes.data))
        if 0 in shape:
            return np.empty(shape, dtype)
        start = data[said.byte_offset:]
        if not strides:
            count = math.prod(shape)
            return start[:count * dtype.itemsize].view(dtype).reshape(shape).copy()
        first = start[:dtype.itemsize].view(dtype)
        steps = [stride * dtype.itemsize for stride in strides]
        return np.lib.stride_tricks.as_strided(first, shape, steps).copy()

    def free(self, elsewhere=False):
        """On another thread, if it is to be."""
        self.library.c.tensor_free(self.handle, elsewhere)
        self.handle = None


class Lent:
    """A message as array libraries ask for it, to be read or written. A library that says no `max_version` knows the older
    struct only."""

    def __init__(self, message, device=(CPU, 0), writes=False, legacy=False):
        self.message, self.device, self.writes, self.legacy = message, device, writes, legacy
        self.capsule = None
        self.stream = None

    def __dlpack__(self, *, stream=None, max_version=None, dl_device=None, copy=None):
        legacy = self.legacy or max_version is None
        self.stream = LEGACY_STREAM if stream in (None, -1) else stream
        library = self.message.library
        lend = library.c.tensor_write if self.writes else library.c.tensor_lend
        pointer = library.check(lend(self.message.handle, legacy, self.stream))
        self.name = LEGACY if legacy else VERSIONED
        self.capsule = _new(pointer, self.name, None)
        return self.capsule

    def __dlpack_device__(self):
        return self.device

    def was_taken(self):
        return self.capsule is not None and not _is_valid(self.capsule, self.name)

    def take_back(self):
        """What no library took."""
        assert not self.was_taken()
        pointer = _pointer(self.capsule, self.name)
        _set_name(self.capsule, b"used")
        self.message.library.c.tensor_delete(pointer, self.name == LEGACY)
