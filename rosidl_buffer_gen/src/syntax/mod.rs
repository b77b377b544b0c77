//! Text → syntax tree, by the rules that ROS 2's own front end really follows.
//!
//! There is a loop over lines (`parse`, `comment`), as upstream has one, because comments and blank
//! lines carry meaning that depends on what came before. What is on one line is taken apart by the
//! grammar in `grammar.pest` (`element`, `field_type`, `value`). `.idl` files are another language
//! and have a grammar of their own (`idl`). Pest is used nowhere else. Every step is linear in the
//! length of the text.

pub(crate) mod ast;
mod comment;
#[cfg(test)]
mod corpus;
mod element;
mod escape;
mod field_type;
mod idl;
mod number;
mod parse;
mod sections;
mod value;

pub(crate) use idl::parse_idl;
pub(crate) use parse::{Embedded, parse_definition, parse_interface, parse_message};

/// What pest makes of `grammar.pest`.
mod grammar {
    #![allow(missing_docs, unreachable_pub, clippy::pedantic)]

    #[derive(pest_derive::Parser)]
    #[grammar = "syntax/grammar.pest"]
    pub(super) struct Grammar;

    /// The parts of the first rule's match, if the whole text is one.
    pub(super) fn parts(rule: Rule, text: &str) -> Option<pest::iterators::Pairs<'_, Rule>> {
        let mut pairs = <Grammar as pest::Parser<Rule>>::parse(rule, text).ok()?;
        pairs.next().map(pest::iterators::Pair::into_inner)
    }
}
