//! Files that ROS 2's own tool made from `.msg`, `.srv` and `.action` files say the same as those.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{name, read, value};
use crate::{
    diagnostic::Diagnostics,
    name::Kind,
    source::Source,
    syntax::{
        ast::{Base, Comment, Message, Primitive, Type},
        parse_interface,
    },
};

#[test]
fn converted_files_say_what_the_originals_say() {
    macro_rules! fixture {
        ($kind:expr, $stem:literal, $extension:literal) => {
            compare(
                "fixture_msgs",
                $kind,
                $stem,
                include_str!(concat!("../fixtures/", $stem, $extension)),
                include_str!(concat!("../fixtures/", $stem, ".idl")),
            );
        };
    }
    fixture!(Kind::Msg, "Everything", ".msg");
    fixture!(Kind::Msg, "OnlyConstants", ".msg");
    fixture!(Kind::Srv, "Ask", ".srv");
    fixture!(Kind::Srv, "Nothing", ".srv");
    fixture!(Kind::Action, "Count", ".action");
}

/// Every interface of the project, converted by ROS 2's own tool.
#[test]
#[ignore = "needs rosidl_adapter, Debian's python3-rosidl; snapshot_tests/interop/run runs it where that is there"]
fn all_converted_files_say_what_the_originals_say() {
    let folder = tempfile::tempdir().unwrap();
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let roots = [
        crate_folder.join("../msg"),
        crate_folder.join("../snapshot_tests/interfaces"),
    ];
    let converted = Command::new("/usr/bin/python3")
        .arg(crate_folder.join("src/syntax/idl/fixtures/convert.py"))
        .arg(folder.path())
        .args(&roots)
        .output()
        .unwrap();
    assert!(converted.status.success(), "{converted:?}");
    let mut compared = 0;
    for file in roots.iter().flat_map(|root| files_below(root, 3)) {
        let part = |up: usize| {
            let folder = file.ancestors().nth(up).unwrap();
            folder.file_stem().unwrap().to_str().unwrap()
        };
        let (package, stem) = (part(2), part(0));
        let Some(kind) = file
            .extension()
            .and_then(|kind| Kind::named(kind.to_str()?))
        else {
            continue;
        };
        let idl = folder.path().join(package).join(kind.as_str());
        let idl = fs::read_to_string(idl.join(format!("{stem}.idl"))).unwrap();
        compare(
            package,
            kind,
            stem,
            &fs::read_to_string(&file).unwrap(),
            &idl,
        );
        compared += 1;
    }
    assert!(compared > 200, "{compared}");
}

/// Compares what is read from both files.
fn compare(package: &str, kind: Kind, stem: &str, original: &str, converted: &str) {
    let source = Source::new(format!("{stem}.{kind}"), original.to_owned());
    let mut diagnostics = Diagnostics::default();
    let expected = parse_interface(kind, &source, &mut diagnostics);
    assert!(!diagnostics.has_errors(), "{package}/{kind}/{stem}");
    let (found, told) = read(&name(package, kind, stem), converted);
    assert!(told.is_empty(), "{package}/{kind}/{stem}: {told:?}");
    assert_eq!(
        shape(package, &found),
        shape(package, &expected),
        "{package}/{kind}/{stem}"
    );
}

fn files_below(folder: &Path, depth: usize) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match path.is_dir() {
            true if depth > 1 => files_below(&path, depth - 1),
            true => Vec::new(),
            false => vec![path],
        })
        .collect()
}

/// Trees as text, without places and without what the conversion to IDL changes.
fn shape(package: &str, messages: &[Message]) -> String {
    let mut text = String::new();
    for message in messages {
        writeln!(text, "message {:?}", message.comment.lines).unwrap();
        for field in &message.fields {
            let default = field.default.as_ref().map(value);
            let Comment { lines, unit } = &field.comment;
            let field_type = type_shape(package, &field.field_type);
            let name = &field.name.text;
            writeln!(
                text,
                "field {name}: {field_type} = {default:?} {lines:?} {unit:?}"
            )
            .unwrap();
        }
        for constant in &message.constants {
            // The unit of a constant or a message does not come through.
            let lines = &constant.comment.lines;
            let primitive = without_letters(constant.primitive);
            let (name, value) = (&constant.name.text, value(&constant.value));
            writeln!(text, "constant {name}: {primitive:?} = {value} {lines:?}").unwrap();
        }
    }
    text
}

fn type_shape(package: &str, field_type: &Type) -> String {
    let base = match &field_type.base {
        Base::Primitive(primitive) => format!("{:?}", without_letters(*primitive)),
        Base::Named {
            package: named,
            kind,
            name,
        } => {
            let package = named.as_deref().unwrap_or(package);
            format!("{package}/{kind}/{name}")
        }
        text @ Base::BoundedText { .. } => format!("{text:?}"),
    };
    format!("{base} {:?}", field_type.array)
}

/// `char` of `.msg` files is `uint8` of `.idl` files.
fn without_letters(primitive: Primitive) -> Primitive {
    match primitive {
        Primitive::Char => Primitive::Uint8,
        other => other,
    }
}
