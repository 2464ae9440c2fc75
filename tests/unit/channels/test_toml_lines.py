"""The lines of values in TOML."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlour.channels.toml_lines import TomlDocument, TomlError

if TYPE_CHECKING:
    from parlour.channels.toml_lines import KeyPath

DOCUMENT = '''# A comment with [brackets] = "and quotes
title = "a # no comment [x]" # a comment, with = and ]

[carriers.sim]
type = 'smpp'
"quoted.key" = """
[not.a.header]
key = 1 \\"""
still text"""
after = 5
dotted.inner.key = true
hosts = [ # first
  "one", [1,
  2], # three
  { a = 1, b = { c = '}' } },
]

[[routes]]
carrier = "sim"
[[routes]]
  sender = "+1"
  [routes.options]
  deep = 1
[[routes.parts]]
n = 1
[[routes.parts]]
n = 2
[ "spaced" . out ]
x = \'\'\'raw
= [\'\'\'
y = 1979-05-27T07:32:00Z
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("title",), 2),
        (("carriers",), 4),
        (("carriers", "sim"), 4),
        (("carriers", "sim", "type"), 5),
        (("carriers", "sim", "quoted.key"), 6),
        (("carriers", "sim", "after"), 10),
        (("carriers", "sim", "dotted"), 11),
        (("carriers", "sim", "dotted", "inner", "key"), 11),
        (("carriers", "sim", "hosts"), 12),
        (("carriers", "sim", "hosts", 0), 13),
        (("carriers", "sim", "hosts", 1), 13),
        (("carriers", "sim", "hosts", 1, 1), 14),
        (("carriers", "sim", "hosts", 2, "b", "c"), 15),
        (("routes",), 18),
        (("routes", 0), 18),
        (("routes", 0, "carrier"), 19),
        (("routes", 1), 20),
        (("routes", 1, "sender"), 21),
        (("routes", 1, "options", "deep"), 23),
        (("routes", 1, "parts", 0, "n"), 25),
        (("routes", 1, "parts", 1, "n"), 27),
        (("spaced", "out", "x"), 29),
        (("spaced", "out", "y"), 31),
        # Without a line, the value around it counts; without any, the first line.
        (("routes", 0, "missing"), 18),
        (("absent", "entirely"), 1),
    ],
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_each_value_has_the_line_of_its_key(path: KeyPath, line: int, line_end: str) -> None:
    document = TomlDocument(DOCUMENT.replace("\n", line_end))
    assert document.line_of(*path) == line


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("a = 1\nb = \n", 2, "Invalid value"),
        ("a = 1\na = 2\n", 2, "Cannot overwrite a value"),
        ("a = 1\n\nb = [1\n", 3, "Unclosed array"),
        ("[a\n", 1, "Expected ']' at the end of a table declaration"),
    ],
)
def test_a_syntax_error_has_its_line(text: str, line: int, reason: str) -> None:
    with pytest.raises(TomlError) as error:
        TomlDocument(text)
    assert error.value.line == line
    assert error.value.reason.startswith(f"not valid TOML: {reason}")


# --- Any document -------------------------------------------------------------------------

KEYS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=6)
SCALARS = st.one_of(
    st.integers(-9, 9),
    st.booleans(),
    st.text(st.sampled_from("a\"'#[]{}=,.\n\\ \t"), max_size=8),
)
TABLES = st.dictionaries(KEYS, st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3)))
NEWLINES = st.sampled_from(["\n", "\n\n", '\n# [a] = "\n'])


class TomlWriter:
    """Writes TOML, and records on which line it writes each value."""

    def __init__(self) -> None:
        self.text = ""
        self.lines: dict[KeyPath, int] = {}

    def add(self, path: KeyPath, text: str) -> None:
        self.lines.setdefault(path, self.text.count("\n") + 1)
        self.text += text

    def value(self, path: KeyPath, value: Any, data: st.DataObject) -> None:
        if not isinstance(value, list):
            self.add(path, _scalar(value, data))
            return
        self.add(path, "[")
        for index, each in enumerate(value):
            self.text += data.draw(st.sampled_from(["", " ", "\n  ", " # ]\n"]))
            self.value((*path, index), each, data)
            self.text += data.draw(st.sampled_from([",", " ,", "\n,"]))
        self.text += "]"

    def table(self, path: KeyPath, table: dict[str, Any], data: st.DataObject) -> None:
        for key, value in table.items():
            self.add((*path, key), f"{_quoted(key)} = ")
            self.value((*path, key), value, data)
            self.text += data.draw(NEWLINES)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _scalar(value: Any, data: st.DataObject) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    styles = [_quoted(value)]
    if "'" not in value and "\n" not in value:
        styles.append(f"'{value}'")
    if "'" not in value:
        styles.append(f"'''{value}'''")
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    styles.append(f'"""{escaped}"""')
    return str(data.draw(st.sampled_from(styles)))


@given(st.data(), TABLES, st.lists(TABLES, max_size=3), st.dictionaries(KEYS, TABLES, max_size=2))
def test_the_lines_of_any_document_are_those_on_which_it_was_written(
    data: st.DataObject,
    root: dict[str, Any],
    array: list[dict[str, Any]],
    tables: dict[str, dict[str, Any]],
) -> None:
    writer = TomlWriter()
    # Names that no other table has.
    writer.table((), {f"r{key}": value for key, value in root.items()}, data)
    for index, table in enumerate(array):
        writer.add(("array", index), "[[array]]\n")
        writer.table(("array", index), table, data)
    for name, table in tables.items():
        writer.add(("tables", name), f"[tables.{_quoted(name)}]\n")
        writer.table(("tables", name), table, data)
    document = TomlDocument(writer.text)
    assert {path: document.line_of(*path) for path in writer.lines} == writer.lines
