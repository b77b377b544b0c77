"""What goes wrong in a build: each says what a ROS user can do about it, and leaves no half-installed crate."""

import os
import shutil
import subprocess
from pathlib import Path

from layouts import READING, add_generators, fresh, write_consumer
from standard import NO_HASHES, binary
from workspace import expect, expect_in, tell_cargo

NO_GENERATORS = "-DROSIDL_GENERATORS="


def nothing_of(ws, package):
    """A package whose build failed has neither a crate nor a marker."""
    expect(not ws.marker(package).exists(), f"{package} failed, but its crate is in the ament index")
    expect(not (ws.crate(package) / "Cargo.toml").exists(), f"{package} failed, but there is half a crate at {ws.crate(package)}")


def interfaces(base, root):
    """A file that ROS 2 refuses, one that it takes and we refuse, a package that its own does not name: all named with their place."""
    ws = fresh(root, base)
    add_generators(ws, base)
    ws.add_texts("theirs_msgs", {"msg/Wrong.msg": "int32 UpperCase\n"})
    ws.add_texts("ours_msgs", {"msg/Good.msg": "int32 x\n", "msg/Wrong.msg": "int32 x\nMissing y\n"})
    ws.add_texts("alone_msgs", {"msg/Alone.msg": "int32 x\nstd_msgs/Header header\n"}, depends=[])
    ws.build("--packages-skip", "theirs_msgs", "ours_msgs", "alone_msgs", sourced=False)
    expect_in("UpperCase", ws.build("--packages-select", "theirs_msgs", fails=True))
    nothing_of(ws, "theirs_msgs")
    output = ws.build("--packages-select", "ours_msgs", fails=True)
    expect_in("there is no message `Missing` in the package `ours_msgs`", output)
    expect_in("Wrong.msg:2:1", output)
    nothing_of(ws, "ours_msgs")

    output = ws.build("--packages-select", "alone_msgs", fails=True)
    expect_in("there is no package `std_msgs`", output)
    expect_in("find_package()", output)
    expect_in("Alone.msg:2:1", output)
    nothing_of(ws, "alone_msgs")

    wrong = ws.src / "ours_msgs/msg/Wrong.msg"
    wrong.write_text("int32 x\nGood y\n")
    ws.build("--packages-select", "ours_msgs")
    expect(ws.marker("ours_msgs").is_file(), "the corrected package has no crate")


def no_cargo(base, root):
    """Neither cargo nor the program: the generator does not build, and says where to get them."""
    ws = fresh(root, base)
    add_generators(ws, base)
    ws.cmake_args = ws.cmake_args[:1]
    tools = root / "tools"
    tools.mkdir()
    for folder in ("/usr/bin", "/bin"):
        for tool in Path(folder).iterdir():
            if tool.name not in ("cargo", "rustc", "rustup") and not (tools / tool.name).exists():
                (tools / tool.name).symlink_to(tool)
    venv = base.env["PATH"].split(":")[0]
    path = {"PATH": f"{venv}:{tools}", "HOME": str(root), "CARGO_HOME": str(root)}
    output = ws.build("--packages-select", "rosidl_generator_buffer_rs", sourced=False, fails=True, env=path)
    expect_in("cargo", output)
    expect_in("ROSIDL_BUFFER_GEN_EXECUTABLE", output)
    index = ws.prefix("rosidl_generator_buffer_rs") / "share/ament_index/resource_index/rosidl_generator_packages"
    expect(not index.exists(), "a generator without a program is in the ament index")


def read_only(base, root):
    """An install space that cannot be written. Root may write anywhere, so a file system that may not be is put there."""
    ws = fresh(root, base)
    add_generators(ws, base)
    ws.build(sourced=False)
    ws.add_texts("own_msgs", {"msg/Own.msg": "uint8[] data\n"})
    prefix = ws.prefix("own_msgs")
    prefix.mkdir()
    if os.getuid() == 0:
        command = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && shift && exec "$@"'
        before = ["unshare", "--mount", "sh", "-c", command, "sh", prefix]
        if subprocess.run([*map(str, before), "true"], capture_output=True, check=False).returncode:
            return "skipped, no mount name space may be made here"
    else:
        before = []
        prefix.chmod(0o555)
    command = [*before, "python3", "-m", "colcon", "build", "--packages-select", "own_msgs", "--cmake-args", *ws.cmake_args]
    output = ws.run(command, fails=True)
    prefix.chmod(0o755)
    expect("Read-only file system" in output or "Permission denied" in output, f"the reason is not told:\n{output}")
    nothing_of(ws, "own_msgs")
    return None


