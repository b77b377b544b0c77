#!/usr/bin/env python3
"""What it costs to compile generated code: CPU time of cargo for the generated crate alone.

The same messages and services from this project's generator and from roslibrust_codegen, in crates of
their own under bench/target/compile. Dependencies are built first and not counted. Then, in turns, so
that a slow phase of the machine is one for all, each crate's lib.rs is touched and cargo runs; counted
is user and system time of cargo and of the compiler. Nothing is incremental. Out comes Markdown.

    python3 bench/compile.py [--runs 3]
"""

import argparse
import os
import re
import resource
import shutil
import statistics
import subprocess
from pathlib import Path

BENCH = Path(__file__).resolve().parent
FOLDER = BENCH / "target/compile"
ENVIRONMENT = os.environ | {"CARGO_INCREMENTAL": "0", "CARGO_TARGET_DIR": str(FOLDER / "target")}
STEPS = {"check": ["check"], "dev": ["build"], "release": ["build", "--release"]}
TARGETS = {"check": 2.6, "dev": 9.0, "release": 15.0}

# An attribute `#[ros2(...)]` of a struct or a field, on one line or several.
ROS2_ATTRIBUTE = re.compile(r"^ *#\[ros2\(.*?\)\]\n", re.MULTILINE | re.DOTALL)
DERIVE = re.compile(r", ::rosidl_buffer_runtime::(BufferMessage|Service)\b")
EVENT = re.compile(r"^pub type \w+ = ::rosidl_buffer_runtime::service::Event<\w+>;\n", re.MULTILINE)
MESSAGE = re.compile(r"BufferMessage\)\]\n#\[ros2\(.*?^pub struct (\w+)", re.MULTILINE | re.DOTALL)

MANIFEST = """[package]
name = "{name}"
version = "0.1.0"
edition = "2024"
publish = false

[dependencies]
ours = {{ path = "../ours" }}
rosidl_buffer_runtime = {{ path = "{runtime}" }}

[workspace]
"""

USE = """
pub mod {name} {{
    use ours::{path} as M;
    use rosidl_buffer_runtime::{{View, cdr}};

    pub fn encode(message: &M) -> Option<Vec<u8>> {{
        cdr::encode(message).ok()
    }}

    pub fn decode(bytes: &[u8]) -> Option<M> {{
        cdr::decode(bytes).ok()
    }}

    pub fn view(bytes: &[u8]) -> Option<View<'_, M>> {{
        cdr::view::<M>(bytes).ok()
    }}
}}
"""


def run(command):
    subprocess.run(command, env=ENVIRONMENT, check=True, stdout=subprocess.DEVNULL)


def cpu(command):
    """User and system time of a command and of what it starts, in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run(command)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def write_plain():
    """The generated crate again, its structs without what the derive adds."""
    folder = FOLDER / "plain"
    shutil.copytree(FOLDER / "ours", folder)
    for path in (folder / "src").rglob("*.rs"):
        text = ROS2_ATTRIBUTE.sub("", path.read_text())
        path.write_text(EVENT.sub("", DERIVE.sub("", text)))


def user(name, messages):
    """A crate that encodes, decodes and views these messages."""
    folder = FOLDER / name
    (folder / "src").mkdir(parents=True)
    (folder / "Cargo.toml").write_text(MANIFEST.format(name=name, runtime=BENCH.parent / "runtime"))
    uses = (USE.format(name=path.replace("::", "_").lower(), path=path) for path in messages)
    (folder / "src/lib.rs").write_text("".join(uses))


def messages():
    for path in sorted((FOLDER / "ours/src").glob("*/*/*.rs")):
        package, kind = path.parts[-3:-1]
        for name in MESSAGE.findall(path.read_text()):
            yield f"{package}::{kind}::{name}"


def write_crates():
    if FOLDER.exists():
        for path in FOLDER.iterdir():
            if path.name != "target":
                shutil.rmtree(path)
    manifest = BENCH / "Cargo.toml"
    command = ["cargo", "run", "--quiet", "--release", "--manifest-path", manifest, "--bin", "crates", FOLDER]
    interfaces = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    write_plain()
    every = list(messages())
    user("uses_image", ["sensor_msgs::msg::Image"])
    user("uses_all", every)
    return interfaces, len(every)


def measure(sides, runs):
    """Medians by step and name. A side is a folder and further arguments of cargo."""
    medians = {}
    for step, command in STEPS.items():
        times = {name: [] for name in sides}

        def cargo(folder, arguments):
            return ["cargo", *command, "--quiet", "--manifest-path", FOLDER / folder / "Cargo.toml", *arguments]

        for _ in range(runs):
            for name, (folder, arguments) in sides.items():
                run(cargo(folder, arguments))  # the dependencies, of which a crate touched before may be one
                (FOLDER / folder / "src/lib.rs").touch()
                times[name].append(cpu(cargo(folder, arguments)))
        medians[step] = {name: statistics.median(all) for name, all in times.items()}
    return medians


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    interfaces, structs = write_crates()
    theirs = "roslibrust_codegen 0.26.0 (serde, no CDR)"
    sides = {
        "rosidl_buffer_gen": ("ours", []),
        "rosidl_buffer_gen, feature `serde` too": ("ours", ["--features", "serde"]),
        theirs: ("roslibrust", []),
        "the same structs, only `Debug`, `Clone`, `PartialEq`": ("plain", []),
        "a crate that encodes, decodes and views `Image`": ("uses_image", []),
        f"a crate that does so with all {structs} structs": ("uses_all", []),
    }
    medians = measure(sides, runs)
    steps = list(STEPS)
    print(f"{interfaces} messages and services, CPU seconds, median of {runs}\n")
    print("| what is compiled |", " | ".join(steps), "| roslibrust_codegen takes |")
    print("|---|---|---|---|---|")
    for name, (folder, _) in sides.items():
        cells = [f"{medians[step][name]:.2f}" for step in steps]
        ratios = " / ".join(f"{medians[step][theirs] / medians[step][name]:.1f} times" for step in steps)
        print(f"| {name} |", " | ".join(cells), "| |" if folder.startswith("uses") else f"| {ratios} |")
    print("| target |", " | ".join(f"≤ {TARGETS[step]}" for step in steps), "| |")


if __name__ == "__main__":
    main()
