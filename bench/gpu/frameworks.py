#!/usr/bin/env python3
"""What Python's frameworks offer for the same: a frame of GPU memory from one process to another, in lock-step on one GPU.

    python3 bench/gpu/frameworks.py            (needs torch; cuda.core too, where it is to be measured)

torch: two tensors in turn through a SimpleQueue of torch.multiprocessing, and an interprocess event that the reader's stream
waits for. cuda.core: two buffers of an IPC pool, passed on once; an event is made, exported and imported for each frame, since
it records none twice; the reader spins on shared words. A kernel writes the pattern of the frame's number, a kernel in the
reader compares every word. Host part: from before the event is recorded until the reader's stream was told to wait.
"""

import os
import pickle
import sys
import time
from multiprocessing import shared_memory

import torch
import torch.multiprocessing as multiprocessing

MB = 1 << 20
WRITER_CORE, READER_CORE = 2, 4
# Places in the shared words: frames sent, frames compared, when the reader had the frame, whether it was right; then bytes.
SENT, COMPARED, HAS, RIGHT, LENGTH, BYTES = 0, 1, 2, 3, 4, 64


def words(memory):
    return memory.buf.cast("Q")


def pattern(count):
    return torch.arange(count, dtype=torch.int32, device="cuda") * 40503


def pin(core):
    if core in os.sched_getaffinity(0):
        os.sched_setaffinity(0, {core})


def wait(shared, place, value):
    while shared[place] < value:
        pass


