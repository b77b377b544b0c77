//! What may be changed how, without a network.

use super::*;

fn descriptor(name: &str, kind: Option<ParameterType>) -> ParameterDescriptor {
    ParameterDescriptor {
        name: name.to_owned(),
        type_: kind.map_or(0, ParameterType::to_u8),
        dynamic_typing: kind.is_none(),
        ..ParameterDescriptor::default()
    }
}

fn integer(parameters: &Parameters, name: &str, value: i64) {
    let descriptor = descriptor(name, Some(ParameterType::Integer));
    let declared = parameters.declare(descriptor, Some(value.into()), Declaration::default());
    assert!(declared.is_ok(), "{declared:?}");
}

/// Parameters, and what is told of them.
fn watched(overrides: &[(&str, ParameterValue)]) -> (Parameters, Arc<Mutex<Vec<Changes>>>) {
    let overrides = overrides.iter().cloned();
    let parameters = Parameters::new(overrides.map(|(name, v)| (name.to_owned(), v)).collect());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&seen);
    parameters.when_changed(move |changes| {
        lock(&told).push(Changes {
            new: changes.new.clone(),
            changed: changes.changed.clone(),
            deleted: changes.deleted.clone(),
        });
    });
    (parameters, seen)
}

#[test]
fn a_value_from_outside_wins_over_the_default() {
    let (parameters, _) = watched(&[("a", 5.into()), ("b", 5.into()), ("c", "x".into())]);
    integer(&parameters, "a", 1);
    assert_eq!(parameters.get("a"), Ok(Some(5.into())));
    let ignoring = Declaration {
        ignore_override: true,
        ..Declaration::default()
    };
    let kind = Some(ParameterType::Integer);
    let value = parameters.declare(descriptor("b", kind), Some(1.into()), ignoring);
    assert_eq!(value, Ok(Some(1.into())));
    let wrong = parameters.declare(descriptor("c", kind), None, Declaration::default());
    assert!(
        matches!(wrong, Err(ParameterError::WrongType { .. })),
        "{wrong:?}"
    );
    assert!(matches!(
        parameters.get("c"),
        Err(ParameterError::NotDeclared { .. })
    ));
    let needs = Declaration {
        needs_value: true,
        ..Declaration::default()
    };
    let none = parameters.declare(descriptor("d", kind), None, needs);
    assert!(
        matches!(none, Err(ParameterError::NoValue { .. })),
        "{none:?}"
    );
    let twice = parameters.declare(descriptor("a", kind), Some(1.into()), needs);
    assert!(
        matches!(twice, Err(ParameterError::AlreadyDeclared { .. })),
        "{twice:?}"
    );
    let nameless = parameters.declare(descriptor("", kind), Some(1.into()), needs);
    assert_eq!(nameless, Err(ParameterError::EmptyName));
}

#[test]
fn all_are_set_or_none() {
    let (parameters, seen) = watched(&[]);
    integer(&parameters, "a", 1);
    integer(&parameters, "b", 1);
    for bad in [
        Parameter::new("b", "text"),
        Parameter::new("nobody", 3),
        unset("b"),
    ] {
        let set = parameters.set_atomically(&[Parameter::new("a", 2), bad]);
        assert!(set.is_err());
        assert_eq!(parameters.get("a"), Ok(Some(1.into())));
    }
    let both = [Parameter::new("a", 2), Parameter::new("b", 3)];
    assert_eq!(parameters.set_atomically(&both), Ok(()));
    assert_eq!(parameters.get("b"), Ok(Some(3.into())));
    let seen = lock(&seen);
    assert_eq!(seen.len(), 3);
    assert_eq!(seen[0].new, [Parameter::new("a", 1)]);
    assert_eq!(seen[2].changed, both);
}

#[test]
fn read_only_and_fixed_types_stay_dynamic_ones_go() {
    let (parameters, seen) = watched(&[]);
    let mut fixed = descriptor("fixed", None);
    fixed.read_only = true;
    let declaration = Declaration::default();
    parameters
        .declare(fixed, Some(1.into()), declaration)
        .unwrap();
    let set = parameters.set_atomically(&[Parameter::new("fixed", 2)]);
    assert!(matches!(set, Err(ParameterError::ReadOnly { .. })));
    assert!(matches!(
        parameters.undeclare("fixed"),
        Err(ParameterError::ReadOnly { .. })
    ));
    integer(&parameters, "typed", 1);
    let undeclared = parameters.undeclare("typed");
    assert!(matches!(
        undeclared,
        Err(ParameterError::StaticallyTyped { .. })
    ));
    parameters
        .declare(descriptor("any", None), Some(1.into()), declaration)
        .unwrap();
    parameters
        .set_atomically(&[Parameter::new("any", "text")])
        .unwrap();
    assert_eq!(
        parameters.describe("any").unwrap().type_,
        ParameterType::String.to_u8()
    );
    parameters.set_atomically(&[unset("any")]).unwrap();
    assert!(matches!(
        parameters.undeclare("any"),
        Err(ParameterError::NotDeclared { .. })
    ));
    assert_eq!(lock(&seen).last().unwrap().deleted, [unset("any")]);
}

#[test]
fn callbacks_refuse_and_cannot_change() {
    let parameters = Arc::new(watched(&[]).0);
    integer(&parameters, "a", 1);
    let inside = Arc::clone(&parameters);
    let id = parameters.add_check(Arc::new(move |wanted| {
        assert_eq!(inside.get("a"), Ok(Some(1.into())), "reading is allowed");
        let change = inside.set_atomically(&[Parameter::new("a", 7)]);
        assert_eq!(change, Err(ParameterError::InCallback));
        match wanted {
            [one] if one.value == Some(2.into()) => Ok(()),
            _ => Err("only 2 will do".to_owned()),
        }
    }));
    let refused = parameters.set_atomically(&[Parameter::new("a", 3)]);
    let reason = "only 2 will do".to_owned();
    assert_eq!(refused, Err(ParameterError::Refused { reason }));
    assert_eq!(parameters.set_atomically(&[Parameter::new("a", 2)]), Ok(()));
    parameters.remove_check(id);
    assert_eq!(parameters.set_atomically(&[Parameter::new("a", 3)]), Ok(()));
}

#[test]
fn lists_by_prefix_and_depth() {
    let (parameters, _) = watched(&[]);
    for name in ["a", "b.c", "b.d.e", "b.d.f.g", "bc"] {
        integer(&parameters, name, 0);
    }
    let list = |prefixes: &[&str], depth| {
        let prefixes: Vec<String> = prefixes.iter().map(|prefix| (*prefix).to_owned()).collect();
        let result = parameters.list(&prefixes, depth);
        (result.names.join(" "), result.prefixes.join(" "))
    };
    let expect = |names: &str, prefixes: &str| (names.to_owned(), prefixes.to_owned());
    assert_eq!(
        list(&[], 0),
        expect("a b.c b.d.e b.d.f.g bc", "b b.d b.d.f")
    );
    assert_eq!(list(&[], 1), expect("a bc", ""));
    assert_eq!(list(&[], 2), expect("a b.c bc", "b"));
    assert_eq!(list(&["b"], 1), expect("b.c", "b"));
    assert_eq!(
        list(&["b.d", "a"], 0),
        expect("a b.d.e b.d.f.g", "b.d b.d.f")
    );
    assert_eq!(list(&["b."], 0), expect("", ""));
}
