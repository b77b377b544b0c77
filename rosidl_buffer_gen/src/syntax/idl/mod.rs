//! `.idl` files → syntax tree, by the rules of ROS 2's own parser of them.
//!
//! A file goes in, one message for each part of the interface comes out, as from a `.msg`, `.srv` or
//! `.action` file. It goes through two passes of the grammar in `idl.pest`: the first finds blocks
//! and statements (`split`, `file`), the second takes each statement apart (`statement`, `types`,
//! `literal`). So one that is wrong does not hide the next, and nothing is nested too deep. What the
//! file says is then put into the terms of a `.msg` file (`lower`, `value`). Files that are
//! `#include`d are not read here: a reference says by itself where its message is.

mod expected;
mod file;
mod list;
mod literal;
mod lower;
mod reader;
mod split;
mod statement;
#[cfg(test)]
mod tests;
mod text;
mod tree;
mod types;
mod value;

use crate::{
    diagnostic::{Code, Diagnostic, Diagnostics},
    name::{InterfaceName, Kind},
    source::Source,
    syntax::ast::Message,
};
use lower::Lowering;
use reader::Reader;
use tree::{File, Struct};

/// What pest makes of `idl.pest`.
mod grammar {
    #![allow(missing_docs, unreachable_pub, clippy::pedantic)]

    use pest::{error::Error, iterators::Pairs};

    #[derive(pest_derive::Parser)]
    #[grammar = "syntax/idl/idl.pest"]
    pub(super) struct Grammar;

    /// The parts of the rule's match, if the whole text is one.
    pub(super) fn parse(rule: Rule, text: &str) -> Result<Option<Pairs<'_, Rule>>, Error<Rule>> {
        let mut pairs = <Grammar as pest::Parser<Rule>>::parse(rule, text)?;
        Ok(pairs.next().map(pest::iterators::Pair::into_inner))
    }
}

/// Reads the `.idl` file that should declare `name`: one message for each part that its kind has.
/// What is wrong is told; the rest is in the trees.
pub(crate) fn parse_idl(
    name: &InterfaceName,
    source: &Source,
    diagnostics: &mut Diagnostics,
) -> Vec<Message> {
    let mut reader = Reader::new(source, diagnostics);
    let mut file = file::read_file(name, &mut reader);
    let parts = parts(name, &mut file, &mut reader);
    let mut lowering = Lowering {
        reader,
        typedefs: &file.typedefs,
        kind: name.kind(),
    };
    let messages = parts
        .iter()
        .map(|part| match part {
            Some(part) => lowering.message(part, &file.constants),
            None => Message::default(),
        })
        .collect();
    lowering.check_constants(&file.constants, &parts);
    messages
}

/// The structs of the file, each in its place among the parts of the interface.
fn parts(name: &InterfaceName, file: &mut File, reader: &mut Reader<'_>) -> Vec<Option<Struct>> {
    let kind = name.kind();
    let names: Vec<_> = kind.parts().iter().map(|part| name.with(part)).collect();
    let mut parts: Vec<_> = names.iter().map(|_| None).collect();
    let mut last = 0;
    for part in std::mem::take(&mut file.structs) {
        let is_named = |name: &InterfaceName| name.name() == part.name.text;
        let span = part.name.span.clone();
        let Some(index) = names.iter().position(is_named) else {
            reader.error(span, || {
                Diagnostic::new(Code::BadParts, "this struct does not belong into this file")
                    .help(format!("the file is to declare {}", in_words(kind, &names)))
            });
            continue;
        };
        if parts[index].is_some() {
            reader.error(span, || {
                Diagnostic::new(Code::Duplicate, "this struct is declared twice")
            });
            continue;
        }
        if index < last {
            reader.error(span, || {
                Diagnostic::new(Code::BadParts, "this struct comes too late")
                    .help(format!("the order is {}", in_words(kind, &names)))
            });
        }
        last = index;
        parts[index] = Some(part);
    }
    // After another error, the struct may well be there.
    if !reader.failed && parts.iter().any(Option::is_none) {
        let end = reader.source.text().len();
        reader.error(end..end, || {
            Diagnostic::new(
                Code::BadParts,
                "the file does not declare what it is called after",
            )
            .help(format!("it is to declare {}", in_words(kind, &names)))
        });
    }
    parts
}

/// What a file of this kind has to declare.
fn in_words(kind: Kind, names: &[InterfaceName]) -> String {
    let names: Vec<_> = names
        .iter()
        .map(|name| format!("`{}`", name.name()))
        .collect();
    let structs = if kind == Kind::Msg {
        "struct"
    } else {
        "structs"
    };
    format!("the {structs} {}", names.join(", "))
}
