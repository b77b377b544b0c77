//! The trees of a few files that use every rule, as snapshots: what a change does to them is seen.

use super::{ast::Message, parse_definition, parse_idl, parse_interface};
use crate::{
    diagnostic::Diagnostics,
    name::{InterfaceName, Kind},
    source::Source,
};

fn trees(kind: Kind, file: &str, text: &str) -> Vec<Message> {
    let source = Source::new(file.to_owned(), text.to_owned());
    let mut diagnostics = Diagnostics::default();
    let (stem, extension) = file.split_once('.').unwrap();
    let trees = if extension == "idl" {
        let name = InterfaceName::parse(&format!("fixture_msgs/{kind}/{stem}")).unwrap();
        parse_idl(&name, &source, &mut diagnostics)
    } else if kind == Kind::Msg {
        vec![parse_definition(&source, &mut diagnostics).0]
    } else {
        parse_interface(kind, &source, &mut diagnostics)
    };
    assert!(!diagnostics.has_errors(), "{file}");
    trees
}

macro_rules! snapshots {
    ($($name:ident: $kind:ident $file:literal;)*) => {
        $(#[test]
        fn $name() {
            let text = include_str!(concat!("idl/fixtures/", $file));
            insta::assert_debug_snapshot!(stringify!($name), trees(Kind::$kind, $file, text));
        })*
    };
}

snapshots! {
    everything_msg: Msg "Everything.msg";
    everything_idl: Msg "Everything.idl";
    only_constants_msg: Msg "OnlyConstants.msg";
    ask_srv: Srv "Ask.srv";
    ask_idl: Srv "Ask.idl";
    nothing_srv: Srv "Nothing.srv";
    count_action: Action "Count.action";
    count_idl: Action "Count.idl";
}
