"""How a workspace may lie and be installed: symbolic links, one prefix for all, odd paths, overlays, packages that install nothing."""

import shutil
from pathlib import Path

from standard import OURS, PROBES, binary, check_output
from workspace import Workspace, changed, expect, expect_in, state, tell_cargo

# What the node needs, and no more.
NEEDED = ("action_msgs", "builtin_interfaces", "geometry_msgs", "sensor_msgs", "service_msgs", "std_msgs", "unique_identifier_msgs")
READING = {"msg/Reading.msg": "std_msgs/ColorRGBA colour\nuint8[] data\n"}


def fresh(root, base, underlays=(), colcon_args=(), generators=OURS):
    """An empty workspace that takes the generator's program from another one's."""
    shutil.rmtree(root, ignore_errors=True)
    program = f"-DROSIDL_BUFFER_GEN_EXECUTABLE={binary(base)}"
    return Workspace(root, base.env, underlays=underlays, cmake_args=[generators, program], colcon_args=colcon_args)


def add_generators(ws, base):
    """Our generator, and what finds it."""
    for name in ("rosidl_buffer", "rosidl_default_generators"):
        (ws.src / name).symlink_to(base.src / name)


def in_one_go(base, repository, root, colcon_args):
    """Everything in one build, nothing sourced before: the generator comes first because it is of the group that is waited for."""
    ws = fresh(root, base, colcon_args=colcon_args)
    add_generators(ws, base)
    for name in NEEDED:
        ws.add_interfaces(repository / "msg" / name)
    ws.add_interfaces(repository / PROBES)
    ws.build(sourced=False)
    for name in (*NEEDED, "buffer_probe_msgs"):
        expect(ws.marker(name).is_file(), f"{name}_buffer is not in the ament index of {root}")
    return ws


def used_by_cargo(ws, repository, target):
    """The crates of a workspace compile, and the node on top of them runs."""
    folder = ws.root / "plain"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(repository / "colcon/test/buffer_node", folder)
    shutil.copy(repository / "Cargo.lock", folder)
    tell_cargo(ws, binary(ws), folder)
    check_output(ws.run(["cargo", "run", "-q", "--offline", "--target-dir", target], cwd=folder), repository)


def links(base, repository, root):
    """`--symlink-install`: what is installed are links, and a changed file is there with the next build."""
    ws = in_one_go(base, repository, root, ["--symlink-install"])
    crate = ws.crate("std_msgs")
    for file in ("Cargo.toml", "src/lib.rs", "src/msg/color_rgba.rs"):
        expect((crate / file).is_symlink(), f"{crate / file} is not a link")
    before = state(crate)
    change = ws.src / "std_msgs/msg/ColorRGBA.msg"
    change.write_text(change.read_text() + "float32 w\n")
    ws.build("--packages-select", "std_msgs")
    written = [path for path in changed(before, state(crate)) if path.endswith(".rs")]
    expect([Path(path).name for path in written] == ["color_rgba.rs"], f"another field in ColorRGBA.msg changed {written}")


def odd_path(base, repository, root, target):
    """`--merge-install` with links at a path with odd characters; the crates compile there, and the node runs."""
    used_by_cargo(in_one_go(base, repository, root, ["--merge-install", "--symlink-install"]), repository, target)


def overlay(base, repository, root):
    """A package again in an overlay: crates of the overlay win, those of the underlay are found."""
    under = fresh(root / "under", base)
    add_generators(under, base)
    under.add_interfaces(repository / "msg/builtin_interfaces")
    under.add_interfaces(repository / "msg/std_msgs")
    under.build(sourced=False)

    over = fresh(root / "over", base, underlays=[under.install])
    std = over.add_interfaces(repository / "msg/std_msgs")
    colour = std / "msg/ColorRGBA.msg"
    colour.write_text(colour.read_text() + "float32 w\n")
    over.add_texts("own_msgs", READING)
    over.build()
    expect_in("pub w: f32", (over.crate("std_msgs") / "src/msg/color_rgba.rs").read_text())

    consumer = root / "consumer"
    write_consumer(consumer)
    tell_cargo(over, binary(under), consumer)
    tree = over.run(["cargo", "tree", "--offline", "--prefix", "none"], cwd=consumer)
    for crate in (over.crate("own_msgs"), over.crate("std_msgs"), under.crate("builtin_interfaces")):
        expect_in(str(crate), tree)
    expect(str(under.crate("std_msgs")) not in tree, f"the underlay's std_msgs_buffer hides the overlay's:\n{tree}")


def write_consumer(folder):
    """A Cargo package that only depends on `own_msgs_buffer`."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "src").mkdir(parents=True)
    (folder / "src/lib.rs").write_text("pub use own_msgs_buffer::msg::Reading;\n")
    (folder / "Cargo.toml").write_text(
        '[package]\nname = "consumer"\nversion = "0.1.0"\nedition = "2024"\n\n[dependencies]\nown_msgs_buffer = "*"\n\n[workspace]\n'
    )


def not_installed(base, root):
    """`SKIP_INSTALL`: no crate is installed and none is in the index, as with ROS 2's own generators."""
    ws = fresh(root, base)
    add_generators(ws, base)
    ws.add_texts("hidden_msgs", {"msg/Hidden.msg": "uint8[] data\n"}, options="  SKIP_INSTALL\n")
    ws.add_texts("linted_msgs", {"msg/Linted.msg": "uint8[] data\n"}, options="  ADD_LINTER_TESTS\n")
    ws.build(sourced=False)
    expect(not ws.crate("hidden_msgs").exists(), "SKIP_INSTALL installs a crate")
    expect(not ws.marker("hidden_msgs").exists(), "SKIP_INSTALL registers a crate")
    expect(ws.marker("linted_msgs").is_file(), "ADD_LINTER_TESTS prevents the crate")

    test = ["ctest", "--output-on-failure", "-R", "linted_msgs__rosidl_generator_buffer_rs__check"]
    expect_in("100% tests passed, 0 tests failed out of 1", ws.run(test, cwd=ws.root / "build/linted_msgs"))
    (ws.src / "linted_msgs/msg/Linted.msg").write_text("uint8[] Data\n")
    expect_in("field names are lower case", ws.run(test, cwd=ws.root / "build/linted_msgs", fails=True))
