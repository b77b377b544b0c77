//! On which other crates the crate of an ament package depends: those that its code names.
//!
//! Packages that are only below those are not among them. What the manifest of the package says does not
//! count: a lock file stays what it is when that names one more.

use std::collections::BTreeSet;

use crate::{
    config::AmentPackage,
    model::{Interfaces, ValueType},
    name::{InterfaceName, PackageName},
};

/// The packages whose crates the package's own needs.
pub(super) fn of<'a>(
    ament: &AmentPackage,
    interfaces: &'a Interfaces,
) -> BTreeSet<&'a PackageName> {
    let is_own = |name: &&InterfaceName| *name.package() == ament.name;
    let own = interfaces.messages.values();
    let fields = own
        .filter(|message| is_own(&&message.name))
        .flat_map(|message| &message.fields);
    let mut named: BTreeSet<&PackageName> = fields
        .filter_map(|field| match field.field_type.value_type() {
            ValueType::Namespaced(target) => Some(target.package()),
            _ => None,
        })
        .collect();
    let declared = interfaces.declarations.keys().filter(is_own);
    for message in declared.flat_map(|name| name.kind().implied_messages()) {
        if ament.has_service_msgs || message != InterfaceName::event_info() {
            let package = interfaces.packages.get_key_value(message.package());
            named.extend(package.map(|(name, _)| name));
        }
    }
    named.remove(&ament.name);
    named
}
