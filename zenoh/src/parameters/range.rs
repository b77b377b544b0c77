//! The range of a number, as descriptors carry it.

use rosidl_buffer_interfaces::rcl_interfaces::msg::{
    FloatingPointRange, IntegerRange, ParameterDescriptor,
};

use super::{ParameterError, ParameterType, ParameterValue};

/// How far two numbers may be apart to be taken as equal, in units of their own precision.
const ULPS: f64 = 100.0;

/// Whether the descriptor's range makes sense.
pub(super) fn check_descriptor(descriptor: &ParameterDescriptor) -> Result<(), ParameterError> {
    let bad = |range, why| {
        let name = descriptor.name.clone();
        Err(ParameterError::BadRange { name, range, why })
    };
    let has_type = |wanted: ParameterType| descriptor.type_ == wanted.to_u8();
    if let Some(range) = descriptor.integer_range.first() {
        if range.from_value > range.to_value {
            return bad(integers(range), "it ends before it begins");
        }
        if !descriptor.dynamic_typing && !has_type(ParameterType::Integer) {
            return bad(integers(range), "the parameter is no integer");
        }
    }
    if let Some(range) = descriptor.floating_point_range.first() {
        // Written so that no NaN passes.
        if !(range.from_value <= range.to_value && range.step >= 0.0) {
            return bad(
                doubles(range),
                "it ends before it begins, or its step is negative",
            );
        }
        if !descriptor.dynamic_typing && !has_type(ParameterType::Double) {
            return bad(doubles(range), "the parameter is no double");
        }
    }
    Ok(())
}

/// Whether a value is in the descriptor's range, if there is one for its type. The ends are always in it, steps count from
/// its beginning.
pub(super) fn check_value(
    descriptor: &ParameterDescriptor,
    value: &ParameterValue,
) -> Result<(), ParameterError> {
    let range = match *value {
        ParameterValue::Integer(number) => match descriptor.integer_range.first() {
            Some(range) if !has_integer(range, number) => integers(range),
            _ => return Ok(()),
        },
        ParameterValue::Double(number) => match descriptor.floating_point_range.first() {
            Some(range) if !has_double(range, number) => doubles(range),
            _ => return Ok(()),
        },
        _ => return Ok(()),
    };
    Err(ParameterError::OutOfRange {
        name: descriptor.name.clone(),
        given: value.clone(),
        range,
    })
}

fn has_integer(range: &IntegerRange, number: i64) -> bool {
    let (from, to) = (range.from_value, range.to_value);
    if number == to {
        return true;
    }
    let is_step = || range.step == 0 || number.abs_diff(from) % range.step == 0;
    (from..=to).contains(&number) && is_step()
}

fn has_double(range: &FloatingPointRange, number: f64) -> bool {
    let (from, to) = (range.from_value, range.to_value);
    if equal(number, from) || equal(number, to) {
        return true;
    }
    let is_step = || {
        let steps = ((number - from) / range.step).round();
        range.step == 0.0 || equal(number, from + steps * range.step)
    };
    number > from && number < to && is_step()
}

fn equal(a: f64, b: f64) -> bool {
    let apart = (a - b).abs();
    if !apart.is_finite() {
        // An infinity is near nothing but itself.
        return a.total_cmp(&b).is_eq();
    }
    apart <= f64::EPSILON * (a + b).abs() * ULPS || apart < f64::MIN_POSITIVE
}

fn integers(range: &IntegerRange) -> String {
    let steps = match range.step {
        0 | 1 => String::new(),
        step => format!(" in steps of {step}"),
    };
    format!("from {} to {}{steps}", range.from_value, range.to_value)
}

fn doubles(range: &FloatingPointRange) -> String {
    let steps = if range.step == 0.0 {
        String::new()
    } else {
        format!(" in steps of {}", range.step)
    };
    format!("from {} to {}{steps}", range.from_value, range.to_value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_in_steps() {
        let range = IntegerRange {
            from_value: -10,
            to_value: 10,
            step: 3,
        };
        let inside = [-10, -7, -1, 8, 10];
        for number in -20..20 {
            let expected = (-10..=10).contains(&number) && (number + 10) % 3 == 0 || number == 10;
            assert_eq!(has_integer(&range, number), expected, "{number}");
        }
        assert!(inside.iter().all(|number| has_integer(&range, *number)));
        let all = IntegerRange {
            from_value: i64::MIN,
            to_value: i64::MAX,
            step: 2,
        };
        assert!(has_integer(&all, i64::MIN) && has_integer(&all, 0) && has_integer(&all, i64::MAX));
        assert!(!has_integer(&all, 1));
    }

    #[test]
    fn doubles_in_steps() {
        let range = FloatingPointRange {
            from_value: 0.0,
            to_value: 1.05,
            step: 0.1,
        };
        for inside in [0.0, 0.1, 0.3, 0.7, 1.0, 1.05] {
            assert!(has_double(&range, inside), "{inside}");
        }
        for outside in [-0.1, 0.05, 0.35, 1.1, f64::NAN, f64::INFINITY] {
            assert!(!has_double(&range, outside), "{outside}");
        }
    }

    #[test]
    fn ranges_that_make_no_sense_are_refused() {
        let mut descriptor = ParameterDescriptor {
            type_: ParameterType::Integer.to_u8(),
            ..ParameterDescriptor::default()
        };
        let range = |from_value, to_value| IntegerRange {
            from_value,
            to_value,
            step: 0,
        };
        descriptor.integer_range.push(range(3, 2)).unwrap();
        assert!(check_descriptor(&descriptor).is_err());
        descriptor.integer_range.clear();
        descriptor.integer_range.push(range(2, 2)).unwrap();
        assert_eq!(check_descriptor(&descriptor), Ok(()));
        descriptor.type_ = ParameterType::Double.to_u8();
        assert!(check_descriptor(&descriptor).is_err());
    }
}
