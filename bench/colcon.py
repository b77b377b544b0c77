"""What generators cost in `colcon build`: all bundled interface packages, fresh and with nothing changed.

    colcon/check && target/colcon/venv/bin/python bench/colcon.py target/colcon [--peer FOLDER]...

`--peer` is the ament package of another generator. Workspaces with no generator, with ours, with Debian's for C and with each peer
take turns. CPU time is that of `colcon build` with all its children, less that of a workspace with no generator; beside it the CPU time of
the generators' own commands, taken by a program that CMake starts them with. Debian's for C has that alone, as its code is compiled
too. rosidl_generator_rs is in no registry; the least that it can take is measured: Python starts for each package, and rosidl_parser
reads its files, which is what every generator of ROS 2 in Python does before it writes anything.
"""

import argparse
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "colcon/test"))

import check  # noqa: E402
import standard  # noqa: E402
from workspace import Workspace, interfaces  # noqa: E402

OURS = "rosidl_generator_buffer_rs"
LAUNCH = 'set_property(GLOBAL PROPERTY RULE_LAUNCH_CUSTOM "{python} {timer} {log}")\n'
TIMER = """import resource, subprocess, sys
code = subprocess.call(sys.argv[2:])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
with open(sys.argv[1], "a") as log:
    log.write(f"{used.ru_utime + used.ru_stime} {' '.join(sys.argv[2:])}\\n".replace("\\n", " ").rstrip() + "\\n")
sys.exit(code)
"""
# What a generator in Python has to do first.
READ = """import sys
from rosidl_parser.definition import IdlLocator
from rosidl_parser.parser import parse_idl_file
from rosidl_pycommon import expand_template, read_generator_arguments
for pair in read_generator_arguments(sys.argv[1])["idl_tuples"]:
    parse_idl_file(IdlLocator(*pair.rsplit(":", 1)))
"""


class Side:
    """One workspace with one generator."""

    def __init__(self, name, root, base, packages):
        self.name = name
        self.root = root
        self.log = root / "commands.txt"
        shutil.rmtree(root, ignore_errors=True)
        include = root / "launch.cmake"
        args = [f"-DROSIDL_GENERATORS={name}", f"-DCMAKE_PROJECT_INCLUDE={include}"]
        self.ws = Workspace(root, base.env, underlays=[base.install], cmake_args=args)
        (root / "timer.py").write_text(TIMER)
        include.write_text(LAUNCH.format(python=sys.executable, timer=root / "timer.py", log=self.log))
        for package in packages:
            self.ws.add_interfaces(package)

    def fresh(self):
        """CPU seconds of a fresh build, and those of the generator's own commands."""
        for folder in ("build", "install", "log"):
            shutil.rmtree(self.root / folder, ignore_errors=True)
        self.log.unlink(missing_ok=True)
        cpu, _ = self.timed()
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        own = sum(float(line.split()[0]) for line in lines if self.name and re.search(rf"\b{self.name}\b", line))
        return cpu, own

    def timed(self):
        """CPU and wall seconds of a build of what is there."""
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        self.ws.build("--executor", "sequential")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return cpu, time.monotonic() - start


def underlay(folder, peers):
    """The generators, built once: ours is that of `colcon/check`."""
    env = check.environment(folder / "venv")
    root = folder / "bench/underlay"
    ws = Workspace(root, env, cmake_args=[f"-DROSIDL_BUFFER_GEN_EXECUTABLE={standard.binary(Workspace(folder / 'ws', env))}"])
    (ws.src / "rosidl_buffer").unlink(missing_ok=True)
    (ws.src / "rosidl_buffer").symlink_to(folder / "ws/src/rosidl_buffer")
    ws.add(REPOSITORY / "colcon/test/rosidl_default_generators")
    for peer in peers:
        ws.add(peer)
    ws.build(sourced=False)
    return ws


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--peer", type=Path, action="append", default=[])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    folder = options.folder.resolve()
    base = underlay(folder, options.peer)
    packages = sorted(path for path in (REPOSITORY / "msg").iterdir() if path.is_dir())
    peers = [peer.name for peer in options.peer]
    names = ["", OURS, *peers]
    sides = {name: Side(name, folder / "bench" / (name or "none"), base, packages) for name in names}
    fresh = {name: [] for name in names}
    again = {name: [] for name in names}
    for _ in range(options.rounds):
        for name, side in sides.items():
            fresh[name].append(side.fresh())
            again[name].append(side.timed())
    side = Side("rosidl_generator_c", folder / "bench/c", base, packages)
    own_c = side.fresh()[1]
    read = reading(side.ws)

    count = sum(len(interfaces(package)) for package in packages)
    print(f"{count} interfaces in {len(packages)} packages, {options.rounds} rounds, {os.cpu_count()} cores\n")
    print("| generator | CPU s of the build, median | more than with none | CPU s of its own commands | again, CPU s | again, more per package, ms |")
    print("|---|---|---|---|---|---|")
    none, still = (median(runs[""], 0) for runs in (fresh, again))
    for name in names:
        cpu, own, rebuild = median(fresh[name], 0), median(fresh[name], 1), median(again[name], 0)
        more = (rebuild - still) / len(packages) * 1000
        print(f"| {name or 'none'} | {cpu:.1f} | {cpu - none:.2f} | {own:.2f} | {rebuild:.1f} | {more:.0f} |")
    print(f"| rosidl_generator_c | | | {own_c:.2f} | | |")
    print(f"| reading the files in Python | | | {read:.2f} | | |")


def reading(ws):
    """CPU seconds of reading all packages' files in Python, a process for each package as in a build."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for arguments in sorted(ws.root.glob("build/*/rosidl_generator_c__arguments.json")):
        subprocess.run(["/usr/bin/python3", "-c", READ, arguments], env=ws.env, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def median(runs, index):
    return statistics.median(run[index] for run in runs)


if __name__ == "__main__":
    main()
