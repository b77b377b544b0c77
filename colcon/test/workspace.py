"""A colcon workspace of its own: packages around interface files come in, builds and what they changed go out.

Interface files are copied as they are. Nothing outside the workspace's folder is written, and no environment is taken over but what
cargo needs.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

KINDS = ("msg", "srv", "action")
REFERENCE = re.compile(r"^\s*(?:([a-z][a-z0-9_]*)/)?(?:msg/)?([A-Z]\w*)\b")

PACKAGE_XML = """<?xml version="1.0"?>
<package format="3">
  <name>{name}</name>
  <version>{version}</version>
  <description>Interfaces of {name}</description>
  <maintainer email="nobody@example.org">nobody</maintainer>
  <license>{licence}</license>

  <buildtool_depend>ament_cmake</buildtool_depend>
  <buildtool_depend>rosidl_default_generators</buildtool_depend>
{depends}
  <exec_depend>rosidl_default_runtime</exec_depend>
  <member_of_group>rosidl_interface_packages</member_of_group>

  <export>
    <build_type>ament_cmake</build_type>
  </export>
</package>
"""

CMAKE_LISTS = """cmake_minimum_required(VERSION 3.16)
project({name})

find_package(ament_cmake REQUIRED)
find_package(rosidl_default_generators REQUIRED)
{find}
rosidl_generate_interfaces(${{PROJECT_NAME}}
{files}
{options})

ament_package()
"""


class Failure(Exception):
    """A check that did not hold; its text says what was expected and what was there."""


def expect(condition, text):
    if not condition:
        raise Failure(text)


def expect_in(text, output):
    expect(text in output, f"expected to read {text!r} in:\n{output}")


def interfaces(folder):
    """The interface files of a package, as `msg/Name.msg`."""
    return sorted(f"{kind}/{path.name}" for kind in KINDS for path in Path(folder, kind).glob("*.*"))


def references(name, folder, interface):
    """What an interface file refers to: pairs of package and type."""
    found = set()
    for line in Path(folder, interface).read_text(encoding="utf-8").splitlines():
        match = REFERENCE.match(line.split("#")[0])
        if match and "=" not in line.split("#")[0].split()[0]:
            found.add((match[1] or name, match[2]))
    return found


def dependencies(name, folder):
    """The packages that a package of interfaces has to name."""
    files = interfaces(folder)
    found = {package for file in files for package, _ in references(name, folder, file)} - {name}
    if any(file.startswith("action/") for file in files):
        found.add("action_msgs")
    return sorted(found)


class Workspace:
    """`root`/src with its build, install and log folders beside it."""

    def __init__(self, root, env, underlays=(), cmake_args=(), colcon_args=()):
        self.root = Path(root)
        self.src = self.root / "src"
        self.install = self.root / "install"
        self.env = env
        self.underlays = [Path(underlay) for underlay in underlays]
        self.cmake_args = list(cmake_args)
        self.colcon_args = list(colcon_args)
        self.after_sourcing = ""
        self.src.mkdir(parents=True, exist_ok=True)

    def add(self, source, name=None):
        """A copy of a package."""
        target = self.src / (name or Path(source).name)
        shutil.copytree(source, target, dirs_exist_ok=True)
        return target

    def add_interfaces(self, source, name=None, options="", version="5.3.0", licence="Apache-2.0", depends=None):
        """A package around the interface files of a folder, as ROS 2's own are written."""
        name = name or Path(source).name
        target = self.src / name
        for kind in KINDS:
            if Path(source, kind).is_dir():
                shutil.copytree(Path(source, kind), target / kind, dirs_exist_ok=True)
        if depends is None:
            depends = dependencies(name, target)
        xml = "\n".join(f"  <depend>{depend}</depend>" for depend in depends)
        (target / "package.xml").write_text(PACKAGE_XML.format(name=name, version=version, licence=licence, depends=xml))
        if depends:
            options = f"  DEPENDENCIES {' '.join(depends)}\n{options}"
        (target / "CMakeLists.txt").write_text(
            CMAKE_LISTS.format(
                name=name,
                find="\n".join(f"find_package({depend} REQUIRED)" for depend in depends),
                files="\n".join(f'  "{file}"' for file in interfaces(target)),
                options=options,
            )
        )
        return target

    def add_texts(self, name, texts, **options):
        """A package around interface files that are given as texts."""
        folder = self.root / "texts" / name
        shutil.rmtree(folder, ignore_errors=True)
        for file, text in texts.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(text)
        return self.add_interfaces(folder, name, **options)

    def run(self, command, cwd=None, env=None, sourced=True, fails=False):
        """The output of a command in this workspace's environment; a command that ends otherwise than expected is a failure."""
        setups = [underlay / "setup.bash" for underlay in self.underlays]
        if sourced:
            setups.append(self.install / "setup.bash")
        source = "".join('. "$1"; shift; ' for setup in setups if setup.exists())
        present = [str(setup) for setup in setups if setup.exists()]
        done = subprocess.run(
            ["bash", "-c", f'{source}{self.after_sourcing}exec "$@"', "bash", *present, *map(str, command)],
            cwd=cwd or self.root,
            env={**self.env, **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        expect(
            (done.returncode != 0) == fails,
            f"{' '.join(map(str, command))} ended with {done.returncode} in {cwd or self.root}:\n{done.stdout[-6000:]}",
        )
        return done.stdout

    def build(self, *args, sourced=True, fails=False, env=None):
        """`colcon build`; its output with that of all packages."""
        command = ["python3", "-m", "colcon", "build", "--event-handlers", "console_direct+", *self.colcon_args, *args]
        return self.run([*command, "--cmake-args", *self.cmake_args, "--no-warn-unused-cli"], sourced=sourced, fails=fails, env=env)

    def prefix(self, package):
        """Where a package is installed."""
        return self.install if "--merge-install" in self.colcon_args else self.install / package

    def crate(self, package):
        """Where the Rust crate of an interface package is installed."""
        return self.prefix(package) / "share" / f"{package}_buffer" / "rust"

    def marker(self, package):
        """The marker by which colcon finds that crate."""
        return self.prefix(package) / "share/ament_index/resource_index/rust_packages" / f"{package}_buffer"


def tell_cargo(ws, program, folder):
    """What the page says for Cargo outside colcon: the installed crates in the configuration of a package."""
    (folder / ".cargo").mkdir(exist_ok=True)
    (folder / ".cargo/config.toml").write_text(ws.run([program, "cargo-config"], cwd=folder))


def state(*folders):
    """When and with what each file below some folders was written last."""
    found = {}
    for folder in folders:
        for path, _, names in os.walk(folder):
            for name in names:
                file = Path(path, name)
                found[str(file)] = (file.stat().st_mtime_ns, file.read_bytes())
    return found


def changed(before, after):
    """The files that were written anew, went or came, whatever their content."""
    return sorted(file for file in before.keys() | after.keys() if before.get(file) != after.get(file))
