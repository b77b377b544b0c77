"""Type hashes of the random messages that `rosidl_oracle.py --keep DIR` left, by rosbags and by rosidl_buffer_gen.

usage: rosbags_random.py DIR

rosbags gets definitions put together from `dump.jsonl`: what was understood was compared with ROS 2 before. It has no
wide strings, and takes `char` for another type than ROS 2 does.
"""

import json
import pathlib
import sys

from rosbags.typesys import Stores, get_types_from_msg, get_typestore


def definition(struct):
    lines = [f"{field['type']} {field['name']}\n" for field in struct["fields"]]
    return "".join("uint8" + line.removeprefix("char") if line.startswith("char") else line for line in lines)


def main():
    compared = 0
    for batch in sorted(pathlib.Path(sys.argv[1]).iterdir()):
        structs = [json.loads(line) for line in (batch / "dump.jsonl").read_text(encoding="utf-8").splitlines()]
        ours = dict(line.split("\t") for line in (batch / "hashes.tsv").read_text().splitlines())
        store = get_typestore(Stores.ROS2_JAZZY)
        names = []
        types = {}
        for struct in structs:
            wide = any(field["type"].startswith("wstring") for field in struct["fields"])
            if "/msg/" in struct["type"] and not wide:
                names.append(struct["type"])
                types.update(get_types_from_msg(definition(struct), struct["type"]))
        store.register(types)
        for name in names:
            theirs = store.hash_rihs01(name)
            assert ours[name] == theirs, f"{batch} {name}: ours {ours[name]}, rosbags {theirs}"
            compared += 1
    assert compared > 0
    print(f"rosbags: {compared} hashes of random messages, all equal")


if __name__ == "__main__":
    main()
