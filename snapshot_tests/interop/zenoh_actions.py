"""The action client of the scripts: three services and two topics of an action server of ours, byte for byte."""

import queue

import numpy as np
import zenoh
import zenoh.ext

from zenoh_peer import SOON, read_attachment, wait_for

ACTION = "example_interfaces/action/Fibonacci"
CANCEL = "action_msgs/srv/CancelGoal"
STATUS = "action_msgs/msg/GoalStatusArray"
UNKNOWN, SUCCEEDED, CANCELED = 0, 4, 5
NOTHING, UNKNOWN_GOAL = 0, 2

# What stands around goal, feedback and result, as ROS 2 lays it down; rosbags knows no actions.
TYPES = {
    "SendGoal_Request": "unique_identifier_msgs/UUID goal_id\nint32 order\n",
    "SendGoal_Response": "bool accepted\nbuiltin_interfaces/Time stamp\n",
    "GetResult_Request": "unique_identifier_msgs/UUID goal_id\n",
    "GetResult_Response": "int8 status\nint32[] sequence\n",
    "FeedbackMessage": "unique_identifier_msgs/UUID goal_id\nint32[] sequence\n",
}


class ActionClient:
    """As rclcpp has one, for one action of one server."""

    def __init__(self, peer, store, name, tools):
        self.peer, self.store, self.name, self.tools = peer, store, name, tools
        self.number, self.gids = 0, {}
        for part, type_name in (("send_goal", f"{ACTION}_SendGoal"), ("cancel_goal", CANCEL), ("get_result", f"{ACTION}_GetResult")):
            self.gids[part] = (peer.declare("SC", f"{name}/_action/{part}", type_name), type_name)
        self.feedback, self.status = queue.Queue(), queue.Queue()
        key = tools.key(f"{name}/_action/feedback", f"{ACTION}_FeedbackMessage")
        self.subscribers = [peer.session.declare_subscriber(key, self.feedback.put), self.late_status(self.status)]

    def late_status(self, heard):
        """Status as rmw_zenoh subscribes with `transient_local`: what was said before comes too."""
        history = zenoh.ext.HistoryConfig(detect_late_publishers=True, max_samples=1)
        key = self.tools.key(f"{self.name}/_action/status", STATUS)
        return zenoh.ext.declare_advanced_subscriber(self.peer.session, key, heard.put, history=history)

    def make(self, name, **values):
        if "goal_id" in values:
            values["goal_id"] = self.uuid(values["goal_id"])
        return self.tools.message(self.store, f"example_interfaces/msg/Fibonacci_{name}", **values)

    def uuid(self, goal):
        return self.store.types["unique_identifier_msgs/msg/UUID"](uuid=np.frombuffer(goal, dtype=np.uint8))

    def ask(self, part, payload):
        gid, type_name = self.gids[part]
        self.number += 1
        return self.tools.answer(self.peer, f"{self.name}/_action/{part}", type_name, payload, self.number, gid)

    def send_goal(self, goal, order):
        name = "example_interfaces/msg/Fibonacci_SendGoal_Response"
        response = self.store.deserialize_cdr(self.ask("send_goal", self.make("SendGoal_Request", goal_id=goal, order=order)), name)
        assert not response.accepted or response.stamp.sec > 0
        return response.accepted

    def get_result(self, goal):
        """As bytes: what rosbags would write of them is compared."""
        return self.ask("get_result", self.make("GetResult_Request", goal_id=goal))

    def cancel(self, goal):
        types = self.store.types
        stamp = types["builtin_interfaces/msg/Time"](sec=0, nanosec=0)
        info = types["action_msgs/msg/GoalInfo"](goal_id=self.uuid(goal), stamp=stamp)
        payload = self.tools.message(self.store, "action_msgs/msg/CancelGoal_Request", goal_info=info)
        response = self.store.deserialize_cdr(self.ask("cancel_goal", payload), "action_msgs/msg/CancelGoal_Response")
        return response.return_code, [bytes(info.goal_id.uuid) for info in response.goals_canceling]

    def last_status(self, heard, goal):
        """What was said of a goal last."""
        found = []
        while not heard.empty():
            message = self.store.deserialize_cdr(heard.get().payload.to_bytes(), STATUS)
            found += [entry.status for entry in message.status_list if bytes(entry.goal_info.goal_id.uuid) == goal]
        return found


def check_action(client):
    """Accepted, refused, done, cancelled, unknown."""
    for part, (_, type_name) in client.gids.items():
        client.peer.token_of("SS", f"{client.name}/_action/{part}")
    client.peer.token_of("MP", f"{client.name}/_action/feedback")
    client.peer.token_of("MP", f"{client.name}/_action/status")

    done = bytes(range(16))
    assert client.send_goal(done, 6)
    sequence = np_int32([0, 1, 1, 2, 3, 5, 8])
    assert client.get_result(done) == client.make("GetResult_Response", status=SUCCEEDED, sequence=sequence)
    for length in range(3, len(sequence) + 1):
        sample = client.feedback.get(timeout=SOON)
        assert sample.payload.to_bytes() == client.make("FeedbackMessage", goal_id=done, sequence=sequence[:length])
        assert read_attachment(sample.attachment)[0] == length - 2
    seen = []
    wait_for("the status of the goal", lambda: seen.extend(client.last_status(client.status, done)) or seen[-1:] == [SUCCEEDED])
    assert seen == sorted(seen), seen

    assert not client.send_goal(bytes([1] * 16), -1), "the server refuses this one"
    long = bytes([2] * 16)
    assert client.send_goal(long, 1_000_000)
    assert client.cancel(long) == (NOTHING, [long])
    response = client.store.deserialize_cdr(client.get_result(long), "example_interfaces/msg/Fibonacci_GetResult_Response")
    assert response.status == CANCELED and list(response.sequence[:2]) == [0, 1]
    stranger = bytes([3] * 16)
    assert client.cancel(stranger) == (UNKNOWN_GOAL, [])
    assert client.get_result(stranger) == client.make("GetResult_Response", status=UNKNOWN, sequence=np_int32([]))

    late, seen = queue.Queue(), []
    subscriber = client.late_status(late)
    wait_for("a late joiner knows", lambda: seen.extend(client.last_status(late, long)) or seen[-1:] == [CANCELED])
    subscriber.undeclare()


def np_int32(values):
    return np.array(values, dtype=np.int32)
