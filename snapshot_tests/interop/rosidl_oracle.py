"""Random interface files through ROS 2's own Python and through rosidl_buffer_gen: same verdict, same values.

usage: /usr/bin/python3 rosidl_oracle.py PATH_TO_rosidl_buffer_gen [--count N] [--seed S] [--keep DIR]

Needs Debian's python3-rosidl and python3-empy. `--keep` leaves the files, and what was printed about them, for
`rosbags_random.py`. What differs on purpose is in the table below and in docs/differences.md; everything else
that differs is printed with its file and ends the run with 1.
"""

import argparse
import collections
import json
import math
import multiprocessing
import pathlib
import re
import subprocess
import sys
import tempfile

import random_interfaces
import ros_front_end
from random_interfaces import PACKAGE, SUPPORT, generate

# Small, as of one run only so many warnings are kept.
BATCH = 100
MOST_SHOWN = 30
DIFFERENCES_PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "differences.md"


class Ours:
    """What rosidl_buffer_gen says about one file."""

    def __init__(self):
        self.diagnostics = []
        self.structs = {}

    def of(self, severity):
        return [found for found in self.diagnostics if found["severity"] == severity]


# ---- Differences on purpose. A verdict is explained by the file's diagnostics, a value by how the two relate.


def explain_refusal(ours):
    """Names for what we refuse and ROS 2 takes; None if there is anything else among it."""
    names = set()
    for error in ours.of("error"):
        name = {
            "unknown_type": "unknown-type",
            "unknown_package": "unknown-type",
            "cycle": "cycle",
        }.get(error["code"])
        for text, meant in (
            ("too many for Rust", "huge-array"),
            ("from 1 to 4294967295", "huge-bound"),
            ("names a character", "named-escape"),
        ):
            if text in error["message"]:
                name = meant
        if name is None:
            return None
        names.add(name)
    return names


# What a warning says → the name of the difference.
WARNINGS = {
    "contains a line break": "line-break",
    "not UTF-8": "not-utf8",
    "beyond `\\xff`": "beyond-latin1",
    "ends in a backslash": "final-backslash",
    "has a quote behind a backslash": "final-backslash",
    "is in a list and has characters": "list-beyond-ascii",
    "is in a list and has both": "list-quotes",
    "lose their way among the escaped quotes": "list-quotes",
    "escape sequences of this string twice": "decoded-twice",
    "stop at this comment": "comment-escapes",
    "`@optional`": "optional",
}


def warned(ours):
    """Names for what we warned of."""
    told = [found["message"] for found in ours.of("warning")]
    return {name for text, name in WARNINGS.items() if any(text in message for message in told)}


def explain_acceptance(ours):
    """Names for what we take and ROS 2 refuses."""
    names = warned(ours)
    units = [element["unit"] for struct in ours.structs.values() for element in struct["fields"]]
    if any(unit and "\n" in unit for unit in units):
        names.add("split-unit")
    return names


def explain_text(ours, theirs):
    """Ours is decoded once."""
    if ours != theirs and ros_front_end.decoded_again(ours) == theirs:
        return "decoded-twice"
    return None


def explain_comment(ours, theirs):
    try:
        decoded = [ros_front_end.decoded_again(ros_front_end.decoded_once(line)) for line in ours]
    except UnicodeError:
        return None
    return "comment-escapes" if "\n".join(decoded).splitlines() == theirs else None


def explain_type(ours, theirs):
    """rosidl_parser takes the bound of wide strings for the sequence's too, and so do we."""
    bound = re.fullmatch(r"wstring<=(\d+)\[\]", theirs)
    return "wide-bound" if bound and ours == f"wstring<={bound[1]}[<={bound[1]}]" else None


def explain_value(ours, theirs):
    if ours == "-inf" and theirs == "inf":
        return "minus-infinity"
    if isinstance(ours, str) and isinstance(theirs, str):
        return explain_text(ours, theirs)
    return None


