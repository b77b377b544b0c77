//! An order in which each message comes after those it refers to; cycles are refused.

use std::collections::{BTreeMap, BTreeSet};

use super::message::Reference;
use crate::{
    diagnostic::{Code, Diagnostic, Diagnostics},
    load::Loaded,
    name::InterfaceName,
};

type References = BTreeMap<InterfaceName, Vec<Reference>>;

/// Walks depth first, without recursion: chains may be long. The order depends on names only.
pub(super) fn sort(
    loaded: &Loaded,
    references: &References,
    diagnostics: &mut Diagnostics,
) -> Vec<InterfaceName> {
    let mut order = Vec::with_capacity(references.len());
    let mut done = BTreeSet::new();
    for start in references.keys() {
        // The way to the message that is looked at, and how far each on the way has come.
        let mut way: Vec<(&InterfaceName, usize)> = Vec::new();
        let mut on_way = BTreeSet::new();
        if !done.contains(start) {
            way.push((start, 0));
            on_way.insert(start);
        }
        while let Some((name, next)) = way.last_mut() {
            let name = *name;
            let Some(reference) = references.get(name).and_then(|found| found.get(*next)) else {
                way.pop();
                on_way.remove(name);
                done.insert(name);
                order.push(name.clone());
                continue;
            };
            *next += 1;
            let target = &reference.target;
            if on_way.contains(target) {
                let names: Vec<_> = way.iter().map(|(name, _)| *name).collect();
                diagnostics.push(cycle(loaded, &names, reference));
            } else if !done.contains(target) {
                way.push((target, 0));
                on_way.insert(target);
            }
        }
    }
    order
}

/// The cycle that a reference of the last message on the way closes.
fn cycle(loaded: &Loaded, way: &[&InterfaceName], closing: &Reference) -> Diagnostic {
    let first = way
        .iter()
        .position(|name| **name == closing.target)
        .unwrap_or(0);
    let mut chain: Vec<_> = way[first..].iter().map(ToString::to_string).collect();
    chain.push(closing.target.to_string());
    let message = format!(
        "a message cannot contain itself: {}",
        shortened(&chain).join(" → ")
    );
    let diagnostic = Diagnostic::new(Code::Cycle, message);
    match way.last().and_then(|name| loaded.messages.get(*name)) {
        Some(last) => diagnostic.at(&last.source, closing.span.clone(), "this closes the circle"),
        None => diagnostic,
    }
}

/// Of a very long chain, the start and the end.
fn shortened(chain: &[String]) -> Vec<&str> {
    let names = chain.iter().map(String::as_str);
    if chain.len() <= 20 {
        return names.collect();
    }
    names
        .clone()
        .take(10)
        .chain(["…"])
        .chain(names.skip(chain.len() - 9))
        .collect()
}
