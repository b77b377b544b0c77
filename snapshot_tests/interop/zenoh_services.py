"""A node of ours against Zenoh's Python package as an `rmw_zenoh_cpp` node: topics, services and actions, byte for byte.

usage: zenoh_services.py PATH_TO_ros_peer

What is compared are bytes: rosbags writes and reads all messages, and type hashes are those of ROS 2's own tool.
"""

import queue
import subprocess
import sys

import numpy as np
import zenoh

from rosbags.typesys import get_types_from_msg

import zenoh_actions
from ros_types import MSG, load, random_message
from zenoh_peer import (SOON, attachment, dds_type, endpoint_token, free_port, gid_of, hashes, node_token, open_session,
                        read_attachment, start, wait_for)

DOMAIN = 78
COUNT = 20
ADD = "example_interfaces/srv/AddTwoInts"
DESCRIBE = "type_description_interfaces/srv/GetTypeDescription"
HASHES = hashes()


def load_services():
    """The store of messages, with the parts of the services and the action that are used here."""
    store, _ = load()
    for name, text in zenoh_actions.TYPES.items():
        store.register(get_types_from_msg(text, f"example_interfaces/msg/Fibonacci_{name}"))
    for service in (ADD, DESCRIBE, zenoh_actions.CANCEL):
        package, kind, name = service.split("/")
        halves = (MSG / package / kind / f"{name}.srv").read_text(encoding="utf-8").split("\n---\n")
        for half, text in zip(("Request", "Response"), halves, strict=True):
            store.register(get_types_from_msg(text, f"{package}/msg/{name}_{half}"))
    return store


def message(store, name, **values):
    return bytes(store.serialize_cdr(store.types[name](**values), name))


def key(topic, type_name):
    return f"{DOMAIN}/{topic}/{dds_type(type_name)}/{HASHES[type_name]}"


class Peer:
    """This script as a node: its session, its tokens, and the tokens of others."""

    def __init__(self, session):
        self.session = session
        self.seen, self.own = [], [session.liveliness().declare_token(node_token(session, DOMAIN))]
        self.number = 10
        notice = lambda sample: self.seen.append((sample.kind, str(sample.key_expr)))
        self.watcher = session.liveliness().declare_subscriber(f"@ros2_lv/{DOMAIN}/**", notice, history=True)

    def declare(self, kind, topic, type_name):
        """Tells of an endpoint, and returns its GID."""
        self.number += 1
        text = endpoint_token(self.session, DOMAIN, kind, topic, type_name, HASHES[type_name], self.number)
        self.own.append(self.session.liveliness().declare_token(text))
        return gid_of(text)

    def token_of(self, kind, topic):
        """The token of an endpoint of the Rust node."""
        place = "%" + topic.replace("/", "%")
        mine = lambda text: f"/{kind}/%/%interop/rust_peer/{place}/" in text
        wait_for(f"{kind} of {topic}", lambda: any(mine(text) for _, text in self.seen))
        return next(text for _, text in self.seen if mine(text))


def call(peer, service, type_name, payload, number, gid, **more):
    """All replies to a request, as a C++ client asks."""
    replies = peer.session.get(
        key(service, type_name), target=zenoh.QueryTarget.ALL_COMPLETE, consolidation=zenoh.ConsolidationMode.NONE,
        timeout=SOON, payload=payload, attachment=attachment(number, gid), **more,
    )
    return list(replies)


def answer(peer, service, type_name, payload, number, gid):
    """The one reply, whose attachment is the request's number and the client's GID."""
    (reply,) = call(peer, service, type_name, payload, number, gid)
    assert reply.ok is not None, reply.err.payload.to_string()
    assert str(reply.ok.key_expr) == key(service, type_name)
    back, _, to = read_attachment(reply.ok.attachment)
    assert (back, to) == (number, gid)
    return reply.ok.payload.to_bytes()


class Topic:
    """One topic to the Rust node and the one on which it sends everything back."""

    def __init__(self, peer, name, type_name):
        self.peer, self.name, self.type_name, self.heard = peer, name, type_name, queue.Queue()
        self.gid = peer.declare("MP", f"interop/{name}", type_name)
        peer.declare("MS", f"interop/{name}_back", type_name)
        self.subscriber = peer.session.declare_subscriber(key(f"interop/{name}_back", type_name), self.heard.put)
        self.publisher = peer.session.declare_publisher(key(f"interop/{name}", type_name))

    def check(self, store, rng):
        wait_for(f"{self.name} is matched", lambda: self.publisher.matching_status.matching)
        back = gid_of(self.peer.token_of("MP", f"interop/{self.name}_back"))
        for number in range(1, COUNT + 1):
            payload = bytes(store.serialize_cdr(random_message(rng, store, self.type_name), self.type_name))
            tail = b"\xab" * 5 if number == 2 else b""  # Fast CDR leaves such a tail
            self.publisher.put(payload + tail, attachment=attachment(number, self.gid))
            sample = self.heard.get(timeout=SOON)
            assert sample.payload.to_bytes() == payload, f"{self.type_name}: another message came back"
            came, _, gid = read_attachment(sample.attachment)
            assert (came, gid) == (number, back)
        return COUNT


