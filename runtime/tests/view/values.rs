//! A view's fields are those of the message.

use rosidl_buffer_runtime::service::Event;
use rosidl_buffer_runtime::{BoundedBuffer, Buffer, BufferMessage, Service, View, cdr};

use crate::messages::{
    Everything, Nothing, Part, PartRef, Point, Whole, everything, padded, part, placed,
};
use crate::refusals::error;

#[test]
fn a_view_has_the_values_of_every_kind_of_field() {
    let bytes = cdr::encode(&everything()).unwrap();
    let view: Whole<'_> = cdr::view::<Everything>(&bytes).unwrap();
    let Whole { flag, i8, u16, .. } = view;
    assert_eq!((flag, i8, u16), (true, -1, 2));
    assert_eq!((view.i32, view.f32, view.u64), (-3, 4.5, u64::MAX - 5));
    assert_eq!((view.type_, view.text, view.short), (6, "päß", "abcde"));
    assert_eq!(view.wide, everything().wide);
    assert_eq!(view.wide.to_string(), "漢\u{fffd}");
    assert_eq!(
        (
            view.wide.len(),
            view.wide.units().len(),
            view.wide.code_points()
        ),
        (2, 2, 2)
    );
    assert!(view.short_wide == "a😀" && view.short_wide.chars().eq("a😀".chars()));
    assert!(view.as_wide == "漢字" && !view.as_wide.is_empty());
    assert_eq!(view.as_wide.to_wstring(), "漢字");
    assert_eq!(view.wide_list, ["x", "", "😀"]);
    assert_eq!(view.wide_list.get(2).unwrap(), "😀");
    assert_eq!(view.wide_bounded, ["y"]);
    assert_eq!(view.wide_array, ["p", "qr"]);
    let PartRef { name, points, .. } = view.part;
    assert_eq!((name, points.len()), ("one", 3));
    assert_eq!(points.iter().map(|point| point.y).sum::<f64>(), -3.0);
    assert_eq!((view.nothings.len(), view.nothings.iter().count()), (3, 3));
    assert_eq!(view.flags, [true, false, true]);
    assert_eq!(view.flags.get(2), Some(true));
    assert_eq!(view.doubles.to_vec(), [1.0, 0.0]);
    assert_eq!(view.boxed, [1, 2, 3]);
    assert_eq!(view.names, ["left", "right"]);
    assert_eq!(view.bytes.as_slice(), Some(&[1, 2, 3][..]));
    assert_eq!(view.few, vec![-1, 1]);
    assert_eq!(view.data.as_bytes(), Some(&[9, 8, 7][..]));
    assert_eq!(view.some_data, [0.5, 1.5]);
    assert_eq!(view.limited, [1, 2, 3]);
    assert_eq!(view.limited_texts, &["abc"][..]);
    assert_eq!(view.limited_wide, ["a😀b", ""]);
    assert_eq!(view.parts.to_vec(), everything().parts);
    assert_eq!(view.parts.get(1).unwrap().points.get(1).unwrap().y, -1.0);
    assert_eq!(view.parts.get(3).map(|part| part.name), None);
    assert_eq!(view.padded.to_vec(), padded(6));
    assert_eq!(view.points.get(1).unwrap().x, 3.0);
    assert_eq!(view.last, 77, "everything before was passed over exactly");
    assert_eq!(view.names, cdr::view::<Everything>(&bytes).unwrap().names);
    assert_ne!(view.bytes, view.data);
}

#[test]
fn a_view_prints_as_its_message() {
    let message = Everything {
        data: Buffer::new(),
        some_data: BoundedBuffer::new(),
        ..everything()
    };
    let bytes = cdr::encode(&message).unwrap();
    let view = format!("{:#?}", cdr::view::<Everything>(&bytes).unwrap());
    let owned = format!("{message:#?}");
    assert_eq!(
        view.replace("Ref", "").replace("Whole", "Everything"),
        owned.replace("Buffer(cpu, 0 elements)", "[]")
    );

    #[derive(Clone, BufferMessage)]
    #[ros2(package = "view_msgs")]
    struct Long {
        data: Vec<u8>,
    }
    let bytes = cdr::encode(&Long { data: vec![1; 65] }).unwrap();
    assert_eq!(
        format!("{:?}", cdr::view::<Long>(&bytes).unwrap()),
        "LongRef { data: [1, 1, 1, 1, 1, 1, 1, 1]… 65 items }"
    );
}

#[test]
fn a_message_without_fields_has_a_view_too() {
    let bytes = cdr::encode(&Nothing {}).unwrap();
    assert_eq!(
        format!("{:?}", cdr::view::<Nothing>(&bytes).unwrap()),
        "NothingRef"
    );
    error::<Nothing>(&bytes[..4]);
}

#[test]
fn views_are_copied_and_kept_as_long_as_the_bytes_and_go_to_other_threads() {
    fn name(bytes: &[u8]) -> &str {
        cdr::view::<Part>(bytes).unwrap().name
    }
    fn first(part: View<'_, Part>) -> Option<&[Point]> {
        part.points.as_slice()
    }
    let bytes = cdr::encode(&part("kept", 2)).unwrap();
    assert_eq!(name(&bytes), "kept");
    let (room, start) = placed(&bytes, 0);
    let view = cdr::view::<Part>(&room[start..start + bytes.len()]).unwrap();
    let copy = view;
    let points = std::thread::scope(|scope| scope.spawn(move || first(copy)).join().unwrap());
    assert_eq!(points, Some(&part("", 2).points[..]));
    assert_eq!(view.name, "kept");
}

#[test]
fn implicit_types_have_views() {
    #[derive(Debug, Clone, PartialEq, BufferMessage)]
    #[ros2(package = "view_msgs", name = "Ask_Request", kind = "srv")]
    struct Request {
        question: String,
    }
    #[derive(Debug, Clone, PartialEq, BufferMessage)]
    #[ros2(package = "view_msgs", name = "Ask_Response", kind = "srv")]
    struct Response {
        answer: i64,
    }
    #[derive(Service)]
    #[ros2(package = "view_msgs", request = Request, response = Response)]
    struct Ask;

    let event = Event::<Ask> {
        request: vec![Request {
            question: "why".into(),
        }]
        .try_into()
        .unwrap(),
        ..Event::default()
    };
    let bytes = cdr::encode(&event).unwrap();
    let view: View<'_, Event<Ask>> = cdr::view::<Event<Ask>>(&bytes).unwrap();
    assert_eq!(view.request.get(0).unwrap().question, "why");
    assert!(view.response.is_empty());
    assert_eq!(view.info.sequence_number, 0);
}
