"""Builds interface packages and a Rust node in colcon workspaces below a folder, and checks what came out.

Called by `colcon/check`, which sets up what this needs. Each check is a function; what went wrong is told with the output of the
build, and ends the run.
"""

import os
import shutil
import sys
import time
from pathlib import Path

import layouts
import refusals
import standard
from workspace import Failure, Workspace

REPOSITORY = Path(__file__).resolve().parents[2]
KEPT = ("rosidl_generator_buffer_rs", "buffer_node", "COLCON_IGNORE")


def environment(venv):
    """What builds see: this machine's tools, and nothing of a sourced ROS or of a build that this is part of."""
    dropped = ("AMENT_", "CMAKE_", "COLCON_", "ROS_", "CARGO_TARGET_DIR", "LD_LIBRARY_PATH", "PYTHON", "RUSTFLAGS", "VIRTUAL_ENV")
    env = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    cargo = Path(shutil.which("cargo") or sys.exit("there is no cargo")).parent
    env["PATH"] = f"{venv}/bin:{cargo}:/usr/bin:/bin"
    env["AMENT_PREFIX_PATH"] = "/usr"
    env["LANG"] = "C.UTF-8"
    return env


def clear(root):
    """An empty workspace, but for what cargo compiled in an earlier run."""
    for path in (root / "src", root / "install", root / "log", root / ".cargo", *(root / "build").glob("*")):
        if path.is_dir() and path.name not in KEPT:
            shutil.rmtree(path)


def main(folder, cmake_args):
    env = environment(folder / "venv")
    clear(folder / "ws")
    ws = Workspace(folder / "ws", env, cmake_args=[standard.OURS, *cmake_args])
    target = folder / "plain_target"
    steps = [
        ("the generator", lambda: standard.plugin(ws, REPOSITORY)),
        ("interface packages", lambda: standard.packages(ws, REPOSITORY)),
        ("a Rust node by colcon, run, and again with its lock file", lambda: standard.node(ws, REPOSITORY)),
        ("the same by plain cargo", lambda: standard.plain_cargo(ws, REPOSITORY, folder / "plain", target)),
        ("again, with nothing changed", lambda: standard.nothing_changed(ws)),
        ("one file touched, then changed", lambda: standard.one_changed(ws)),
        ("--symlink-install, in one go", lambda: layouts.links(ws, REPOSITORY, folder / "links")),
        ("--merge-install --symlink-install at an odd path", lambda: layouts.odd_path(ws, REPOSITORY, folder / "odd+path.1,x@y/ws", target)),
        ("an overlay", lambda: layouts.overlay(ws, REPOSITORY, folder / "overlay")),
        ("SKIP_INSTALL and ADD_LINTER_TESTS", lambda: layouts.not_installed(ws, folder / "skip")),
        ("interfaces that are refused", lambda: refusals.interfaces(ws, folder / "wrong")),
        ("no cargo", lambda: refusals.no_cargo(ws, folder / "no_cargo")),
        ("an install space that cannot be written", lambda: refusals.read_only(ws, folder / "read_only")),
        ("an underlay without crates", lambda: refusals.no_dependency(ws, folder / "no_dependency")),
        ("type descriptions of ROS 2", lambda: refusals.descriptions(ws, folder / "descriptions")),
        ("rosidl generate -t buffer_rs", lambda: refusals.command_line(ws, folder / "command_line")),
    ]
    for title, step in steps:
        start = time.monotonic()
        said = step()
        print(f"ok {time.monotonic() - start:6.1f} s  {title}{f': {said}' if said else ''}", flush=True)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]).resolve(), sys.argv[2:])
    except Failure as failure:
        sys.exit(f"FAILED: {failure}")