# ---- Comparison


class Comparison:
    """Collects what differs between two answers about one file."""

    def __init__(self, warnings):
        self.warnings = warnings
        self.names = set()
        self.unexplained = []

    def equal(self, what, ours, theirs, explain=lambda *_: None):
        if ours == theirs:
            return
        name = explain(ours, theirs)
        if name is None:
            self.unexplained.append(f"{what}: ours {ours!r}, ROS 2's {theirs!r}")
        else:
            self.names.add(name)

    def structs(self, ours, theirs):
        self.equal("structs", sorted(ours), sorted(found["type"] for found in theirs))
        for struct in theirs:
            if struct["type"] in ours:
                self.struct(ours[struct["type"]], struct)

    def struct(self, ours, theirs):
        name = theirs["type"]
        self.equal(f"comment of {name}", ours["comment"], theirs["comment"], explain_comment)
        for group, value in (("fields", "default"), ("constants", "value")):
            names = [[found["name"] for found in side[group]] for side in (ours, theirs)]
            self.equal(f"{group} of {name}", *names)
            for mine, other in zip(ours[group], theirs[group]):
                self.element(f"{name}.{other['name']}", mine, other, value)

    def element(self, what, ours, theirs, value):
        self.equal(f"type of {what}", ours["type"], theirs["type"], explain_type)
        if "idl_type" in theirs:
            idl_type = re.sub(r"^char\b", "uint8", ours["type"])
            self.equal(f"type of {what} in IDL", idl_type, theirs["idl_type"])
        self.equal(f"comment of {what}", ours["comment"], theirs["comment"], explain_comment)
        self.equal(f"unit of {what}", [ours["unit"]], [theirs["unit"]], lambda a, b: None if None in a + b else explain_comment(a, b))
        is_float = ours["type"].startswith("float")
        mine, other = plain(ours[value], is_float), plain(theirs[value], is_float)
        if isinstance(mine, list) and isinstance(other, list) and len(mine) == len(other):
            for index, pair in enumerate(zip(mine, other)):
                self.equal(f"{value} of {what}[{index}]", *pair, self.explain_item)
        else:
            self.equal(f"{value} of {what}", mine, other, self.explain_item if isinstance(mine, list) else explain_value)

    def explain_item(self, ours, _):
        is_text = isinstance(ours[0] if isinstance(ours, list) and ours else ours, str)
        return "list-quotes" if is_text and "list-quotes" in self.warnings else None


def plain(value, is_float):
    """A value as something that `==` compares well: floats by their digits, truth values as such."""
    if isinstance(value, (list, tuple)):
        return [plain(item, is_float) for item in value]
    if is_float and value is not None:
        number = float(value)
        return "nan" if math.isnan(number) else repr(number)
    return ("bool", value) if isinstance(value, bool) else value


def compare(ours, theirs):
    """The differences that are meant, and those that are not."""
    refused = bool(ours.of("error"))
    if "error" in theirs:
        if refused:
            return set(), []
        names = explain_acceptance(ours)
        return names, [] if names else [f"only ROS 2 refuses this: {theirs['error']}"]
    if refused:
        names = explain_refusal(ours)
        return names or set(), [] if names else ["only we refuse this"]
    comparison = Comparison(warned(ours))
    comparison.structs(ours.structs, theirs["structs"])
    return comparison.names, comparison.unexplained


# ---- Both sides


def ask_ros(task):
    package, file = task
    return ros_front_end.understand(package, file.kind, file.stem, file.content)


def write_packages(folder, files):
    for path, text in SUPPORT.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    for file in files:
        path = path_of(folder, file)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)


def path_of(folder, file):
    return folder / PACKAGE / file.kind / f"{file.stem}.{file.kind}"