def no_dependency(base, root):
    """An underlay that was built without the generator: what to run is told, and works."""
    under = fresh(root / "under", base, generators=NO_GENERATORS)
    add_generators(under, base)
    for name in ("builtin_interfaces", "std_msgs"):
        under.add_interfaces(base.src / "rosidl_buffer/msg" / name)
    under.build(sourced=False)
    expect(not under.crate("std_msgs").exists(), "the underlay should have no crates")

    over = fresh(root / "over", base, underlays=[under.install])
    over.add_texts("own_msgs", READING)
    output = " ".join(over.build().split())
    expect_in("there are no Rust crates of ", output)
    expect_in("ament-underlay --out <folder> --package ", output)

    consumer = root / "consumer"
    write_consumer(consumer)
    tree = ["cargo", "tree", "--offline", "--prefix", "none"]
    tell_cargo(over, binary(base), consumer)
    expect_in("std_msgs_buffer", over.run(tree, cwd=consumer, fails=True))
    made = root / "made"
    over.run([binary(base), "ament-underlay", "--out", made, "--package", "std_msgs"])
    over.after_sourcing = f'export AMENT_PREFIX_PATH="{made}:$AMENT_PREFIX_PATH"; '
    tell_cargo(over, binary(base), consumer)
    expect_in(str(made / "share/std_msgs_buffer/rust"), over.run(tree, cwd=consumer))
    expect("no Rust crates" not in over.build("--cmake-force-configure"), "crates in AMENT_PREFIX_PATH are not found")


def descriptions(base, root):
    """Type descriptions of ROS 2: equal ones pass, another hash stops the build, none are said once."""
    ws = fresh(root, base, generators="-DROSIDL_GENERATORS=rosidl_generator_type_description;rosidl_generator_buffer_rs")
    add_generators(ws, base)
    ws.add(base.src / "rosidl_buffer/colcon/test/rosidl_generator_type_description")
    package = ws.add_interfaces(base.src / "rosidl_buffer/msg/builtin_interfaces")
    folder = package / "descriptions/msg"
    folder.mkdir(parents=True)
    texts = {}
    for name in ("Duration", "Time"):
        texts[name] = ws.run([binary(base), "describe", f"builtin_interfaces/msg/{name}"], sourced=False)
        (folder / f"{name}.json").write_text(texts[name])
    output = ws.build(sourced=False)
    expect(NO_HASHES not in output, f"there are descriptions, but they were skipped:\n{output}")
    expect(ws.marker("builtin_interfaces").is_file(), "equal descriptions stop the build")

    shutil.rmtree(ws.install / "builtin_interfaces")
    right = texts["Time"].split("RIHS01_")[1][:8]
    (folder / "Time.json").write_text(texts["Time"].replace(right, "0123abcd"))
    output = ws.build("--packages-select", "builtin_interfaces", fails=True)
    for text in (f"RIHS01_{right}", "RIHS01_0123abcd", "Time.json", "Time.msg"):
        expect_in(text, output)
    nothing_of(ws, "builtin_interfaces")


def command_line(base, root):
    """`rosidl generate -t buffer_rs`, ROS 2's own command."""
    shutil.rmtree(root, ignore_errors=True)
    command = ["rosidl", "generate", "-t", "buffer_rs", "-o", root, "builtin_interfaces", "msg/Time.msg", "msg/Duration.msg"]
    base.run(command, cwd=base.src / "builtin_interfaces")
    for file in ("Cargo.toml", "src/msg/time.rs", "src/msg/duration.rs"):
        expect((root / file).is_file(), f"rosidl generate did not write {file}")
