"""Every distribution that rosbags knows, installed as ROS 2 does: our type hashes are rosbags', and code is generated.

usage: rosbags_distributions.py PATH_TO_rosidl_buffer_gen
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

from rosbags.typesys import Stores, get_types_from_msg, get_typestore

FIXTURES = pathlib.Path(__file__).resolve().parents[1] / "data" / "prefixes"
INDEX = "share/ament_index/resource_index"


def definitions(store):
    """The text of each message of a store, without those it refers to. `char` is what ROS 2 lowers to `uint8`."""
    texts = {}
    for name in sorted(store.fielddefs):
        text = store.generate_msgdef(name, ros_version=2)[0]
        texts[name] = text.split("\n" + "=" * 80)[0].rstrip() + "\n"
    return texts


def lowered_hashes(texts):
    store, types = get_typestore(Stores.EMPTY), {}
    for name, text in texts.items():
        types.update(get_types_from_msg(re.sub(r"^char\b", "uint8", text, flags=re.MULTILINE), name))
    store.register(types)
    return {name: store.hash_rihs01(name) for name in texts}


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def install(prefix, texts):
    listed = {}
    for name, text in texts.items():
        package, _, message = name.split("/")
        listed.setdefault(package, []).append(f"msg/{message}.msg")
        write(prefix / "share" / package / "msg" / f"{message}.msg", text)
    for package, files in listed.items():
        write(prefix / INDEX / "packages" / package, "")
        write(prefix / INDEX / "rosidl_interfaces" / package, "\n".join(files))
        write(prefix / "share" / package / "package.xml", f"<package><name>{package}</name></package>\n")
    return len(listed)


def run(program, *arguments, prefixes=None):
    env = {name: value for name, value in os.environ.items() if name != "AMENT_PREFIX_PATH"}
    if prefixes is not None:
        env["AMENT_PREFIX_PATH"] = os.pathsep.join(map(str, prefixes))
    done = subprocess.run([program, *map(str, arguments)], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def hashes(text):
    return dict(line.split("\t") for line in text.splitlines())


def differences(ours, theirs):
    return {name: (ours.get(name), theirs[name]) for name in theirs if ours.get(name) != theirs[name]}


def main():
    program = sys.argv[1]
    names = [store for store in Stores if store.value.startswith("ros2_")]
    for name in names:
        texts = definitions(get_typestore(name))
        theirs = lowered_hashes(texts)
        with tempfile.TemporaryDirectory() as folder:
            prefix = pathlib.Path(folder) / "prefix"
            packages = install(prefix, texts)
            ours = hashes(run(program, "hash", "--search-path", prefix))
            found = differences(ours, theirs)
            assert not found, f"{name.value}, as search path: {found}"
            ours = hashes(run(program, "hash", *texts, prefixes=[pathlib.Path(folder) / "missing", prefix]))
            found = differences(ours, theirs)
            assert not found, f"{name.value}, as prefix: {found}"
            generated = run(program, "generate", "--search-path", prefix, "--out", pathlib.Path(folder) / "out").strip()
        distribution = name.value.removeprefix("ros2_")
        for path in sorted((FIXTURES / distribution).glob("share/*/msg/*.json")):
            entries = json.loads(path.read_text(encoding="utf-8"))["type_hashes"]
            found = differences({entry["type_name"]: entry["hash_string"] for entry in entries},
                                {entry["type_name"]: theirs[entry["type_name"]] for entry in entries})
            assert not found, f"{path}: {found}"
        print(f"{distribution}: {len(theirs)} hashes of {packages} packages are rosbags'; generated {generated}")
    assert len(names) >= 9, names


if __name__ == "__main__":
    main()