def call(program, *arguments):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, errors="surrogateescape")
    if done.returncode not in (0, 1):
        sys.exit(f"{' '.join(map(str, arguments))} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


def ask_us(program, folder, files):
    """Our answers by the stem of the file."""
    answers = {file.stem: Ours() for file in files}
    checked = call(program, "check", "--format", "json", "--search-path", folder, folder / PACKAGE)
    for line in checked.stdout.splitlines():
        if line.startswith("{"):
            found = json.loads(line)
            mentioned = re.findall(r"\w+", f"{found['file'] or ''} {found['message']}")
            stem = next((word for word in mentioned if word in answers), None)
            if stem is None:
                sys.exit(f"about no file: {line}")
            answers[stem].diagnostics.append(found)
    for file in files:
        if answers[file.stem].of("error"):
            path_of(folder, file).unlink()
    dumped = call(program, "dump", "--search-path", folder)
    if dumped.returncode != 0:
        sys.exit(f"checked without errors, but `dump` says:\n{dumped.stderr[:4000]}")
    (folder / "dump.jsonl").write_text(dumped.stdout)
    (folder / "hashes.tsv").write_text(call(program, "hash", "--search-path", folder).stdout)
    for line in dumped.stdout.splitlines():
        struct = json.loads(line)
        package, kind, name = struct["type"].split("/")
        if package != PACKAGE:
            continue
        stem = name if kind == "msg" else name.rpartition("_")[0]
        if stem in answers:
            answers[stem].structs[struct["type"]] = struct
    return answers


def show(seed, index, file, ours, theirs, unexplained):
    print(f"\n== seed {seed}, file {index}: {file.stem}.{file.kind}")
    print(file.content.decode(errors="backslashreplace"))
    print("-- bytes:", file.content)
    for line in unexplained:
        print("--", line)
    for found in ours.diagnostics:
        print("-- ours:", found["severity"], found["code"], f"line {found['line']}:", found["message"])
    if "structs" in theirs and ours.of("error"):
        print("-- ROS 2's:", json.dumps(theirs["structs"], ensure_ascii=False))


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("program")
    arguments.add_argument("--count", type=int, default=1000)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--first", type=int, default=0, help="the number of the first file")
    arguments.add_argument("--keep", type=pathlib.Path, help="a folder for the files of each batch")
    arguments = arguments.parse_args()

    met, failures, accepted, timeouts = collections.Counter(), 0, 0, 0
    with multiprocessing.Pool() as pool:
        end = arguments.first + arguments.count
        for start in range(arguments.first, end, BATCH):
            indices = range(start, min(start + BATCH, end))
            files = [generate(arguments.seed, index) for index in indices]
            theirs = pool.map_async(ask_ros, [(PACKAGE, file) for file in files], chunksize=10)
            if (start - arguments.first) % 5000 == 0 and arguments.count > 5000:
                print(f"file {start}, {failures} failures so far", flush=True)
            with tempfile.TemporaryDirectory() as temporary:
                folder = arguments.keep / f"{start}" if arguments.keep else pathlib.Path(temporary)
                write_packages(folder, files)
                ours = ask_us(arguments.program, folder, files)
            for index, file, answer in zip(indices, files, theirs.get(), strict=True):
                if "timeout" in answer:
                    timeouts += 1
                    continue
                accepted += "structs" in answer
                names, unexplained = compare(ours[file.stem], answer)
                met.update(names)
                if unexplained:
                    failures += 1
                    if failures <= MOST_SHOWN:
                        show(arguments.seed, index, file, ours[file.stem], answer, unexplained)

    page = DIFFERENCES_PAGE.read_text(encoding="utf-8")
    for name in sorted(met):
        print(f"difference {name}: {met[name]}")
        if f"`{name}`" not in page:
            failures += 1
            print(f"`{name}` is missing in {DIFFERENCES_PAGE.name}")
    print(f"rosidl: {arguments.count} files of seed {arguments.seed}, {accepted} accepted by ROS 2, {timeouts} timeouts, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
