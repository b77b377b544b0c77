//! The examples of ROS's articles on arguments and remapping, and what `rcl` does with odd ones.

use proptest::prelude::*;

use super::*;
use crate::parameters::ParameterValue as Value;

fn line(text: &str) -> Result<Arguments, ArgumentError> {
    Arguments::from_args(text.split(' '))
}

fn remapping(rules: &[&str]) -> Remapping {
    let rules: Vec<RemapRule> = rules
        .iter()
        .map(|rule| RemapRule::parse(rule).unwrap())
        .collect();
    Remapping::new(&rules, &[])
}

/// What a full-named node gets, later rules over earlier ones.
fn parameters(arguments: &Arguments, node: &str) -> BTreeMap<String, Value> {
    let rules = arguments.parameters.iter();
    let rules = rules.filter(|rule| rule.nodes.matches(node));
    rules
        .map(|rule| (rule.name.clone(), rule.value.clone()))
        .collect()
}

#[test]
fn ros_arguments_and_those_of_the_program() {
    for (text, others, rules) in [
        ("node", "node", 0),
        ("node a b", "node a b", 0),
        ("node a --ros-args", "node a", 0),
        ("node --ros-args --", "node", 0),
        ("node a --ros-args -r x:=y -- b --c", "node a b --c", 1),
        (
            "node --ros-args -r x:=y -- a -- b --ros-args --remap y:=z",
            "node a -- b",
            2,
        ),
        ("node --ros-args -r x:=y --ros-args -r y:=z", "node", 2),
        ("node -r x:=y", "node -r x:=y", 0),
    ] {
        let arguments = line(text).unwrap();
        let left: Vec<&str> = arguments
            .non_ros_arguments()
            .iter()
            .map(|argument| argument.to_str().unwrap())
            .collect();
        assert_eq!(left.join(" "), others, "{text}");
        assert_eq!(arguments.remap.len(), rules, "{text}");
    }
}

#[test]
fn each_flag_is_read() {
    let arguments = line(
        "node --ros-args --log-level DEBUG --log-level talker1:=WARN --log-config-file some_log.config \
         --enable-stdout-logs --disable-external-lib-logs --enable-rosout-logs --disable-rosout-logs -e /foo/bar",
    )
    .unwrap();
    assert_eq!(arguments.log_level, Some(LogSeverity::Debug));
    assert_eq!(arguments.log_levels["talker1"], LogSeverity::Warn);
    assert_eq!(arguments.rosout, Some(false));
    assert_eq!(arguments.enclave.as_deref(), Some("/foo/bar"));
}

#[test]
fn what_is_wrong_is_named() {
    for (text, said) in [
        (
            "node --ros-args --frobnicate",
            "argument 2 \"--frobnicate\" is no ROS argument",
        ),
        (
            "node --ros-args -r a:=b c",
            "argument 4 \"c\" is no ROS argument",
        ),
        (
            "node --ros-args -r",
            "-r at the end of the line needs a value: from:=to",
        ),
        (
            "node --ros-args -p --ros-args",
            "-p at the end of the line needs a value",
        ),
        (
            "node --ros-args -r a",
            "-r \"a\" cannot be used: there is no `:=`",
        ),
        ("node --ros-args -r a:=b:=c", "contains ':'"),
        ("node --ros-args -r :=b", "nothing stands before"),
        ("node --ros-args -r a:=", "is empty"),
        ("node --ros-args -r 1n:a:=b", "node name \"1n\""),
        (
            "node --ros-args -r **/foo:=\\1/bar",
            "wildcards and references back",
        ),
        (
            "node --ros-args -r __ns:=foo",
            "a namespace begins with a slash",
        ),
        ("node --ros-args -r __node:=a/b", "node name \"a/b\""),
        ("node --ros-args -p a:=", "there is no value"),
        ("node --ros-args -p a:=[]", "an empty list has no type"),
        (
            "node --ros-args -p a:=[1,2.0]",
            "first item is of type integer",
        ),
        (
            "node --ros-args -p a:={b:1}",
            "a mapping is no parameter's value",
        ),
        (
            "node --ros-args -p a:=[1",
            "-p \"a:=[1\" cannot be used: line",
        ),
        ("node --ros-args --log-level loud", "a level is one of"),
        ("node --ros-args -e foo", "put a slash in front"),
        (
            "node --ros-args --params-file /nowhere/p.yaml",
            "\"/nowhere/p.yaml\" cannot be used",
        ),
    ] {
        let error = line(text).unwrap_err().to_string();
        assert!(error.contains(said), "{text}: {error}");
    }
}

