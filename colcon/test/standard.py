"""ROS 2's own interface packages and a Rust node on top of them: built, run, built again, built after a change."""

import filecmp
import shutil
from pathlib import Path

from workspace import changed, expect, expect_in, interfaces, references, state, tell_cargo

OURS = "-DROSIDL_GENERATORS=rosidl_generator_buffer_rs"
PROBES = "snapshot_tests/interfaces/buffer_probe_msgs"
BUNDLED = (
    "action_msgs",
    "builtin_interfaces",
    "geometry_msgs",
    "nav_msgs",
    "sensor_msgs",
    "service_msgs",
    "std_msgs",
    "tf2_msgs",
    "unique_identifier_msgs",
)
# What is said once for each package where ROS 2 has no type hashes.
NO_HASHES = "this ROS 2 computes no type hashes"
# What is said when our program runs.
GENERATING = "Generating the Rust crate"
RUNTIME_CRATES = ("rosidl_buffer_derive", "rosidl_buffer_runtime", "rosidl_type_description")


def test_files(workspace):
    """A package around Debian's ROS test interface files, which stay where Debian puts them."""
    files = Path("/usr/share/test_interface_files")
    package = workspace.add_interfaces(files, "test_interface_files_msgs", depends=["action_msgs", "test_interface_files"])
    cmake = package / "CMakeLists.txt"
    text = cmake.read_text()
    for file in interfaces(files):
        text = text.replace(f'"{file}"', f'"{files}:{file}"')
    cmake.write_text(text.replace("DEPENDENCIES action_msgs test_interface_files", "DEPENDENCIES action_msgs"))
    for kind in ("msg", "srv", "action"):
        shutil.rmtree(package / kind)


def plugin(ws, repository):
    """The generator first, as the page says; what it installs."""
    left_out = shutil.ignore_patterns("target", ".git", ".gpu", ".venv", "corpus", "artifacts")
    shutil.copytree(repository, ws.src / "rosidl_buffer", symlinks=True, ignore=left_out)
    names = ws.run(["python3", "-m", "colcon", "list", "--names-only"]).split()
    expect(
        names == ["rosidl_generator_buffer_rs"],
        f"colcon should find the generator's package in the repository and no other, but it finds {names}; Cargo packages need a COLCON_IGNORE",
    )

    ws.build("--packages-select", "rosidl_generator_buffer_rs")
    prefix = ws.prefix("rosidl_generator_buffer_rs")
    version = ws.run([binary(ws), "--version"])
    expect_in("rosidl_buffer_gen ", version)
    index = prefix / "share/ament_index/resource_index"
    expect((index / "rosidl_generator_packages/rosidl_generator_buffer_rs").is_file(), "the generator is not in the ament index")
    for crate in RUNTIME_CRATES:
        expect((index / "rust_packages" / crate).is_file(), f"{crate} is not in the ament index")
        expect((prefix / "share" / crate / "rust/Cargo.toml").is_file(), f"{crate} is not installed")


def binary(ws):
    return ws.prefix("rosidl_generator_buffer_rs") / "lib/rosidl_generator_buffer_rs/rosidl_buffer_gen"


def packages(ws, repository):
    """Every interface package gets its crate, one file for each interface, and keeps its own files as they are."""
    ws.add(repository / "colcon/test/rosidl_default_generators")
    for name in BUNDLED:
        ws.add_interfaces(repository / "msg" / name)
    ws.add_interfaces(repository / PROBES)
    test_files(ws)
    output = ws.build("--packages-skip", "buffer_node")

    for package in (*BUNDLED, "buffer_probe_msgs", "test_interface_files_msgs"):
        crate = ws.crate(package)
        expect(ws.marker(package).is_file(), f"{package}_buffer is not in the ament index")
        expect_in(f'name = "{package}_buffer"', (crate / "Cargo.toml").read_text())
        source = Path("/usr/share/test_interface_files") if package.startswith("test_") else ws.src / package
        installed = {file.stem for file in (crate / "src").rglob("*.rs")}
        for file in interfaces(source):
            expect(any(same(stem, Path(file).stem) for stem in installed), f"{package}: no file for {file} among {sorted(installed)}")
            same_bytes = filecmp.cmp(source / file, ws.prefix(package) / "share" / package / file, shallow=False)
            expect(same_bytes, f"{package}: {file} was not installed as it is")
        theirs = ws.prefix(package) / "share" / package / "rust"
        expect(not theirs.exists(), f"{theirs} belongs to rosidl_generator_rs")
    manifest = (ws.crate("sensor_msgs") / "Cargo.toml").read_text()
    for text in ('version = "5.3.0"', 'license = "Apache-2.0"', "std_msgs_buffer", "geometry_msgs_buffer", "rosidl_buffer_runtime"):
        expect_in(text, manifest)
    count = len(BUNDLED) + 2
    said = output.count(NO_HASHES)
    expect(said == count, f"that hashes are compared with none is said {said} times for {count} packages")
    return f"{count} packages"