class Torch:
    name = "torch SimpleQueue, event waited for"

    @staticmethod
    def prepare(size, stream, channel):
        event = torch.cuda.Event(interprocess=True)
        event.record(stream)
        channel.put(event.ipc_handle())
        return [torch.empty(size // 4, dtype=torch.int32, device="cuda") for _ in range(2)], event

    @staticmethod
    def send(frame, prepared, stream, channel, shared, memory):
        tensors, event = prepared
        event.record(stream)
        channel.put(tensors[frame % 2])
        shared[SENT] = frame + 1

    @staticmethod
    def tensor(frame, prepared):
        return prepared[0][frame % 2]

    @staticmethod
    def connect(size, stream, channel):
        return torch.cuda.Event.from_ipc_handle(torch.device("cuda", 0), channel.get())

    @staticmethod
    def take(frame, event, stream, channel, shared, memory):
        tensor = channel.get()
        event.wait(stream)
        return tensor


class Core:
    name = "cuda.core IPC pool, buffers cached, event per frame"

    @staticmethod
    def device():
        from cuda.core import Device

        device = Device(0)
        device.set_current()
        return device

    @staticmethod
    def stream(stream):
        from cuda.core import Stream

        return Stream.from_handle(stream.cuda_stream)

    @classmethod
    def prepare(cls, size, stream, channel):
        from cuda.core import DeviceMemoryResource, DeviceMemoryResourceOptions

        options = DeviceMemoryResourceOptions(ipc_enabled=True, max_size=4 * size + 64 * MB)
        pool = DeviceMemoryResource(cls.device(), options=options)
        stream = cls.stream(stream)
        buffers = [pool.allocate(size, stream=stream) for _ in range(2)]
        stream.sync()
        channel.put(buffers)
        tensors = [torch.from_dlpack(buffer).view(torch.int32) for buffer in buffers]
        return tensors, stream, buffers, pool

    @staticmethod
    def send(frame, prepared, _stream, channel, shared, memory):
        from cuda.core import EventOptions

        event = prepared[1].record(options=EventOptions(ipc_enabled=True))
        text = pickle.dumps(event.ipc_descriptor)
        memory.buf[BYTES : BYTES + len(text)] = text
        shared[LENGTH] = len(text)
        shared[SENT] = frame + 1
        return event  # kept until the reader has compared

    @staticmethod
    def tensor(frame, prepared):
        return prepared[0][frame % 2]

    @classmethod
    def connect(cls, size, stream, channel):
        cls.device()
        buffers = channel.get()
        tensors = [torch.from_dlpack(buffer).view(torch.int32) for buffer in buffers]
        return tensors, cls.stream(stream), buffers

    @staticmethod
    def take(frame, connected, _stream, channel, shared, memory):
        from cuda.core import Event

        tensors, stream, _ = connected
        wait(shared, SENT, frame + 1)
        event = Event.from_ipc_descriptor(pickle.loads(memory.buf[BYTES : BYTES + shared[LENGTH]]))
        stream.wait(event)
        return tensors[frame % 2]


WAYS = {"torch": Torch, "core": Core}


def read(way, size, frames, name, channel):
    way = WAYS[way]
    torch.cuda.init()
    memory = shared_memory.SharedMemory(name)
    shared = words(memory)
    stream = torch.cuda.Stream()
    base = pattern(size // 4)
    torch.cuda.synchronize()
    connected = way.connect(size, stream, channel)
    pin(READER_CORE)
    with torch.cuda.stream(stream):
        for frame in range(frames):
            tensor = way.take(frame, connected, stream, channel, shared, memory)
            has = time.monotonic_ns()
            right = int((tensor == base + frame).sum().item()) == size // 4
            shared[HAS], shared[RIGHT] = has, int(right)
            del tensor
            shared[COMPARED] = frame + 1
    shared.release()


def measure(way, size, frames):
    memory = shared_memory.SharedMemory(create=True, size=4096)
    shared = words(memory)
    channel = multiprocessing.SimpleQueue()
    stream = torch.cuda.Stream()
    base = pattern(size // 4)
    torch.cuda.synchronize()
    arguments = (way, size, frames, memory.name, channel)
    reader = multiprocessing.Process(target=read, args=arguments, daemon=True)
    reader.start()
    way = WAYS[way]
    prepared = way.prepare(size, stream, channel)
    times, wrong, everywhere = [], 0, os.sched_getaffinity(0)
    pin(WRITER_CORE)
    try:
        with torch.cuda.stream(stream):
            for frame in range(frames):
                torch.add(base, frame, out=way.tensor(frame, prepared))
                start = time.monotonic_ns()
                kept = way.send(frame, prepared, stream, channel, shared, memory)
                while shared[COMPARED] < frame + 1:
                    if time.monotonic_ns() - start > 30_000_000_000 or reader.exitcode:
                        raise RuntimeError("the reader does not answer")
                times.append(shared[HAS] - start)
                wrong += 1 - shared[RIGHT]
                del kept
        reader.join(30)
    finally:
        os.sched_setaffinity(0, everywhere)
        reader.kill()
        shared.release()
        memory.close()
        memory.unlink()
    times = sorted(times[frames // 10 :])
    p50, p99 = (times[round((len(times) - 1) * share)] / 1e3 for share in (0.5, 0.99))
    print(f"| {size // MB} | {way.name} | **{p50:.1f}** | {p99:.1f} | {times[-1] / 1e3:.0f} | {frames} | {wrong} |", flush=True)


def main():
    multiprocessing.set_start_method("spawn")
    print(f"torch {torch.__version__}, Python {sys.version.split()[0]}")
    try:
        import cuda.core

        print(f"cuda.core {cuda.core.__version__}")
    except ImportError as error:
        print(f"cuda.core is not measured: {error}")
    print("\n## Python's frameworks, lock-step at full rate (µs)\n")
    print("| MB | | host part p50 | p99 | max | frames | wrong |")
    print("|---|---|---|---|---|---|---|")
    for size in (1, 16, 64):
        for way, frames in (("torch", 1000), ("core", 2000)):
            try:
                measure(way, size * MB, frames)
            except Exception as error:  # the other rows are measured all the same
                print(f"| {size} | {WAYS[way].name} | {type(error).__name__}: {error} | | | | |", flush=True)


if __name__ == "__main__":
    main()
