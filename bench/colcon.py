"""What generators cost in `colcon build`: all bundled interface packages, fresh and with nothing changed.

    colcon/check && target/colcon/venv/bin/python bench/colcon.py target/colcon [--peer FOLDER]... [--runs 3]

Workspaces with no generator, with ours and with each peer (the ament package of another generator) are built once by colcon. Then, in
each run and for each package in turns: what the generator wrote is removed and made again, where a program with which CMake starts
its commands takes their CPU time; CMake installs, builds and installs again with nothing to do, and configures, of which the time in the
workspace with no generator is taken off. Medians of the runs count; commands, configuring and installing are a generator's share.

The least that a generator in Python can take is measured as well: Python starts for each package, and rosidl_parser reads its files,
which every one of ROS 2's does before it writes anything.
"""

import argparse
import collections
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "colcon/test"))

import check  # noqa: E402
import standard  # noqa: E402
from workspace import Failure, Workspace, expect, interfaces  # noqa: E402

OURS = "rosidl_generator_buffer_rs"
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
BUILD, INSTALL = ["cmake", "--build", "."], ["cmake", "--install", "."]
# After the files were made anew; CMake last, as what it writes lets the next build do something.
STEPS = {"install": INSTALL, "build again": BUILD, "install again": INSTALL, "configure": ["cmake", "."]}


def cpu_of(action):
    """CPU seconds of the processes that an action starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    action()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


class Side:
    """A workspace with one generator, or none."""

    def __init__(self, name, root, base, packages):
        self.name = name
        self.log = root / "commands.txt"
        shutil.rmtree(root, ignore_errors=True)
        include = root / "launch.cmake"
        args = [f"-DROSIDL_GENERATORS={name}", f"-DCMAKE_PROJECT_INCLUDE={include}"]
        self.ws = Workspace(root, base.env, underlays=[base.install], cmake_args=args)
        (root / "timer.py").write_text(TIMER)
        include.write_text(LAUNCH.format(python=sys.executable, timer=root / "timer.py", log=self.log))
        for package in packages:
            self.ws.add_interfaces(package)
        self.ws.build("--executor", "sequential")
        self.env = dict(line.split("=", 1) for line in self.ws.run(["env", "-0"]).split("\0") if line)
        # As colcon calls CMake.
        self.env["CMAKE_PREFIX_PATH"] = self.env["AMENT_PREFIX_PATH"]

    def generate(self, package):
        """CPU seconds of the generator's own commands for a package."""
        if not self.name:
            return 0.0
        written = self.ws.root / "build" / package / self.name
        expect(written.is_dir(), f"{self.name} wrote nothing to {written}")
        shutil.rmtree(written)
        self.log.unlink(missing_ok=True)
        self.step(package, BUILD)
        # Other commands of the build name other packages; the workspace's path may name this one.
        lines = self.log.read_text().replace(str(self.ws.root), "").splitlines() if self.log.exists() else []
        times = [float(line.split()[0]) for line in lines if re.search(rf"\b{self.name}\b", line)]
        expect(times and written.is_dir(), f"{package} was not generated anew by {self.name}")
        return sum(times)

    def step(self, package, command):
        """CPU seconds of one step of a package."""
        folder = self.ws.root / "build" / package

        def run():
            done = subprocess.run(command, cwd=folder, env=self.env, check=False, capture_output=True, text=True)
            expect(done.returncode == 0, f"{command} failed in {folder}:\n{done.stdout}{done.stderr}")

        return cpu_of(run)


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
    totals = [one_run(sides, [package.name for package in packages]) for _ in range(options.runs)]
    python = statistics.median(cpu_of(lambda: read_in_python(sides[OURS].ws)) for _ in range(options.runs))

    count = sum(len(interfaces(package)) for package in packages)
    print(f"{count} interfaces in {len(packages)} packages, {options.runs} runs, {os.cpu_count()} cores, CPU seconds\n")
    print("| generator | own commands | configure | install | share of a fresh build | again, ms for each package |")
    print("|---|---|---|---|---|---|")
    for name in names[1:]:
        runs = [{step: run[name, step] - run["", step] for step in ("generate", *STEPS)} for run in totals]
        median = {step: statistics.median(run[step] for run in runs) for step in runs[0]}
        share = statistics.median(run["generate"] + run["configure"] + run["install"] for run in runs)
        again = statistics.median(run["build again"] + run["install again"] for run in runs) / len(packages) * 1000
        print(f"| {name} | {median['generate']:.2f} | {median['configure']:.2f} | {median['install']:.2f} | {share:.2f} | {again:.0f} |")
    print(f"| Python reads the files, no more | {python:.2f} | | | {python:.2f} | |")


def one_run(sides, packages):
    """CPU seconds of all packages together, by side and step."""
    totals = collections.defaultdict(float)
    for package in packages:
        for name, side in sides.items():
            totals[name, "generate"] += side.generate(package)
        for step, command in STEPS.items():
            for name, side in sides.items():
                totals[name, step] += side.step(package, command)
    return totals


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"FAILED: {failure}")
