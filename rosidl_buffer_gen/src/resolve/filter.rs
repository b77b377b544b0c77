//! Which interfaces are generated, where the settings choose among them.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    config::Config,
    diagnostic::{Code, Diagnostic, Diagnostics},
    load::Loaded,
    model::{Interfaces, ValueType},
    name::InterfaceName,
    pattern::matches,
};

/// Removes what is neither asked for nor referred to. Without patterns everything stays.
pub(super) fn apply(
    interfaces: &mut Interfaces,
    loaded: &Loaded,
    config: &Config,
    diagnostics: &mut Diagnostics,
) {
    if config.only.is_empty() && config.except.is_empty() {
        return;
    }
    let of_requested: Vec<_> = interfaces
        .declarations
        .keys()
        .filter(|name| loaded.requested.contains(name.package()))
        .map(|name| (name, name.to_string()))
        .collect();
    for pattern in config.only.iter().chain(&config.except) {
        if !of_requested.iter().any(|(_, name)| matches(pattern, name)) {
            let message = format!("`{pattern}` matches no interface of the packages asked for");
            diagnostics.push(Diagnostic::new(Code::BadPattern, message).help(
                "a pattern is like `sensor_msgs/msg/Image`, `std_srvs/srv/*` or `my_msgs/**`",
            ));
        }
    }
    let any = |patterns: &[String], name| patterns.iter().any(|pattern| matches(pattern, name));
    let declared = interfaces.declarations.keys();
    let with_parts = declared.flat_map(|name| {
        let parts = name.kind().parts().iter();
        parts.map(move |suffix| (name.with(suffix), name.clone()))
    });
    // An `.idl` file may refer to a part of a service or an action.
    let declared_by: BTreeMap<_, _> = with_parts.collect();
    let mut kept = BTreeSet::new();
    let mut queue: Vec<InterfaceName> = of_requested
        .iter()
        .filter(|(_, name)| config.only.is_empty() || any(&config.only, name))
        .filter(|(_, name)| !any(&config.except, name))
        .map(|(name, _)| (*name).clone())
        .collect();
    while let Some(name) = queue.pop() {
        if !kept.insert(name.clone()) {
            continue;
        }
        queue.extend(name.kind().implied_messages());
        for suffix in name.kind().parts() {
            let part = interfaces.messages.get(&name.with(suffix));
            for field in part.iter().flat_map(|part| &part.fields) {
                if let ValueType::Namespaced(target) = field.field_type.value_type() {
                    queue.push(declared_by.get(target).unwrap_or(target).clone());
                }
            }
        }
    }
    let parts: BTreeSet<InterfaceName> = kept
        .iter()
        .flat_map(|name| name.kind().parts().iter().map(|suffix| name.with(suffix)))
        .collect();
    interfaces
        .declarations
        .retain(|name, _| kept.contains(name));
    interfaces.messages.retain(|name, _| parts.contains(name));
    interfaces.order.retain(|name| parts.contains(name));
}