def check_server(peer, store):
    """Their client, our server."""
    gid = peer.declare("SC", "interop/add", ADD)
    token = peer.token_of("SS", "interop/add")
    assert token.split("/")[10:13] == [dds_type(ADD), HASHES[ADD], "::,10:,:,:,,"], token
    for number, (a, b) in enumerate([(2, 3), (-1, 1), (2**63 - 1, 1), (-(2**63), 0)], start=1):
        request = message(store, "example_interfaces/msg/AddTwoInts_Request", a=a, b=b)
        total = (a + b + 2**63) % 2**64 - 2**63
        expected = message(store, "example_interfaces/msg/AddTwoInts_Response", sum=total)
        assert answer(peer, "interop/add", ADD, request + b"\xee" * (number % 2), number, gid) == expected
    (refused,) = call(peer, "interop/add", ADD, request[:12], 9, gid)
    assert refused.ok is None, "a request that was cut off is answered with an error"


def check_client(peer, store, process):
    """Our client, their server."""
    peer.declare("SS", "interop/their_add", ADD)
    asked = []

    def reply(query):
        number, _, gid = read_attachment(query.attachment)
        asked.append((number, gid, query.payload.to_bytes()))
        request = store.deserialize_cdr(query.payload.to_bytes(), "example_interfaces/msg/AddTwoInts_Request")
        response = message(store, "example_interfaces/msg/AddTwoInts_Response", sum=request.a + request.b)
        query.reply(key("interop/their_add", ADD), response, attachment=attachment(number, gid))

    server = peer.session.declare_queryable(key("interop/their_add", ADD), reply, complete=True)
    gid = gid_of(peer.token_of("SC", "interop/their_add"))
    for number, (a, b) in enumerate([(1, 2), (-5, 4), (2**62, 2**61)], start=1):
        process.stdin.write(f"add {a} {b}\n")
        process.stdin.flush()
        said = process.stdout.readline().strip()
        assert said == f"sum {a + b}", said
        expected = message(store, "example_interfaces/msg/AddTwoInts_Request", a=a, b=b)
        assert asked[-1] == (number, gid, expected)
    server.undeclare()


def check_type_description(peer, store):
    """What `ros2 topic type` and recorders ask every node for."""
    name, own = "sensor_msgs/msg/Image", "type_description_interfaces/msg/GetTypeDescription"
    service = "interop/rust_peer/get_type_description"
    gid = peer.declare("SC", service, DESCRIBE)
    peer.token_of("SS", service)
    ask = lambda number, **values: store.deserialize_cdr(
        answer(peer, service, DESCRIBE, message(store, f"{own}_Request", **values), number, gid), f"{own}_Response")
    response = ask(1, type_name=name, type_hash=HASHES[name], include_type_sources=True)
    assert response.successful and not response.failure_reason, response.failure_reason
    described = response.type_description.type_description
    assert described.type_name == name
    assert [field.name for field in described.fields] == [field for field, _ in store.fielddefs[name][1]]
    referenced = [other.type_name for other in response.type_description.referenced_type_descriptions]
    assert referenced == ["builtin_interfaces/msg/Time", "std_msgs/msg/Header"], referenced
    assert {source.type_name for source in response.type_sources} == {name, *referenced}
    wrong = ask(2, type_name=name, type_hash=HASHES["std_msgs/msg/String"], include_type_sources=False)
    assert not wrong.successful and wrong.failure_reason


def main():
    store, rng, port = load_services(), np.random.default_rng(20261121), free_port()
    with open_session(port) as session:
        peer = Peer(session)
        types = {"text": "std_msgs/msg/String", "image": "sensor_msgs/msg/Image", "joints": "sensor_msgs/msg/JointState"}
        topics = [Topic(peer, name, type_name) for name, type_name in types.items()]
        process = start([sys.argv[1]], DOMAIN, port, stdin=subprocess.PIPE)
        try:
            assert process.stdout.readline() == "ready\n"
            echoed = sum(topic.check(store, rng) for topic in topics)
            check_server(peer, store)
            check_client(peer, store, process)
            check_type_description(peer, store)
            zenoh_actions.check_action(zenoh_actions.ActionClient(peer, store, "interop/fibonacci", sys.modules[__name__]))
            process.stdin.close()
            assert process.wait(timeout=SOON) == 0
        finally:
            process.kill()
        gone = lambda: any(kind == zenoh.SampleKind.DELETE and "/NN/%/%interop/rust_peer" in text for kind, text in peer.seen)
        wait_for("the node leaves the graph", gone)
    print(f"zenoh: {echoed} random messages came back byte for byte; services both ways, type descriptions, an action")


if __name__ == "__main__":
    main()
