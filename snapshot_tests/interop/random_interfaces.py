"""Random interface files: mostly legal, with every construct, and a good share of near misses.

What comes out depends on the seed and the index only. The files refer to the packages `oracle_msgs`
(which they are in themselves) and `other_msgs`; `SUPPORT` has what exists there.
"""

import random
from dataclasses import dataclass

PACKAGE = "oracle_msgs"

# Path below the folder of packages → text.
SUPPORT = {
    "oracle_msgs/msg/Known.msg": "int32 known\n",
    "other_msgs/msg/Thing.msg": "float64 width\nother_msgs/Deep[] parts\n",
    "other_msgs/msg/Deep.msg": "string<=4 name\n",
}

INTEGERS = {
    "byte": (0, 2**8 - 1),
    "char": (0, 2**8 - 1),
    "int8": (-(2**7), 2**7 - 1),
    "uint8": (0, 2**8 - 1),
    "int16": (-(2**15), 2**15 - 1),
    "uint16": (0, 2**16 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "uint32": (0, 2**32 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint64": (0, 2**64 - 1),
}
FLOATS = ("float32", "float64")
TEXTS = ("string", "wstring")
PRIMITIVES = ("bool", *FLOATS, *TEXTS, *INTEGERS)
NAMED = ("Known", "oracle_msgs/Known", "other_msgs/Thing", "other_msgs/Deep", "builtin_interfaces/Time")
STRANGE_TYPES = (
    "time", "duration", "int", "wchar", "octet", "float", "str", "String", "other_msgs/Missing", "Missing",
    "missing_msgs/Foo", "Std/Foo", "other_msgs/thing", "other_msgs/msg/Thing", "/Thing", "Thing/", "a__b/Foo", "Foo_Request",
    "string<5", "string<=", "string<=0", "string<=-1", "int8<=5", "string<=5<=6", "int8[3][4]", "int8[][]", "int8[0]",
    "int8[-1]", "int8[<3]", "int8[>=3]", "int8[x]", "int8]", "int8[", "[3]", "int8[<=]", "int8[3]x", "bool[99999999999]",
    "string<=4294967296", "int8[4294967295]", "float64[<=4294967296]", "string<= 5", "int8[ 3 ]", "string[<=2]<=3", "wstring<=2",
    "string<=+3", "string<=0x3", "string<=1e3", "string<= 3", "\ufeffint8", "INT8", "sequence<int8>", "Known<=3", "@optional",
)
LOWER = "abcdefghijklmnopqrstuvwxyz"
FIELD_NAMES = (
    "x", "data", "a1", "b_2_c", "long_name", "int8", "string", "struct", "sequence", "module", "double", "const", "typedef",
    "default", "self", "for", "type", "value", "boolean", "octet", "unsigned", "true", "inf", "nan", "enum", "long",
)
STRANGE_NAMES = (
    "X", "x_", "_x", "a__b", "1x", "xY", "x-y", "x.y", "é", "x,", "x;", "x[3]", "", "x\u0661", "structure_needs_at_least_one_member",
)
CONSTANT_NAMES = ("A", "X1", "B_2", "LONG_NAME", "TRUE", "INT8", "A_B_C", "Z9_9")
STRANGE_CONSTANTS = ("a", "A_", "_A", "A__B", "Ab", "1A", "A B", "A-", "", "É", "A\u0661")
WORDS = ("one", "two", "speed", "of", "the", "arm", "x=3", "a/b", "(see)", "range [0, 1]", "日本", "päß", "🙂", "it's", '"so"')
UNITS = ("[m]", "[m/s]", "[ s ]", "[]", "[a, b]", "[[m]", "[°]", "[m", "m]", "[a\\tb]")
ESCAPES = (
    r"\t", r"\n", r"\r", r"\\", r"\"", r"\'", r"\x41", r"\x4", r"\xe9", r"\xc3\xa9", r"\u0041", r"\u00e9", r"\u4e2d", r"\101", r"\7", r"\400",
    r"\q", r"\d", r"\U0001F600", r"\U00000041", r"\N{BULLET}", r"\N", r"\a", r"\b", r"\v", r"\f", r"\?", "\\", r"\\n", r"\\\\", r"\x22", r"\x5c", r"\0",
)
LINE_ENDS = ("\r\n", "\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029", "\n\n", "\n \n", "\n\r")
BLANKS = (" ", "  ", "   ", "\t", " \t ", "\t\t")
STRANGE_BLANKS = ("\u00a0", "\u3000", "\x1f", "\u2003", "\u200b", "\ufeff")
SPECIAL = "\"'[]<>=#,.-+_\\/@:;(){} \t\n\r0123456789aAxXeEnN\x00\x7f\u00a0é日\u2028\u0661"


@dataclass
class File:
    """An interface file: its kind is its extension, its stem the name of the interface."""

    kind: str
    stem: str
    content: bytes


def generate(seed: int, index: int) -> File:
    """The file of this number."""
    maker = Maker(random.Random(f"{seed}/{index}"))
    kind = maker.rng.choices(("msg", "srv", "action"), (70, 18, 12))[0]
    separators = {"msg": 0, "srv": 1, "action": 2}[kind]
    if maker.chance(0.02):
        separators = max(0, separators + maker.rng.choice((-1, 1)))
    text = maker.part()
    for _ in range(separators):
        separator = "---" if maker.chance(0.98) else maker.rng.choice(("--- ", " ---", "----", "--- # x", "--", "\t---"))
        text += separator + maker.line_end() + maker.part()
    if maker.chance(0.1):
        text = text.rstrip("\n")
    if maker.chance(0.3):
        for _ in range(maker.rng.choice((1, 1, 1, 2, 3))):
            text = maker.mutated(text)
    content = text.encode()
    if maker.chance(0.003):
        at = maker.rng.randint(0, len(content))
        content = content[:at] + maker.rng.choice((b"\xff", b"\xc3", b"\xed\xa0\x80", b"\x80")) + content[at:]
    return File(kind, maker.stem(index), content)


class Maker:
    """Makes pieces of files from one source of random numbers."""

    def __init__(self, rng: random.Random):
        self.rng = rng
        self.used: set[str] = set()

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def stem(self, index: int) -> str:
        stem = f"M{index}"
        if self.chance(0.97):
            return stem
        return self.rng.choice(
            (f"Sample_{stem}", f"{stem}_Request", f"{stem}_Goal", f"{stem}_Goal_Request", f"{stem}_Event", f"m{index}",
             f"{stem}_Request_Response", f"{stem}_x", f"{index}M", f"Sample_{stem}_Result", f"{stem}Ü", f"{stem}_Constants")
        )

    def part(self) -> str:
        self.used.clear()
        count = self.rng.choice((0, 1, 1, 2, 2, 3, 4))
        lines = []
        if self.chance(0.35):
            lines += [self.comment() for _ in range(self.rng.choice((1, 1, 2, 3)))]
            lines += [""] * self.rng.choice((0, 1, 1))
        for _ in range(count):
            before = self.rng.random()
            if before < 0.08:
                lines.append(self.comment())
            elif before < 0.11:
                lines.append(self.rng.choice(BLANKS) + self.comment())
            elif before < 0.2:
                lines.append(self.rng.choice(("", "", " ", "\t ")))
            lines.append(self.element())
            if self.chance(0.06):
                lines.append(self.rng.choice(BLANKS) + self.comment())
        if self.chance(0.05):
            lines.append(self.comment())
        return "".join(line + self.line_end() for line in lines)

    def line_end(self) -> str:
        return "\n" if self.chance(0.97) else self.rng.choice(LINE_ENDS)

    def blank(self) -> str:
        if self.chance(0.85):
            return " "
        return self.rng.choice(BLANKS) if self.chance(0.97) else self.rng.choice(STRANGE_BLANKS)

    def comment(self) -> str:
        pieces = [self.rng.choice(WORDS) for _ in range(self.rng.choice((0, 1, 2, 3)))]
        if self.chance(0.3):
            pieces.insert(self.rng.randint(0, len(pieces)), self.rng.choice(UNITS))
        if self.chance(0.06):
            pieces.append(self.rng.choice(ESCAPES) + self.rng.choice(("", "n", " ", "t")))
        marks = "#" if self.chance(0.9) else self.rng.choice(("##", "#  #", "###"))
        return marks + self.rng.choice((" ", " ", "", "  ", "    ", "\t")) + " ".join(pieces) + self.rng.choice(("", "", "", " "))

    def element(self) -> str:
        line = self.constant() if self.chance(0.25) else self.field()
        if self.chance(0.02):
            line = self.rng.choice((" ", "\t")) + line
        if self.chance(0.05):
            line += self.rng.choice(BLANKS + STRANGE_BLANKS)
        if self.chance(0.3):
            line += self.rng.choice((" ", "", "  ")) + self.comment()
        return line

    def unused(self, names: tuple[str, ...], fresh) -> str:
        name = self.rng.choice(names) if self.chance(0.5) else fresh()
        if name in self.used and self.chance(0.97):
            name += str(len(self.used))
        self.used.add(name)
        return name

    def field(self) -> str:
        base = self.rng.choice(PRIMITIVES) if self.chance(0.85) else self.rng.choice(NAMED)
        if base in TEXTS and self.chance(0.4):
            base += f"<={self.count()}"
        if self.chance(0.03):
            base = self.rng.choice(STRANGE_TYPES)
        array, length = "", None
        if self.chance(0.4):
            shape = self.rng.choice(("[]", "[{}]", "[<={}]"))
            length = self.count()
            array = shape.format(length)
        name = self.unused(FIELD_NAMES, lambda: self.rng.choice(LOWER) + self.rng.choice(LOWER))
        if self.chance(0.02):
            name = self.rng.choice(STRANGE_NAMES)
        line = base + array + self.blank() + name
        has_no_default = base.split("<")[0] not in PRIMITIVES
        if self.chance(0.03 if has_no_default else 0.45):
            value = self.values(base, array, length) if array else self.value(base)
            line += self.blank() + value
        return line

    def constant(self) -> str:
        base = self.rng.choice(PRIMITIVES) if self.chance(0.98) else self.rng.choice(NAMED + STRANGE_TYPES)
        name = self.unused(CONSTANT_NAMES, lambda: "C" + str(self.rng.randint(0, 99)))
        if self.chance(0.02):
            name = self.rng.choice(STRANGE_CONSTANTS)
        around = self.rng.choice(("", "", " ", "  ", "\t"))
        return f"{base}{self.blank()}{name}{around}={around}{self.value(base)}"

    def count(self) -> str:
        number = self.rng.choice((1, 2, 3, 3, 4, 5, 10, 100))
        if self.chance(0.93):
            return str(number)
        return self.rng.choice((f"+{number}", f"0{number}", "1_0", "\u0663", f"{number}_", f" {number}", "0x3", "1000000"))

    def values(self, base: str, array: str, length: str) -> str:
        if self.chance(0.02):
            return self.rng.choice(("[", "]", "[ ]", "1", "[1, 2", "()", "[,]", '["a",]', "['a' 'b']", "[[1]]", "{1}", "[] x"))
        try:
            wanted = int(length)
        except ValueError:
            wanted = 3
        count = min(wanted, 6) if array.startswith("[<") or array == "[]" else wanted
        if count > 10 or self.chance(0.05):
            count = self.rng.randint(0, 5)
        if not array[1].isdigit() and self.chance(0.5):
            count = self.rng.randint(0, count)
        text = base.split("<")[0] in TEXTS
        items = []
        for _ in range(count):
            item = self.value(base)
            if text and not item.startswith(('"', "'")):
                item = f'"{item}"' if self.chance(0.6) else item
            items.append(item)
        comma = self.rng.choice((",", ", ", ", ", " , ", ",  "))
        if text and self.chance(0.05):
            comma = self.rng.choice((" ", "", ",,", ";"))
        inside = comma.join(items)
        if self.chance(0.05):
            inside = self.rng.choice((" ", "")) + inside + self.rng.choice((" ", ",", ", "))
        return f"[{inside}]"

    def value(self, base: str) -> str:
        if base == "bool":
            return self.rng.choice(("true", "false", "True", "FALSE", "1", "0", "tRUE")) if self.chance(0.96) else self.rng.choice(
                ("yes", "2", "", "01", "true false", '"true"', "\u0661"))
        if base in INTEGERS:
            return self.integer(*INTEGERS[base])
        if base in FLOATS:
            return self.float()
        return self.text()

    def integer(self, low: int, high: int) -> str:
        number = self.rng.choice((0, 1, 5, low, high, self.rng.randint(low, high), min(high, self.rng.randint(0, 300))))
        if self.chance(0.03):
            number = self.rng.choice((low - 1, high + 1, 2**64, -(2**63) - 1, 10**30))
        if self.chance(0.85):
            return str(number)
        sign, size = ("-" if number < 0 else self.rng.choice(("", "+"))), abs(number)
        form = self.rng.choice(("{:#x}", "{:#X}", "{:#o}", "{:#b}", "0{}", "{:_}", "{:#_x}", "{}.0", "{}e1", "{}u", "0x_{:x}", "00{}", "{}_", "{} ", "- {}"))
        text = form.format(size)
        if self.chance(0.1):
            text = "".join(chr(0x660 + int(digit)) if digit.isdigit() else digit for digit in text)
        return sign + text

    def float(self) -> str:
        if self.chance(0.5):
            return repr(self.rng.choice((0.0, 1.0, -1.5, 3.14159, 1e-7, 1e22, -0.0, self.rng.uniform(-1e3, 1e3), self.rng.expovariate(1e-10))))
        return self.rng.choice((
            "1", "-5", "+3", ".5", "1.", "-.5e3", "1e5", "1E+5", "1_0.5", "nan", "inf", "-inf", "NaN", "+inf", "Infinity", "-nan", "1e39", "1e400", "-1e400", "1e-400",
            "0x1", "1e", "e1", ".", "1_", "1.5f", "--1", "1,5", "", "\u0661.5", "1e1_0", "00.5", "4.9e-324", "1.7976931348623157e308", "0.1", "123456789012345678901234567890",
        ))

    def text(self) -> str:
        pieces = []
        for _ in range(self.rng.choice((0, 1, 1, 2, 3, 5))):
            pick = self.rng.random()
            if pick < 0.7:
                pieces.append(self.rng.choice(("a", "Bc", "d e", "1", "true", " ", "x")))
            elif pick < 0.8:
                pieces.append(self.rng.choice(("é", "日", "🙂", "[", "]", ",", "(", "<", "//", "/*", "%", "\u00a0", "@", "{}")))
            elif pick < 0.9:
                pieces.append(self.rng.choice(ESCAPES))
            else:
                pieces.append(self.rng.choice(("'", '"', "\\'", '\\"', "#", "=", "\t")))
        inside = "".join(pieces)
        quote = self.rng.choice(('"', '"', "'", ""))
        return quote + inside + quote if self.chance(0.98) else quote + inside

    def mutated(self, text: str) -> str:
        if not text:
            return self.rng.choice(SPECIAL)
        at = self.rng.randrange(len(text))
        one, special = text[at], self.rng.choice(SPECIAL)
        match self.rng.randrange(7):
            case 0:
                return text[:at] + text[at + 1 :]
            case 1:
                return text[:at] + one + text[at:]
            case 2:
                return text[:at] + text[at + 1 : at + 2] + one + text[at + 2 :]
            case 3:
                return text[:at] + special + text[at:]
            case 4:
                return text[:at] + special + text[at + 1 :]
            case 5:
                lines = text.split("\n")
                line = self.rng.randrange(len(lines))
                return "\n".join(lines[:line] + lines[line + 1 :])
            case _:
                lines = text.split("\n")
                line = self.rng.randrange(len(lines))
                return "\n".join(lines[: line + 1] + lines[line:])