#[test]
fn names_are_remapped_as_in_the_article() {
    for (rule, namespace, written, resolved) in [
        ("/foo/bar:=/fiz/buz", "/", "/foo/bar", "/fiz/buz"),
        ("/foo:=/foo/bar", "/", "/foo", "/foo/bar"),
        ("foo:=/foo/bar", "/ns", "foo", "/foo/bar"),
        ("foo:=/foo/bar", "/ns", "/ns/foo", "/foo/bar"),
        ("foo:=bar", "/ns", "foo", "/ns/bar"),
        ("foo:=bar", "/ns", "/foo", "/foo"),
        ("/foo/bar:=foo", "/ns", "/foo/bar", "/ns/foo"),
        ("/cat:=/dog", "/", "cat", "/dog"),
        ("~/foo:=foo", "/ns", "~/foo", "/ns/foo"),
        ("~/foo:=foo", "/ns", "/ns/node/foo", "/ns/foo"),
        ("foo:=~/foo", "/ns", "foo", "/ns/node/foo"),
        ("node:scan:=scan_filtered", "/", "scan", "/scan_filtered"),
        ("other:scan:=scan_filtered", "/", "scan", "/scan"),
        ("rostopic://foo:=bar", "/", "foo", "/bar"),
        ("rosservice://foo:=bar", "/", "foo", "/foo"),
        ("node:rostopic:///foo:=bar", "/", "foo", "/bar"),
    ] {
        let rules = remapping(&[rule]);
        let full = rules.resolve(written, NameKind::Topic, namespace, "node");
        assert_eq!(full.as_deref(), Ok(resolved), "{rule} in {namespace}");
    }
    let rules = remapping(&["rosservice://foo:=bar", "foo:=topic"]);
    let resolve = |kind| rules.resolve("foo", kind, "/", "node").unwrap();
    assert_eq!(resolve(NameKind::Service), "/bar");
    assert_eq!(resolve(NameKind::Topic), "/topic");
}

#[test]
fn the_first_rule_holds_and_only_one() {
    let rules = remapping(&["a:=b", "b:=c", "a:=d"]);
    let resolve = |name| rules.resolve(name, NameKind::Topic, "/", "node").unwrap();
    assert_eq!(
        (resolve("a"), resolve("b")),
        ("/b".to_owned(), "/c".to_owned())
    );
    let own = [RemapRule::parse("a:=own").unwrap()];
    let global = [RemapRule::parse("a:=global").unwrap()];
    let both = Remapping::new(&own, &global);
    assert_eq!(
        both.resolve("a", NameKind::Topic, "/", "n").unwrap(),
        "/own"
    );
}

#[test]
fn nodes_are_remapped_as_in_the_article() {
    let all = remapping(&["__ns:=/new/namespace", "__node:=left_camera_driver"]);
    assert_eq!(all.namespace("any"), Some("/new/namespace"));
    assert_eq!(all.node_name("any"), Some("left_camera_driver"));
    let one = remapping(&[
        "node1:__ns:=/node1s/new/namespace",
        "camera_driver:__name:=left_camera_driver",
    ]);
    assert_eq!(one.namespace("node1"), Some("/node1s/new/namespace"));
    assert_eq!(
        (one.namespace("node2"), one.node_name("node1")),
        (None, None)
    );
    assert_eq!(one.node_name("camera_driver"), Some("left_camera_driver"));
}

#[test]
fn values_mean_what_they_mean_to_rcl() {
    for (text, value) in [
        ("test", Value::from("test")),
        ("'1'", "1".into()),
        ("\"yes\"", "yes".into()),
        ("!!str 1", "1".into()),
        ("''", "".into()),
        ("a b", "a b".into()),
        ("yes", true.into()),
        ("Off", false.into()),
        ("TRUE", true.into()),
        ("tRUE", "tRUE".into()),
        ("12", 12.into()),
        ("-12", (-12).into()),
        ("+3", 3.into()),
        ("0x1F", 31.into()),
        ("010", 8.into()),
        ("0", 0.into()),
        ("--3", "--3".into()),
        ("9223372036854775807", i64::MAX.into()),
        ("-9223372036854775808", i64::MIN.into()),
        ("9223372036854775808", 9_223_372_036_854_775_808.0.into()),
        ("1.5", 1.5.into()),
        ("1e3", 1000.0.into()),
        ("08", 8.0.into()),
        ("-.inf", f64::NEG_INFINITY.into()),
        ("~", "~".into()),
        ("null", "null".into()),
        ("[1, 2]", vec![1_i64, 2].into()),
        ("[1.0, .5]", vec![1.0, 0.5].into()),
        ("[true, no]", vec![true, false].into()),
        ("[a, 'b']", vec!["a".to_owned(), "b".to_owned()].into()),
    ] {
        assert_eq!(yaml::parse_value(text), Ok(value), "{text}");
    }
    let Ok(Value::Double(nan)) = yaml::parse_value(".NaN") else {
        panic!("a double");
    };
    assert!(nan.is_nan());
}

