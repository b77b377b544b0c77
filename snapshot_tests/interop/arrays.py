"""Our tensors and those of Python's array libraries, in both directions: numpy, and torch, JAX and CuPy where they are installed.

usage: arrays.py PATH_TO_libdlpack_peer.so

Values, shape, strides, offset and type have to be the same, at the same address; what is shared cannot be written where
the library honours that; memory goes back once, after the last reference, on another thread too. With a GPU, and the
library built with the feature `cuda`, the same in its memory.
"""

import gc
import os
import sys
import threading
import time
import weakref

import numpy as np

from dlpack_peer import BFLOAT16, CPU, CUDA, LEGACY_STREAM, Lent, Library, Message, code_and_bits

DTYPES = [np.dtype(name) for name in
          ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16", "?")]
PLACES = ["vec", "payload", "shm"]
SOON = 30


def lent_by(array, **more):
    """A library's capsule, of DLPack 1 if it has that."""
    try:
        return array.__dlpack__(max_version=(1, 1), **more)
    except TypeError:
        return array.__dlpack__(**more)


class Numpy:
    name, takes_strides, device = "numpy", True, CPU

    def take(self, lent):
        return np.from_dlpack(lent)

    def values(self, array):
        return array

    def address(self, array):
        return array.ctypes.data

    def strides(self, array):
        return [stride // array.itemsize for stride in array.strides]

    def knows(self, dtype):
        return True

    def choose(self, make):
        """A message whose place suits the library."""
        return make()

    def make(self, values):
        return values.copy()

    def capsule(self, array, stream=None):
        return lent_by(array)

    def stream(self):
        return 0

    def add_one(self, array):
        array += 1

    def synchronize(self):
        pass


class Torch(Numpy):
    name = "torch"  # ignores that a tensor is read-only

    def __init__(self, device=CPU):
        import torch
        self.torch, self.device = torch, device

    def take(self, lent):
        return self.torch.from_dlpack(lent)

    def values(self, array):
        return array.cpu().numpy()

    def address(self, array):
        return array.data_ptr()

    def strides(self, array):
        return list(array.stride())

    def make(self, values):
        return self.torch.from_numpy(values).to("cuda" if self.device == CUDA else "cpu").clone(
            memory_format=self.torch.preserve_format)

    def capsule(self, array, stream=None):
        return lent_by(array, stream=stream)

    def stream(self):
        # 0 is named by 1 in DLPack.
        return (self.torch.cuda.current_stream().cuda_stream or LEGACY_STREAM) if self.device == CUDA else None

    def synchronize(self):
        if self.device == CUDA:
            self.torch.cuda.synchronize()


class Jax(Numpy):
    name, takes_strides = "jax", False

    def __init__(self, device=CPU):
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # others need memory too
        import jax
        jax.config.update("jax_enable_x64", True)
        self.jax, self.device = jax, device

    def choose(self, make):
        """It copies what does not start at a multiple of 64."""
        others = []
        while (message := make()).describe().address % 64:
            others.append(message)
        for other in others:
            other.free()
        return message

    def take(self, lent):
        return self.jax.dlpack.from_dlpack(lent)

    def values(self, array):
        return np.asarray(array)

    def address(self, array):
        return array.unsafe_buffer_pointer()

    def make(self, values):
        place = self.jax.devices("cuda" if self.device == CUDA else "cpu")[0]
        return self.jax.block_until_ready(self.jax.device_put(np.ascontiguousarray(values), place))

    def capsule(self, array, stream=None):
        return lent_by(array, stream=stream)

    def stream(self):
        return LEGACY_STREAM if self.device == CUDA else None


class Cupy(Numpy):
    name, device = "cupy", CUDA

    def __init__(self, device=CUDA):
        import cupy
        self.cupy = cupy
        cupy.cuda.runtime.getDeviceCount()

    def take(self, lent):
        return self.cupy.from_dlpack(lent)

    def values(self, array):
        return self.cupy.asnumpy(array)

    def address(self, array):
        return array.data.ptr

    def make(self, values):
        return self.cupy.asarray(values)

    def capsule(self, array, stream=None):
        return lent_by(array, stream=stream)

    def stream(self):
        return self.cupy.cuda.get_current_stream().ptr or LEGACY_STREAM

    def synchronize(self):
        self.cupy.cuda.Device().synchronize()


class Probe:
    """Notes what a library asks for, and has nothing."""

    def __init__(self, device):
        self.device, self.asked = device, {}

    def __dlpack__(self, **asked):
        self.asked = asked
        raise BufferError("a probe")

    def __dlpack_device__(self):
        return self.device, 0


def knows_flags(of):
    """Whether the library asks for DLPack 1, which can say that a tensor is read-only."""
    probe = Probe(of.device)
    try:
        of.take(probe)
    except BufferError:
        return probe.asked.get("max_version") is not None
    raise AssertionError(f"{of.name} took nothing for a tensor")


def eventually(what, holds):
    deadline = time.monotonic() + SOON
    while not holds():
        gc.collect()
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.001)


def numbers(dtype, count):
    return np.arange(count).astype(dtype) if dtype.kind != "b" else np.arange(count) % 3 == 0


def lends(library, of, place):
    """A library reads a message in place, and has it until its last reference is gone."""
    for dtype in DTYPES:
        if not of.knows(dtype):
            continue
        data = numbers(dtype, 64)
        # Rows of three, five apart, from the third element on; or the first six.
        shape, strides, first = ((2, 3), (5, 1), 2) if of.takes_strides else ((2, 3), (), 0)
        before = library.alive()
        message = of.choose(lambda: Message.new(library, place, data, shape, strides, first * dtype.itemsize))
        lent = Lent(message, (of.device, 0), writes=place == "own")
        array = of.take(lent)
        assert lent.was_taken(), (of.name, dtype)
        expected = np.lib.stride_tricks.as_strided(
            data[first:], shape, [stride * dtype.itemsize for stride in strides or (3, 1)])
        values = of.values(array)
        assert values.dtype == dtype and values.shape == shape, (of.name, dtype, values.dtype)
        assert (values == expected).all(), (of.name, place, dtype, values, expected)
        if of.takes_strides:
            assert of.strides(array) == list(strides), (of.name, of.strides(array))
        address = message.describe().address
        if address:
            assert of.address(array) == address + first * dtype.itemsize, f"{of.name} copied {dtype}"
        del values
        if isinstance(array, np.ndarray):
            assert not array.flags.writeable
            try:
                array[0, 0] = 1
            except ValueError:
                pass
            else:
                raise AssertionError("what is shared was written")
        message.free()
        if place in PLACES:
            assert library.alive() == before + 1
            # The last reference is another thread's.
            held = [array]
            del array, lent
            thread = threading.Thread(target=held.clear)
            thread.start()
            thread.join()
            eventually(f"{of.name} gives {dtype} back", lambda: library.alive() == before)


def lends_the_odd_ones(library, of):
    """Tensors of one element, and of none; what a library refuses is not lost."""
    before = library.alive()
    scalar = Message.new(library, "vec", numbers(np.dtype("f4"), 4), (), (), 8)
    array = of.take(Lent(scalar))
    assert of.values(array).shape == () and of.values(array) == 2
    empty = Message.new(library, "vec", np.empty(0, "i4"), (2, 0, 3))
    nothing = of.take(Lent(empty))
    assert of.values(nothing).shape == (2, 0, 3)
    if of.takes_strides:
        repeated = Message.new(library, "vec", numbers(np.dtype("i4"), 3), (4, 3), (0, 1))
        rows = of.take(Lent(repeated))
        assert (of.values(rows) == [[0, 1, 2]] * 4).all()
        repeated.free()
        del rows
    scalar.free()
    empty.free()
    del array, nothing
    eventually("odd ones come back", lambda: library.alive() == before)


def lends_bfloat16(library, of):
    """Numpy has no such type and says so; the others read it."""
    before = library.alive()
    message = Message.new(library, "vec", np.array([0x3F80, 0xC000], "u2"), dtype=BFLOAT16)
    lent = Lent(message)
    if of.name == "numpy":
        try:
            of.take(lent)
        except (BufferError, RuntimeError):
            lent.take_back()
        else:
            raise AssertionError("numpy reads bfloat16 now: compare the values here")
    else:
        array = of.take(lent)
        floats = array.float() if of.name == "torch" else array.astype("float32")
        assert of.values(floats).tolist() == [1, -2]
        del array, floats
    message.free()
    eventually("bfloat16 comes back", lambda: library.alive() == before)


def is_written(library, of):
    """A library writes a message in place, which has it for itself again afterwards."""
    place = "cuda, unwritten" if of.device == CUDA else "own"
    for legacy in (False, True):
        message = Message.new(library, place, numbers(np.dtype("i4"), 12), (3, 4))
        lent = Lent(message, (of.device, 0), writes=True, legacy=legacy)
        array = of.take(lent)
        if of.device == CPU:
            assert of.address(array) == message.describe().address
        if legacy and of.name == "numpy":
            # It takes whatever the older struct brings for read-only.
            assert (array == numbers(np.dtype("i4"), 12).reshape(3, 4)).all() and not array.flags.writeable
            message.free()
            continue
        array[:] = 0
        array[:, 1] += 7
        del array, lent
        gc.collect()
        assert message.values().tolist() == [[0, 7, 0, 0]] * 3, message.values()
        message.free()


def is_refused_to_older_libraries(library):
    """A library that cannot be told that it must not write gets nothing."""
    message = Message.new(library, "vec", numbers(np.dtype("i4"), 4))
    try:
        Lent(message).__dlpack__()
    except BufferError as error:
        assert "read-only" in str(error), error
    else:
        raise AssertionError("what is shared was lent without a flag")
    message.free()


def takes(library, of):
    """A library's array is a message in place, which keeps it until the last reference is gone."""
    sources = {
        "whole": lambda base: base,
        "from within": lambda base: base[1:, 2:],
        "transposed": lambda base: base.T,
        "each other one": lambda base: base[::2, ::3],
        "one": lambda base: base[2, 1],
        "none": lambda base: base[:, :0],
    }
    for dtype in DTYPES:
        if not of.knows(dtype):
            continue
        for what, part in sources.items():
            values = numbers(dtype, 35).reshape(5, 7)
            if not of.takes_strides and what != "whole":
                continue
            base = of.make(values)
            array = part(base)
            expected = part(values)
            if not hasattr(array, "__dlpack__"):
                continue  # a number
            address, stream = of.address(array), of.stream()
            message = library.take(of.capsule(array, stream), stream or 0)
            said = message.describe()
            assert (said.code, said.bits) == code_and_bits(dtype), (of.name, dtype)
            assert said.shape[:said.rank] == list(expected.shape), (of.name, what)
            if expected.size and of.device == CPU:
                assert said.address + said.byte_offset == address, f"{of.name}: {what} was copied"
            if expected.size and of.takes_strides:
                assert said.strides[:said.strided] == of.strides(array), (of.name, what)
            gone = weakref.ref(base) if isinstance(base, np.ndarray) else None
            del base, array
            gc.collect()
            assert gone is None or gone() is not None
            assert (message.values() == expected).all(), (of.name, what, dtype)
            message.free(elsewhere=True)
            if gone is not None:
                gc.collect()
                assert gone() is None, f"{what} was not given back"


def takes_the_odd_ones():
    """What we refuse goes back; a read-only array and the older struct are taken."""
    base = np.arange(6)
    base.flags.writeable = False
    message = library.take(base.__dlpack__(max_version=(1, 1)))
    assert (message.values() == np.arange(6)).all()
    message.free()
    base = np.arange(6)
    message = library.take(base.__dlpack__())
    assert message.describe().address == base.ctypes.data
    message.free()
    references = sys.getrefcount(base)
    for part, says in [(base[::-1], "negative"), (base[:, None][::-1], "negative")]:
        try:
            library.take(part.__dlpack__(max_version=(1, 1)))
        except BufferError as error:
            assert says in str(error), error
        else:
            raise AssertionError("a reversed array was taken")
    del part
    assert sys.getrefcount(base) == references, "what was refused was not given back"
    # One element has no steps.
    message = library.take(base[:1][::-1].__dlpack__(max_version=(1, 1)))
    assert message.values().tolist() == [0]
    message.free()


def on_the_host(library, of):
    if knows_flags(of):
        for place in PLACES:
            lends(library, of, place)
        lends_the_odd_ones(library, of)
        lends_bfloat16(library, of)
        is_written(library, of)
    else:
        lends(library, of, "own")
    takes(library, of)


def on_the_gpu(library, of):
    before = library.c.cuda_blocks_used()
    if knows_flags(of):
        lends(library, of, "cuda")
    else:
        print(f"arrays: {of.name} asks for the older DLPack, which cannot say that what is shared is read-only")
    if of.name != "jax":
        is_written(library, of)
    takes(library, of)
    of.synchronize()
    eventually(f"{of.name} gives blocks back", lambda: library.c.cuda_blocks_used() <= before)


if __name__ == "__main__":
    library = Library(sys.argv[1])
    is_refused_to_older_libraries(library)
    has_dlpack_1 = np.lib.NumpyVersion(np.__version__) >= "2.1.0"
    if has_dlpack_1:
        takes_the_odd_ones()
    for kind in (Numpy, Torch, Jax):
        if kind is Numpy and not has_dlpack_1:
            print(f"arrays: numpy skipped, {np.__version__} does not know DLPack 1")
            continue
        try:
            of = kind()
        except ImportError as error:
            print(f"arrays: {kind.name} skipped, {error}")
            continue
        on_the_host(library, of)
        print(f"arrays: {of.name} and our tensors of the host agree, both ways, in place")
    why_not = library.has_cuda()
    if why_not:
        print(f"arrays: GPU skipped, {why_not}")
    else:
        for kind in (Torch, Cupy, Jax):
            try:
                of = kind(CUDA)
                of.make(np.zeros(1, "f4"))
            except Exception as error:  # not installed, or for the host only
                print(f"arrays: {kind.name} on the GPU skipped, {error}")
                continue
            on_the_gpu(library, of)
            print(f"arrays: {of.name} and our tensors of the GPU agree, both ways")
    assert library.alive() == 0, library.alive()
