//! No input of a megabyte takes more than a second, whatever is in it: the generator runs in build scripts and editors.
//!
//! Measured is the processor time of this process, so this file holds a single test, and a busy machine changes little.
//! The promise is for a release build. Without optimisation everything is several times slower: there the inputs are
//! smaller by a factor, which still shows what grows with the square of the size.
#![allow(clippy::unwrap_used, clippy::format_collect)]

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use rosidl_buffer_gen::{Config, Error, Report};

/// By what all inputs are smaller.
const SMALLER: usize = if cfg!(debug_assertions) { 25 } else { 1 };

const MEGABYTE: usize = 1_000_000 / SMALLER;

/// What is promised.
const LIMIT: Duration = Duration::from_secs(1);

/// How much slower a machine in use may be.
const SLACK: u32 = if cfg!(debug_assertions) { 1 } else { 3 };

/// The processor time that this process took so far.
fn processor_time() -> Duration {
    // Fields 14 and 15 of the line, in hundredths of a second; the second field may hold blanks.
    let times = |line: String| -> Option<u64> {
        let mut fields = line.rsplit_once(')')?.1.split_whitespace().skip(11);
        let user: u64 = fields.next()?.parse().ok()?;
        let system: u64 = fields.next()?.parse().ok()?;
        Some((user + system) * 10)
    };
    if let Some(times) = fs::read_to_string("/proc/self/stat").ok().and_then(times) {
        return Duration::from_millis(times);
    }
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

/// An input: what it is called, and its files below the folder of packages.
struct Input {
    name: String,
    files: Vec<(String, String)>,
}

fn one(name: &str, kind: &str, text: String) -> Input {
    Input {
        name: format!("{name}, .{kind}"),
        files: vec![(
            format!("p/{}/A.{kind}", if kind == "idl" { "msg" } else { kind }),
            text,
        )],
    }
}

/// Numbered lines, about a megabyte of them.
fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count / SMALLER).fold(String::new(), |mut text, index| {
        writeln!(text, "{}", line(index)).unwrap();
        text
    })
}

/// A megabyte of something.
fn repeated(piece: &str) -> String {
    piece.repeat(MEGABYTE / piece.len())
}

