"""The camera example's two halves against Zenoh's Python package, which plays an `rmw_zenoh_cpp` node.

usage: zenoh_wire.py PATH_TO_camera

The other side is written from how rmw_zenoh speaks, with nothing of this project's code: key expression, liveliness
token, attachment, and the pixels of the pattern.
"""

import os
import queue
import sys
import tempfile
import time

import numpy as np

from ros_types import load
from zenoh_peer import (attachment, dds_type, endpoint_token, free_port, gid_of, node_token, open_session,
                        read_attachment, start, wait_for)

DOMAIN = 77
TYPE = "sensor_msgs/msg/Image"
HASH = "RIHS01_d31d41a9a4c4bc8eae9be757b0beed306564f7526c88ea6a4588fb9582527d47"
KEY = f"{DOMAIN}/camera/image/{dds_type(TYPE)}/{HASH}"
FRAMES, WIDTH, HEIGHT, RUN = 10, 320, 200, "py"


def start_camera(program, role, port, output):
    """One half of the camera."""
    args = ["--role", role, "--run", RUN, "--frames", str(FRAMES), "--width", str(WIDTH), "--height", str(HEIGHT)]
    return start([program, *args, "--output", output], DOMAIN, port)


def token(session, kind):
    """The liveliness token of an endpoint with default QoS, and that of its node."""
    texts = (node_token(session, DOMAIN), endpoint_token(session, DOMAIN, kind, "camera/image", TYPE, HASH))
    return [session.liveliness().declare_token(text) for text in texts]


def pattern():
    """The first frame, computed here: gradients, a grid every 64 pixels, rings."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.int64)
    ring = ((x - WIDTH // 2) ** 2 + (y - HEIGHT // 2) ** 2) // 4096 % 2 == 0
    red, green = x * 255 // WIDTH, y * 255 // HEIGHT
    frame = np.where(
        ring[..., None],
        np.stack([red, green, np.full_like(red, 160)], axis=-1),
        np.stack([red // 2, green // 2, np.full_like(red, 60)], axis=-1),
    )
    frame[(x % 64 == 0) | (y % 64 == 0)] = 255
    return frame.astype(np.uint8)


def frame(number):
    return np.roll(pattern(), -4 * number, axis=1)


def image(store, number):
    now = time.time_ns()
    types = store.types
    stamp = types["builtin_interfaces/msg/Time"](sec=now // 10**9, nanosec=now % 10**9)
    header = types["std_msgs/msg/Header"](stamp=stamp, frame_id=f"camera_{RUN}")
    return types["sensor_msgs/msg/Image"](
        header=header, height=HEIGHT, width=WIDTH, encoding="rgb8", is_bigendian=0, step=3 * WIDTH,
        data=frame(number).reshape(-1),
    )


def receive_from_rust(program, store, output):
    port = free_port()
    with open_session(port) as session:
        samples, tokens = queue.Queue(), queue.Queue()
        subscriber = session.declare_subscriber(KEY, samples.put)
        watcher = session.liveliness().declare_subscriber(f"@ros2_lv/{DOMAIN}/**", tokens.put, history=True)
        own = token(session, "MS")
        camera = start_camera(program, "publisher", port, output)
        gids, timestamps = set(), []
        for number in range(FRAMES):
            sample = samples.get(timeout=30)
            sequence, stamp, gid = read_attachment(sample.attachment)
            assert sequence == number + 1
            gids.add(gid)
            timestamps.append(stamp)
            message = store.deserialize_cdr(sample.payload.to_bytes(), "sensor_msgs/msg/Image")
            assert (message.width, message.height, message.step, message.encoding) == (WIDTH, HEIGHT, 3 * WIDTH, "rgb8")
            assert np.array_equal(message.data.reshape(HEIGHT, WIDTH, 3), frame(number)), f"frame {number} differs"
        assert camera.wait(timeout=30) == 0
        assert len(gids) == 1 and timestamps == sorted(timestamps)
        assert abs(timestamps[-1] - time.time_ns()) < 60e9
        seen = []
        while not tokens.empty():
            seen.append(str(tokens.get().key_expr))
        # Entity 0 and up; default QoS but for the depth, since 42 is rmw_zenoh's default and ours asks for 10.
        publisher = [text for text in seen if "/MP/%/%/camera_publisher/%camera%image/" in text]
        assert publisher and publisher[0].split("/")[10:12] == [dds_type(TYPE), HASH], seen
        assert publisher[0].split("/")[12] == "::,10:,:,:,,", publisher
        assert publisher[0].split("/")[13].startswith("backends:cpu:;shm:1."), publisher
        assert any("/NN/%/%/camera_publisher" in text for text in seen), seen
        assert gids == {gid_of(publisher[0])}
        for declared in [subscriber, watcher, *own]:
            declared.undeclare()
    print(f"zenoh: python received {FRAMES} frames from Rust, tokens and attachments as rmw_zenoh's")


def send_to_rust(program, store, output):
    port = free_port()
    with open_session(port) as session:
        tokens = queue.Queue()
        watcher = session.liveliness().declare_subscriber(f"@ros2_lv/{DOMAIN}/**", tokens.put, history=True)
        own = token(session, "MP")
        publisher = session.declare_publisher(KEY)
        camera = start_camera(program, "subscriber", port, output)
        while "/MS/%/%/camera_subscriber/%camera%image/" not in str(tokens.get(timeout=30).key_expr):
            pass
        wait_for("a subscriber is matched", lambda: publisher.matching_status.matching)
        for number in range(FRAMES):
            payload = bytes(store.serialize_cdr(image(store, number), "sensor_msgs/msg/Image"))
            if number == 1:
                payload += b"\xab" * 88  # Fast CDR leaves such a tail
            publisher.put(payload, attachment=attachment(number + 1, bytes(range(16))))
            time.sleep(0.01)
        line = camera.communicate(timeout=60)[0].strip()
        assert camera.returncode == 0, line
        assert line.startswith(f"camera: frames={FRAMES} lost=0 corrupt=0 backend=cpu "), line
        for declared in [watcher, publisher, *own]:
            declared.undeclare()
    print(f"zenoh: Rust received {FRAMES} frames from python, every pixel right")


def main():
    store, _ = load()
    with tempfile.TemporaryDirectory() as folder:
        output = os.path.join(folder, "last.png")
        receive_from_rust(sys.argv[1], store, output)
        send_to_rust(sys.argv[1], store, output)
        assert os.path.getsize(output) > 0


if __name__ == "__main__":
    main()