#[test]
fn one_node_or_all() {
    let arguments =
        line("node --ros-args -p string_param:=test --param some_node:n:=1 -p n:=2").unwrap();
    let of = |node| {
        let found = parameters(&arguments, node);
        (found.get("string_param").cloned(), found.get("n").cloned())
    };
    let test = Some("test".into());
    assert_eq!(of("/a/other"), (test.clone(), Some(2.into())));
    assert_eq!(
        of("/a/some_node"),
        (test, Some(2.into())),
        "the later one holds"
    );
    assert_eq!(arguments.parameters[1].value, 1.into());
}

#[test]
fn a_file_gives_nodes_their_parameters() {
    let rules = yaml::parse_file(
        "some_node:\n  ros__parameters:\n    string_param: foo\n    pid: {p: 1.0, i: [1, 2]}\n\
         /**:\n  ros__parameters:\n    all: 1\n\
         /ns/*:\n  ros__parameters: {near: true}\n\
         ns:\n  deep:\n    node:\n      ros__parameters:\n        string_param: bar\n\
         /**/last:\n  ros__parameters: {last: x}\n",
    );
    let arguments = Arguments {
        parameters: rules.unwrap(),
        ..Arguments::default()
    };
    let of = |node| {
        let found = parameters(&arguments, node);
        let names: Vec<&str> = found.keys().map(String::as_str).collect();
        names.join(" ")
    };
    assert_eq!(of("/some_node"), "all pid.i pid.p string_param");
    assert_eq!(of("/ns/some_node"), "all near");
    assert_eq!(of("/ns/deep/node"), "all string_param");
    assert_eq!(of("/last"), "all last");
    assert_eq!(of("/a/b/last"), "all last");
    let values = parameters(&arguments, "/some_node");
    assert_eq!(values["pid.i"], vec![1_i64, 2].into());
    assert_eq!(values["string_param"], "foo".into());
}

#[test]
fn files_that_are_wrong_name_the_line() {
    for (text, said) in [
        ("a: 1", "line 1: \"a\" has a value, but ros__parameters"),
        ("a:\n  b: 1", "line 2: \"b\" has a value"),
        (
            "a:\n  ros__parameters:\n    x: [1, [2]]",
            "line 3: a list's items",
        ),
        (
            "a:\n  ros__parameters:\n    x:",
            "line 3: there is no value",
        ),
        (
            "a:\n  ros__parameters:\n    x: &y 1\n    z: *y",
            "line 4: aliases",
        ),
        ("ros__parameters: {x: 1}", "line 1: no node's name"),
        (
            "a b:\n  ros__parameters: {x: 1}",
            "line 2: node name \"a b\"",
        ),
        ("[1]", "line 1: expected names of nodes"),
        ("a: {b: ", "line 2:"),
        (
            "[]: {ros__parameters: {x: 1}}",
            "line 1: a name is expected",
        ),
    ] {
        let error = yaml::parse_file(text).unwrap_err();
        assert!(error.contains(said), "{text}: {error}");
    }
    assert_eq!(yaml::parse_file(""), Ok(Vec::new()));
    let deep = format!("a: {}", "[".repeat(100_000));
    assert!(yaml::parse_file(&deep).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever is written, it is taken or refused; and what is taken as a rule can be applied.
    #[test]
    fn nothing_panics(text in "[a-b/:=~{}*\\\\_0-9 '\"!&,.\\[\\]\\-#|>\n\t]{0,40}", any in ".{0,20}") {
        for text in [text, any] {
            if let Ok(rule) = RemapRule::parse(&text) {
                let rules = Remapping::new(&[rule], &[]);
                prop_assert!(rules.resolve("a", NameKind::Topic, "/b", "node").is_ok());
            }
            let _ = parameter_rule(&text);
            let _ = yaml::parse_value(&text);
            let _ = yaml::parse_file(&text);
            let _ = yaml::parse_file(&format!("a:\n  ros__parameters:\n    {text}"));
        }
    }
}