/// What a part of any file may be.
fn parts() -> Vec<(&'static str, String)> {
    let mut parts = vec![
        ("constants", lines(60_000, |i| format!("int8 C{i}=1"))),
        ("fields", lines(80_000, |i| format!("int8 f{i}"))),
        (
            "fields of a message",
            lines(50_000, |i| format!("p/B f{i}")),
        ),
        (
            "fields with defaults",
            lines(50_000, |i| format!("string f{i} \"a\"")),
        ),
        ("fields of one name", repeated("int8 x\n")),
        ("constants of one name", repeated("int8 X=1\n")),
        ("unknown types", lines(50_000, |i| format!("q{i}/B f{i}"))),
        ("unknown messages", lines(50_000, |i| format!("B{i} f{i}"))),
        ("missing names", repeated("int8\n")),
        (
            "values that do not fit",
            lines(50_000, |i| format!("int8 f{i} 1000")),
        ),
        ("comments at the top", repeated("# a\n")),
        (
            "comments on a field",
            format!("int8 x\n{}", repeated(" # a\n")),
        ),
        (
            "comments before a field",
            format!("\n{}int8 x\n", repeated("#a [m]\n")),
        ),
        ("code in a comment", repeated("#     a\n# b\n")),
        ("a long comment", format!("# {}", repeated("a"))),
        (
            "blanks in a comment",
            format!("int8 x # {}", repeated(" \u{a0}")),
        ),
        (
            "marks in a comment",
            format!("int8 x # {}", repeated("- > ")),
        ),
        (
            "escapes in a comment",
            format!("int8 x # {}", repeated(r"\n")),
        ),
        ("a long type", format!("{} x", repeated("A"))),
        ("a long package", format!("{}/B x", repeated("a"))),
        ("a long field name", format!("int8 {}", repeated("a"))),
        ("a long constant name", format!("int8 {}=1", repeated("A"))),
        ("a long bad name", format!("int8 {}!=1", repeated("A"))),
        ("a long bound", format!("int8[{}] x", repeated("1"))),
        ("a long string", format!("string x \"{}\"", repeated("a"))),
        (
            "a long bounded string",
            format!("string<=9 x \"{}\"", repeated("a")),
        ),
        ("a long number", format!("int64 x {}", repeated("1"))),
        (
            "a long floating point number",
            format!("float64 x {}", repeated("1")),
        ),
        ("a small number", format!("float64 x 0.{}1", repeated("0"))),
        (
            "a long hexadecimal number",
            format!("uint64 x 0x{}", repeated("f")),
        ),
        (
            "digits of another script",
            format!("int64 x {}", repeated("\u{661}")),
        ),
        ("escapes", format!("string x \"{}\"", repeated(r"\t"))),
        (
            "escaped backslashes",
            format!("string x \"{}\"", repeated(r"\\")),
        ),
        (
            "escaped quotes",
            format!("string x \"{}\"", repeated(r#"\""#)),
        ),
        (
            "quotes in a string",
            format!("string x {}", repeated("\"'")),
        ),
        (
            "an array",
            format!("int8[] x [{}1]", "1,".repeat(300_000 / SMALLER)),
        ),
        (
            "an array of floats",
            format!("float64[] x [{}1]", "1.5,".repeat(200_000 / SMALLER)),
        ),
        (
            "an array of strings",
            format!("string[] x [{}'a']", "'a',".repeat(200_000 / SMALLER)),
        ),
        (
            "an array of bad numbers",
            format!("int8[] x [{}x]", "x,".repeat(300_000 / SMALLER)),
        ),
        (
            "an array of unclosed strings",
            format!("string[] x [{}]", repeated("'a\"")),
        ),
        ("separators", "---\n".repeat(300_000 / 4 * 3 / SMALLER)),
        ("opening brackets as a type", format!("{} x", repeated("["))),
        ("brackets as a type", format!("int8{} x", repeated("[]"))),
        (
            "brackets in a comment",
            format!("int8 x # {}", repeated("[]")),
        ),
        (
            "opening brackets in a comment",
            format!("int8 x # {}", repeated("[")),
        ),
        (
            "units in a comment",
            format!("int8 x # {}", repeated(" [m]")),
        ),
        (
            "opening brackets as a value",
            format!("int8[] x {}", repeated("[")),
        ),
        ("slashes", format!("{} x", repeated("a/"))),
        ("equals signs", format!("int8 X{}", repeated("="))),
        ("bounds", format!("string{} x", repeated("<="))),
        ("annotations", repeated("@optional\n")),
        ("names that are not closed", repeated("@optional ")),
        ("nul characters", repeated("\0")),
    ];
    let pieces = [
        "[", "]", "(", "{", "<", "\"", "'", " ", "\t", "\r", "\n", "\r\n", "\u{2028}", "#", "=",
        "a", "\\", "#\n", " #\n", "a a\n", "a=\n", "é", "🙂", "/*", "//", "-", "@", "0", ",", "_",
    ];
    parts.extend(pieces.map(|piece| (piece, repeated(piece))));
    parts
}

/// What a module of an .idl file may hold.
fn idl_parts() -> Vec<(&'static str, String)> {
    let member = |text: String| format!("struct A {{ {text} int8 x; }};");
    vec![
        ("members", member(lines(60_000, |i| format!("int8 f{i};")))),
        ("members of one name", member(repeated("int8 x;\n"))),
        (
            "unknown types",
            member(lines(50_000, |i| format!("q::msg::B f{i};"))),
        ),
        (
            "defaults",
            member(lines(25_000, |i| format!("@default(value=1) int8 f{i};"))),
        ),
        (
            "constants",
            format!(
                "module A_Constants {{ {} }}; struct A {{ int8 x; }};",
                lines(40_000, |i| format!("const int8 C{i} = 1;"))
            ),
        ),
        (
            "typedefs",
            format!(
                "{} struct A {{ t0 x; }};",
                lines(40_000, |i| format!("typedef int8 t{i};"))
            ),
        ),
        (
            "a chain of typedefs",
            format!(
                "typedef int8 t0; {} struct A {{ t{} x; }};",
                lines(40_000, |i| format!("typedef t{i} t{};", i + 1)),
                40_000 / SMALLER
            ),
        ),
        ("modules", repeated("module m { ")),
        ("sequences", member(format!("{} x;", repeated("sequence<")))),
        ("annotations", member(repeated("@key "))),
        (
            "adjacent strings",
            member(format!("@unit(value={}) int8 u;", repeated("\"a\" "))),
        ),
        (
            "a long string",
            member(format!("@unit(value=\"{}\") int8 u;", repeated("a"))),
        ),
        (
            "escapes",
            member(format!("@unit(value=\"{}\") int8 u;", repeated(r"\x41"))),
        ),
        ("a long name", member(format!("int8 {};", repeated("a")))),
        (
            "a long number",
            member(format!("int8 x[{}];", repeated("1"))),
        ),
        (
            "a list as default value",
            member(format!(
                "@default(value=\"({}1)\") sequence<int8> l;",
                "1, ".repeat(200_000 / SMALLER)
            )),
        ),
        (
            "a comment",
            format!("/* {} */ struct A {{ int8 x; }};", repeated("a ")),
        ),
        (
            "comments",
            format!("{} struct A {{ int8 x; }};", repeated("//\n")),
        ),
        ("open comments", repeated("/*")),
        (
            "annotations on many names",
            member(format!(
                "{} int8 a{};",
                repeated("@key "),
                lines(20_000, |i| format!(", a{i}"))
            )),
        ),
    ]
}

fn inputs() -> Vec<Input> {
    let mut inputs = Vec::new();
    for (name, part) in idl_parts() {
        inputs.push(one(
            name,
            "idl",
            format!("module p {{ module msg {{ {part} }}; }};"),
        ));
    }
    for (name, part) in parts() {
        if part.len() < MEGABYTE + MEGABYTE / 2 && !name.contains(' ') {
            inputs.push(one(name, "idl", part));
        }
    }
    for (name, part) in parts() {
        // Parts of services and actions are read as messages are.
        if SMALLER == 1 {
            inputs.push(one(name, "srv", format!("{part}\n---\n")));
            inputs.push(one(name, "action", format!("---\n---\n{part}")));
        }
        inputs.push(one(name, "msg", part));
    }
    let comment = format!("# {}\n", "a".repeat(MEGABYTE / CHAIN));
    inputs.push(Input {
        name: "a chain of messages".to_owned(),
        files: (0..CHAIN)
            .map(|index| {
                let text = format!("{comment}M{} next\n", index + 1);
                (format!("p/msg/M{index}.msg"), text)
            })
            .chain([(format!("p/msg/M{CHAIN}.msg"), "int8 x\n".to_owned())])
            .collect(),
    });
    inputs.push(Input {
        name: "a circle of messages".to_owned(),
        files: (0..CHAIN)
            .map(|index| {
                let text = format!("{comment}M{} next\n", (index + 1) % CHAIN);
                (format!("p/msg/M{index}.msg"), text)
            })
            .collect(),
    });
    inputs
}

/// How many messages contain each other. The hash of each covers all that it contains, so that work grows with the square.
const CHAIN: usize = 300 / if SMALLER == 1 { 1 } else { 5 };

fn write(folder: &Path, files: &[(String, String)]) {
    let other = ("p/msg/B.msg".to_owned(), "int8 b\n".to_owned());
    for (path, text) in files.iter().chain([&other]) {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// The time that each of the steps takes, with putting errors into words.
fn times(folder: &Path) -> [(&'static str, Duration); 3] {
    let none: [&str; 0] = [];
    let source = folder.join("source");
    let out = folder.join("out");
    let config = Config::new().ament_prefixes(none).cargo_metadata(false);
    let config = config.search_path(&source).out_dir(&out);
    let (check, check_ok) = time(|| config.check(std::slice::from_ref(&source)));
    let (hashes, hashes_ok) = time(|| config.type_hashes(&none).map(|(_, report)| report));
    let (generate, generate_ok) = time(|| config.generate());
    assert!(check_ok == hashes_ok && hashes_ok == generate_ok && generate_ok == out.exists());
    [("check", check), ("hashes", hashes), ("generate", generate)]
}

/// How long something takes, and whether it ends well.
fn time(run: impl FnOnce() -> Result<Report, Error>) -> (Duration, bool) {
    let start = processor_time();
    let result = run();
    let told = match &result {
        Ok(report) => report.render_warnings(true),
        Err(error) => error.render(true),
    };
    let time = processor_time().saturating_sub(start);
    assert!(
        told.len() < 4 * MEGABYTE,
        "{} bytes of messages",
        told.len()
    );
    (time, result.is_ok())
}

#[test]
fn nothing_of_a_megabyte_takes_long() {
    let mut all = Vec::new();
    for input in inputs() {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("source"), &input.files);
        for (step, time) in times(folder.path()) {
            all.push((time, format!("{step}, {}", input.name)));
        }
    }
    all.sort_unstable();
    for (time, what) in all.iter().rev().take(10) {
        println!("{time:>8.2?}  {what}");
    }
    let (slowest, what) = all.last().unwrap();
    assert!(*slowest <= LIMIT * SLACK, "{what}: {slowest:.2?}");
}
