"""What a script needs to play an `rmw_zenoh_cpp` node with Zenoh's Python package.

Written from how rmw_zenoh speaks, with nothing of this project's code: sessions, liveliness tokens, attachments, GIDs.
"""

import os
import pathlib
import socket
import struct
import subprocess
import time

import xxhash
import zenoh

SOON = 30
HASHES = pathlib.Path(__file__).resolve().parents[1] / "data" / "rihs01.tsv"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def open_session(port):
    """A peer that knows one address, as an rmw_zenoh node knows its router's."""
    config = zenoh.Config()
    config.insert_json5("mode", '"peer"')
    config.insert_json5("scouting/multicast/enabled", "false")
    config.insert_json5("listen/endpoints", f'["tcp/127.0.0.1:{port}"]')
    config.insert_json5("connect/endpoints", "[]")
    return zenoh.open(config)


def start(command, domain, port, **pipes):
    """A program of ours, told where we listen; nothing else differs from what a user starts."""
    env = dict(os.environ, ROS_DOMAIN_ID=str(domain), ZENOH_CONFIG_OVERRIDE=f'connect/endpoints=["tcp/127.0.0.1:{port}"]')
    env.pop("ZENOH_SESSION_CONFIG_URI", None)
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True, **pipes)


def hashes():
    """Type hashes by name, as ROS 2's own tool computed them."""
    rows = (line.split("\t") for line in HASHES.read_text(encoding="utf-8").splitlines() if "\t" in line)
    return {name: text for name, text in rows}


def dds_type(name):
    """`a/msg/B` as DDS mangles it."""
    package, kind, base = name.split("/")
    return f"{package}::{kind}::dds_::{base}_"


def endpoint_token(session, domain, kind, topic, type_name, type_hash, number=10):
    """The liveliness token of an endpoint with default QoS, of the node `python_peer`."""
    place = "%" + topic.strip("/").replace("/", "%")
    return (f"@ros2_lv/{domain}/{session.info.zid()}/0/{number}/{kind}/%/%/python_peer/"
            f"{place}/{dds_type(type_name)}/{type_hash}/::,:,:,:,,")


def node_token(session, domain):
    return f"@ros2_lv/{domain}/{session.info.zid()}/0/0/NN/%/%/python_peer"


def gid_of(text):
    """The GID of a token: XXH3-128, low half first."""
    return xxhash.xxh3_128(text.encode()).intdigest().to_bytes(16, "little")


def attachment(number, gid):
    return struct.pack("<qqB16s", number, time.time_ns(), 16, gid)


def read_attachment(bytes_or_none):
    """Sequence number, time and GID."""
    data = bytes_or_none.to_bytes()
    assert len(data) == 33 and data[16] == 16, data
    number, stamp = struct.unpack_from("<qq", data)
    return number, stamp, data[17:]


def wait_for(what, holds):
    deadline = time.monotonic() + SOON
    while not holds():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.01)
