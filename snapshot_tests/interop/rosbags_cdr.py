"""Random messages of every bundled type through rosbags and through the Rust types, both ways.

usage: rosbags_cdr.py PATH_TO_cdr_peer [values per type]
"""

import json
import subprocess
import sys

import numpy as np

from ros_types import load, message_to_json, random_message

MUST = [
    "std_msgs/msg/String", "std_msgs/msg/Header", "sensor_msgs/msg/Image", "sensor_msgs/msg/PointCloud2",
    "sensor_msgs/msg/JointState", "sensor_msgs/msg/CameraInfo", "sensor_msgs/msg/Imu", "tf2_msgs/msg/TFMessage",
    "nav_msgs/msg/OccupancyGrid", "geometry_msgs/msg/PolygonStamped", "rcl_interfaces/msg/ParameterEvent",
    "visualization_msgs/msg/MarkerArray", "shape_msgs/msg/SolidPrimitive", "diagnostic_msgs/msg/DiagnosticArray",
]


# Packages of this project: the peer has the types that ROS 2's own tool gave a hash for.
OURS = ("shm_buffer_backend_msgs/", "cuda_rs_buffer_backend_msgs/")


class Peer:
    def __init__(self, path):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise AssertionError(f"{request['type']}: {answer['error']}")
        return answer


def main():
    peer = Peer(sys.argv[1])
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    store, wide = load()
    rng = np.random.default_rng(20260421)
    names = sorted(name for name in store.types if name not in wide and not name.startswith(OURS))
    missing = [name for name in MUST if name not in names]
    assert not missing, missing
    checked = 0
    for name in names:
        for _ in range(count):
            message = random_message(rng, store, name)
            theirs = bytes(store.serialize_cdr(message, name))
            value = message_to_json(store, name, message)
            ours = bytes.fromhex(peer.ask(type=name, value=value)["cdr"])
            assert ours == theirs, f"{name}: ours {ours.hex()} rosbags {theirs.hex()} for {value}"
            decoded = peer.ask(type=name, cdr=theirs.hex())["value"]
            assert decoded == value, f"{name}: decoded {decoded}, sent {value}"
            back = message_to_json(store, name, store.deserialize_cdr(ours, name))
            assert back == value, f"{name}: rosbags read {back}, sent {value}"
            checked += 1
    print(f"rosbags: {checked} random messages of {len(names)} types, equal both ways")


if __name__ == "__main__":
    main()
