//! Nothing but tests: what the derive says of mistakes. A crate of its own, because trybuild rebuilds all dev-dependencies of the crate it stands in.
