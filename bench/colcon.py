"""What generators cost in `colcon build`: all bundled interface packages, fresh and with nothing changed.

    colcon/check && target/colcon/venv/bin/python bench/colcon.py target/colcon [--peer FOLDER]... [--runs 3]

Workspaces with no generator, with ours and with each peer (the ament package of another generator) are built once by colcon; a
program that CMake starts the generators' own commands with takes their CPU time. Then, for each package in turns, CMake configures,
builds with nothing to do and installs again; the least CPU time of the runs counts, less that of the workspace with no generator. Together that is
a generator's share. Of Debian's generator for C there is only the time of its own commands, as its code is compiled too.

rosidl_generator_rs is in no registry. The least that it can take is measured: Python starts for each package, and rosidl_parser reads its
files, which every generator of ROS 2 in Python does before it writes anything.
"""

import argparse
import os
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "colcon/test"))

import check  # noqa: E402
import standard  # noqa: E402
from workspace import Workspace, interfaces  # noqa: E402

OURS = "rosidl_generator_buffer_rs"
C = "rosidl_generator_c"
LAUNCH = 'set_property(GLOBAL PROPERTY RULE_LAUNCH_CUSTOM "{python} {timer} {log}")\n'
TIMER = """import resource, subprocess, sys
code = subprocess.call(sys.argv[2:])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
with open(sys.argv[1], "a") as log:
    log.write(f"{used.ru_utime + used.ru_stime} {' '.join(sys.argv[2:])}".replace("\\n", " ") + "\\n")
sys.exit(code)
"""
READ = """import sys
from rosidl_parser.definition import IdlLocator
from rosidl_parser.parser import parse_idl_file
from rosidl_pycommon import expand_template, read_generator_arguments
for pair in read_generator_arguments(sys.argv[1])["idl_tuples"]:
    parse_idl_file(IdlLocator(*pair.rsplit(":", 1)))
"""
STEPS = {"configure": ["cmake", "."], "build": ["cmake", "--build", "."], "install": ["cmake", "--install", "."]}


def cpu_of(action):
    """CPU seconds of the processes that an action starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    action()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


class Side:
    """A workspace with one generator, or none."""

    def __init__(self, name, root, base, packages):
        log = root / "commands.txt"
        shutil.rmtree(root, ignore_errors=True)
        include = root / "launch.cmake"
        args = [f"-DROSIDL_GENERATORS={name}", f"-DCMAKE_PROJECT_INCLUDE={include}"]
        self.ws = Workspace(root, base.env, underlays=[base.install], cmake_args=args)
        (root / "timer.py").write_text(TIMER)
        include.write_text(LAUNCH.format(python=sys.executable, timer=root / "timer.py", log=log))
        for package in packages:
            self.ws.add_interfaces(package)
        self.ws.build("--executor", "sequential")
        # CPU seconds of the generator's own commands; later builds, after CMake configured again, are not counted.
        lines = log.read_text().replace(str(root), "").splitlines() if log.exists() else []
        self.own = sum(float(line.split()[0]) for line in lines if re.search(rf"\b{name}\b", line))

    def step(self, package, command):
        """CPU seconds of one step of a package, done again with nothing changed."""
        env = self.ws.env | {"AMENT_PREFIX_PATH": self.prefixes, "CMAKE_PREFIX_PATH": self.prefixes}
        folder = self.ws.root / "build" / package
        return cpu_of(lambda: subprocess.run(command, cwd=folder, env=env, check=True, capture_output=True))

    @property
    def prefixes(self):
        return ":".join(str(path) for ws in (self.ws.install, *self.ws.underlays) for path in ws.iterdir() if path.is_dir()) + ":/usr"


def underlay(folder, peers):
    """The generators, built once: ours is that of `colcon/check`."""
    env = check.environment(folder / "venv")
    program = standard.binary(Workspace(folder / "ws", env))
    ws = Workspace(folder / "bench/underlay", env, cmake_args=[f"-DROSIDL_BUFFER_GEN_EXECUTABLE={program}"])
    (ws.src / "rosidl_buffer").unlink(missing_ok=True)
    (ws.src / "rosidl_buffer").symlink_to(folder / "ws/src/rosidl_buffer")
    ws.add(REPOSITORY / "colcon/test/rosidl_default_generators")
    for peer in peers:
        ws.add(peer)
    ws.build(sourced=False)
    return ws


def read_in_python(ws):
    for arguments in sorted(ws.root.glob(f"build/*/{OURS}__arguments.json")):
        subprocess.run(["/usr/bin/python3", "-c", READ, arguments], env=ws.env, check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--peer", type=Path, action="append", default=[])
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    folder = options.folder.resolve()
    base = underlay(folder, options.peer)
    packages = sorted(path for path in (REPOSITORY / "msg").iterdir() if path.is_dir())
    names = ["", OURS, *(peer.name for peer in options.peer)]
    sides = {name: Side(name, folder / "bench" / (name or "none"), base, packages) for name in names}
    least = {}
    for package in packages:
        for step, command in STEPS.items():
            for _ in range(options.runs):
                for name, side in sides.items():
                    key = (name, package.name, step)
                    least[key] = min(least.get(key, float("inf")), side.step(package.name, command))
    python = min(cpu_of(lambda: read_in_python(sides[OURS].ws)) for _ in range(options.runs))

    count = sum(len(interfaces(package)) for package in packages)
    print(f"{count} interfaces in {len(packages)} packages, {options.runs} runs, {os.cpu_count()} cores, CPU seconds\n")
    print("| generator | own commands | configure | install | share of a fresh build | again, ms for each package |")
    print("|---|---|---|---|---|---|")
    for name in names[1:]:
        more = {step: sum(least[name, package.name, step] - least["", package.name, step] for package in packages) for step in STEPS}
        own = sides[name].own
        share = own + more["configure"] + more["install"]
        again = (more["build"] + more["install"]) / len(packages) * 1000
        print(f"| {name} | {own:.2f} | {more['configure']:.2f} | {more['install']:.2f} | {share:.2f} | {again:.0f} |")
    print(f"| Python reads the files, no more | {python:.2f} | | | {python:.2f} | |", flush=True)
    c = Side(C, folder / "bench/c", base, packages)
    print(f"| {C} | {c.own:.2f} | | | | |")


if __name__ == "__main__":
    main()
