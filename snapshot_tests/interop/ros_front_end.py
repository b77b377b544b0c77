"""What ROS 2's own Python makes of an interface file: rosidl_adapter, then rosidl_parser.

A file goes in as bytes. Out comes a dictionary: `error` (why it was refused) or `structs`, each in the
form that `rosidl_buffer_gen dump` prints, plus `idl_type`, the type that rosidl_parser ends with.
Nothing is written; what both libraries would write to files and read again is passed on in memory.
"""

import ast
import contextlib
import io
import re
import signal

from lark import Token, Tree
from rosidl_adapter.msg import parse_message_string
from rosidl_adapter.action import parse_action_string
from rosidl_adapter.srv import parse_service_string
from rosidl_adapter.resource import evaluate_template
from rosidl_parser import definition, parser

# Seconds; upstream's rule for names of constants is exponential in their length.
PATIENCE = 20


class OutOfPatience(Exception):
    pass


def understand(package: str, kind: str, stem: str, content: bytes) -> dict:
    """What ROS 2 makes of the file."""

    def stop(*_):
        raise OutOfPatience

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(PATIENCE)
    try:
        # Both libraries print what they refuse.
        with contextlib.redirect_stderr(io.StringIO()):
            return {"structs": structs(package, kind, stem, content)}
    except OutOfPatience:
        return {"timeout": True}
    # A template that fails ends the process.
    except (Exception, SystemExit) as error:
        return {"error": f"{type(error).__name__}: {error}"}
    finally:
        signal.alarm(0)


def newlines(text: str) -> str:
    """As Python reads text files."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def structs(package: str, kind: str, stem: str, content: bytes) -> list[dict]:
    text = newlines(content.decode("utf-8"))
    data = {"pkg_name": package, "relative_input_file": f"{kind}/{stem}.{kind}"}
    if kind == "msg":
        spec = data["msg"] = parse_message_string(package, stem, text)
        specs = [spec]
    elif kind == "srv":
        spec = data["srv"] = parse_service_string(package, stem, text)
        specs = [spec.request, spec.response]
    else:
        spec = data["action"] = parse_action_string(package, stem, text)
        specs = [spec.goal, spec.result, spec.feedback]
    idl = evaluate_template(f"{kind}.idl.em", data)
    idl = newlines(idl.encode("iso-8859-1").decode("utf-8"))
    tree = parser.get_ast_from_idl_string(idl)
    content = parser.extract_content_from_ast(tree)
    if kind == "msg":
        messages = content.get_elements_of_type(definition.Message)
    elif kind == "srv":
        service = content.get_elements_of_type(definition.Service)[0]
        messages = [service.request_message, service.response_message]
    else:
        action = content.get_elements_of_type(definition.Action)[0]
        messages = [action.goal, action.result, action.feedback]
    # The parser forgets what is said about the parts of services and actions.
    notes = [parser.get_annotations(found) for found in tree.find_data("struct_def")]
    return [struct(kind, *parts) for parts in zip(messages, notes, specs, strict=True)]


def struct(kind: str, message: definition.Message, notes: list, spec) -> dict:
    name = message.structure.namespaced_type
    commented = definition.Annotatable()
    commented.annotations = notes
    members = message.structure.members
    if not spec.fields:
        members = []  # the one that IDL needs
    fields = [field(*pair) for pair in zip(members, spec.fields, strict=True)]
    constants = [constant(*pair) for pair in zip(message.constants, spec.constants, strict=True)]
    return {
        "type": "/".join([*name.namespaces, name.name]),
        "comment": commented.get_comment_lines(),
        "fields": fields,
        "constants": constants,
    }


def field(member: definition.Member, spec) -> dict:
    default = None
    if member.has_annotation("default"):
        default = member.get_annotation_value("default")["value"]
        if isinstance(member.type, definition.AbstractNestedType) and isinstance(default, str):
            default = written_tuple(default)
        elif spec.type.type in ("float32", "float64"):
            default = float(default)
    unit = member.get_annotation_value("unit")["value"] if member.has_annotation("unit") else None
    type_text = str(spec.type)
    if not spec.type.is_primitive_type():
        type_text = type_text.replace("/", "/msg/")
    return {
        "name": member.name,
        "type": type_text,
        "idl_type": idl_type(member.type),
        "default": default,
        "comment": member.get_comment_lines(),
        "unit": unit,
    }


def constant(found: definition.Constant, spec) -> dict:
    value = found.value
    if spec.type in ("float32", "float64"):
        value = float(value)
    return {
        "name": found.name,
        "type": spec.type,
        "value": value,
        "comment": found.get_comment_lines(),
        # Not in the IDL.
        "unit": spec.annotations.get("unit"),
    }


def written_tuple(text: str) -> list:
    """The default value of an array is a tuple in a string; Python has no literals for nan and inf."""
    with contextlib.suppress(ValueError):
        return list(ast.literal_eval(text))
    items = re.sub(r"[()\s]", "", text).strip(",")
    return [float(item) for item in items.split(",")]


def idl_type(found) -> str:
    """A type of the parser, written as in a .msg file."""
    if isinstance(found, definition.Array):
        return f"{idl_type(found.value_type)}[{found.size}]"
    if isinstance(found, definition.BoundedSequence):
        return f"{idl_type(found.value_type)}[<={found.maximum_size}]"
    if isinstance(found, definition.UnboundedSequence):
        return f"{idl_type(found.value_type)}[]"
    if isinstance(found, definition.BoundedString):
        return f"string<={found.maximum_size}"
    if isinstance(found, definition.BoundedWString):
        return f"wstring<={found.maximum_size}"
    if isinstance(found, definition.UnboundedString):
        return "string"
    if isinstance(found, definition.UnboundedWString):
        return "wstring"
    if isinstance(found, definition.NamespacedType):
        return "/".join([*found.namespaces, found.name])
    names = {"boolean": "bool", "octet": "byte", "float": "float32", "double": "float64"}
    return names.get(found.typename, found.typename)


def decoded_again(text: str) -> str:
    """What rosidl_parser takes for a string that stands in the IDL like this."""
    token = Token("ESCAPED_STRING", '"{}"'.format(text.replace('"', r"\"")))
    return parser.get_string_literal_value(Tree("string_literal", [token]))


def decoded_once(text: str) -> str:
    """What rosidl_adapter writes for a string."""
    return text.encode().decode("unicode_escape").encode("iso-8859-1").decode("utf-8")