def same(stem, name):
    """Whether a Rust file is that of an interface: `point_cloud2` and `PointCloud2`."""
    return stem.strip("_").replace("_", "").lower() == name.replace("_", "").lower()


def node(ws, repository):
    """A Rust package on top of them, by colcon: with the versions of the repository's lock file, then with its own and no network.

    Cargo.lock lists what colcon names to Cargo, used or not. Once the package itself is installed, colcon names that as well, so the
    package's own configuration says that it is what lies there; else a build with --locked would fail.
    """
    target = ws.add(repository / "colcon/test/buffer_node")
    lock = target / "Cargo.lock"
    shutil.copy(repository / "Cargo.lock", lock)
    ws.build("--packages-select", "buffer_node")
    check_output(ws.run([ws.prefix("buffer_node") / "lib/buffer_node/buffer_node"]), repository)

    committed = lock.read_text()
    shutil.rmtree(ws.prefix("buffer_node"))
    for state_of_workspace in ("clean", "with the node installed"):
        ws.build("--packages-select", "buffer_node", "--cargo-args", "--locked", "--offline")
        expect(committed == lock.read_text(), f"a build with --locked changed Cargo.lock, {state_of_workspace}")
    expect_in("buffer_node", (ws.root / ".cargo/config.toml").read_text())


def check_output(output, repository):
    """The hashes that the node prints are those of real ROS 2."""
    golden = dict(line.split("\t") for line in (repository / "snapshot_tests/data/rihs01.tsv").read_text().splitlines() if "\t" in line)
    lines = [line.split() for line in output.splitlines()]
    expect(["image", "in", "shm"] in lines, f"the node's image is not in shared memory:\n{output}")
    hashes = [line for line in lines if len(line) == 2 and "/" in line[0]]
    expect(len(hashes) == 7, f"the node says the hashes of {len(hashes)} types, not of 7:\n{output}")
    for name, found in hashes:
        expect(golden.get(name) == found, f"{name} has the hash {found}, in ROS 2 it is {golden.get(name)}")


def plain_cargo(ws, repository, folder, target):
    """The same package outside colcon, with the lock file that colcon's build left, though the package is installed as well."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ws.src / "buffer_node", folder)
    tell_cargo(ws, binary(ws), folder)
    cargo = ["cargo", "run", "-q", "--locked", "--offline", "--target-dir", target]
    check_output(ws.run(cargo, cwd=folder), repository)


def nothing_changed(ws):
    """A second build with nothing changed writes no file of any crate."""
    before = crates(ws)
    output = ws.build("--packages-skip", "buffer_node")
    expect(GENERATING not in output, f"something was generated anew:\n{output}")
    written = changed(before, crates(ws))
    expect(not written, f"a build with nothing changed wrote {written}")
    return f"{len(before)} files of {len(BUNDLED) + 2} crates as they were"


def crates(ws):
    """The files of all crates where they are made and where they are installed."""
    folders = [*ws.root.glob("build/*/rosidl_generator_buffer_rs"), *ws.install.glob("*/share/*_buffer/rust")]
    expect(folders, f"there are no crates in {ws.root}")
    return state(*folders)


def one_changed(ws):
    """Touched, a file changes nothing. Another field changes the files of what contains it, and no other."""
    file = ws.src / "geometry_msgs/msg/Point32.msg"
    before = crates(ws)
    file.touch()
    ws.build("--packages-skip", "buffer_node")
    written = [path for path in changed(before, crates(ws)) if path.endswith(".rs")]
    expect(not written, f"a touched file whose content is as it was made Cargo build again: {written}")

    before = crates(ws)
    file.write_text(file.read_text() + "float32 w\n")
    ws.build("--packages-skip", "buffer_node")
    written = {Path(path) for path in changed(before, crates(ws)) if path.endswith(".rs")}
    found = {(package_of(path), path.stem) for path in written}
    expected = dependents(ws, ("geometry_msgs", "Point32"))
    for package, name in expected:
        expect(any(at == package and same(stem, name) for at, stem in found), f"{package}/{name} was not generated anew: {sorted(found)}")
    for package, stem in found:
        expect(any(at == package and same(stem, name) for at, name in expected), f"{package}: {stem} was generated anew for nothing")
    file.write_text(file.read_text().removesuffix("float32 w\n"))
    ws.build("--packages-skip", "buffer_node")
    return f"{len(expected)} interfaces contain geometry_msgs/Point32, so many were generated anew"


def package_of(path):
    """`sensor_msgs` for a file of its crate, where it is made or installed."""
    for part in path.parts:
        if part.endswith("_buffer"):
            return part.removesuffix("_buffer")
    return path.parts[path.parts.index("build") + 1]


def dependents(ws, first):
    """The interfaces that contain a type, and those that contain these."""
    uses = {}
    for package in (*BUNDLED, "buffer_probe_msgs"):
        for file in interfaces(ws.src / package):
            uses[(package, Path(file).stem)] = references(package, ws.src / package, file)
    found = {first}
    while more := {name for name, used in uses.items() if used & found} - found:
        found |= more
    return found
