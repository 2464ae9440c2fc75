"""TOML with the line of each value: `tomllib` reports lines of syntax errors only.

`tomllib` parses the text; then a scanner finds the keys in the valid text. It knows
just enough of TOML for that: strings, comments, brackets and headers.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any, Final

from parlour.vocabulary import limits

KeyPath = tuple[str | int, ...]
"""Keys of tables and indexes of arrays, from the root."""

_SYNTAX: Final = re.compile(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)\Z", re.DOTALL)
_HINTS: Final = {
    "Invalid value": "; a text is in quotes",
    "Cannot": "; it is there twice, or [[routes]] or [[numbers]] is written with single brackets",
}
_BLANK: Final = re.compile(r"[ \t]*")
_GAP: Final = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
# What a scan of a value stops at, and what it passes over: strings and comments.
_TOKEN: Final = re.compile(
    r'"""(?:[^\\]|\\.)*?"""+|\'\'\'.*?\'\'\'+|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\''
    r"|#[^\n]*|[\[\]{},\n]",
    re.DOTALL,
)
# An integer has at most as many digits as `int` converts, in Python 3.11 and later.
_LONG_INTEGER: Final = re.compile(r"[0-9](?:_?[0-9]){4300,}")
_KEY_END: Final = re.compile(r'(?:[^"\'=\]]|"(?:[^"\\]|\\.)*"|\'[^\']*\')*')


class TomlError(Exception):
    """The text is no TOML: a reason, and a line from 1."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line: Final = line
        self.reason: Final = reason


class TomlDocument:
    """The values of a document, and their lines."""

    def __init__(self, text: str) -> None:
        """Parse a document. Raises TomlError."""
        text = text.replace("\r\n", "\n")
        self.values: Final = _parse(text)
        # Before the scan, which recurses with each bracket.
        line = _line_of_deep_brackets(text)
        if line:
            raise _nesting_error(line)
        self._lines: Final = _Scanner(text).run()
        for path, line in self._lines.items():
            if len(path) > limits.CARRIERS_FILE_DEPTH_MAX:
                raise _nesting_error(line)

    def line_of(self, *path: str | int) -> int:
        """Return the line of a value, or of the innermost value around it that has a line."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)


def _parse(text: str) -> dict[str, Any]:
    """Return the values of a document. Raises TomlError for each exception of `tomllib`.

    These are TOMLDecodeError, RecursionError for nested brackets, and the ValueError of `int` for a
    number with too many digits.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(str(error), text) from None
    except RecursionError:
        raise _nesting_error(_line_of_deep_brackets(text) or 1) from None
    except ValueError as error:
        found = _LONG_INTEGER.search(text)
        if found is None:
            raise TomlError(1, f"not valid TOML: {error}") from None
        line = text.count("\n", 0, found.start()) + 1
        raise TomlError(line, "a number has too many digits") from None


def _line_of_deep_brackets(text: str) -> int:
    """Return the line where arrays and inline tables exceed the limit of nesting, or 0."""
    depth = 0
    for token in _TOKEN.finditer(text):
        depth += (token[0] in "[{") - (token[0] in "]}")
        if depth > limits.CARRIERS_FILE_DEPTH_MAX:
            return text.count("\n", 0, token.start()) + 1
    return 0


def _nesting_error(line: int) -> TomlError:
    most = limits.CARRIERS_FILE_DEPTH_MAX
    return TomlError(line, f"values are nested more than {most} levels deep")


def _syntax_error(description: str, text: str) -> TomlError:
    match = _SYNTAX.match(description)
    reason = description if match is None else match[1]
    hint = next((hint for start, hint in _HINTS.items() if reason.startswith(start)), "")
    line = 1
    if match is not None:
        line = int(match[2]) if match[2] else text.rstrip("\n").count("\n") + 1
    return TomlError(line, f"not valid TOML: {reason}{hint}")


# The position is always at the start of one of these, until the end of the text:
#
# begins with   is                                 the scanner then
# ------------  ---------------------------------  --------------------------------------------
# blank, #, \n  a gap                              skips it
# [[            a header of an array's next table  records its line, sets the current table
# [             a header of a table                records its line, sets the current table
# other         a key and its value                records the line of the key, scans the value
class _Scanner:
    """Finds the lines of all keys and array elements of a valid document."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._counted_to = 0
        self._line = 1
        self._table: KeyPath = ()
        self._array_sizes: dict[KeyPath, int] = {}
        self._lines: dict[KeyPath, int] = {}

    def run(self) -> dict[KeyPath, int]:
        """Return the line of each path."""
        while True:  # Ends with the text: each step consumes a part of it.
            self._skip(_GAP)
            if self._position >= len(self._text):
                return self._lines
            if self._text[self._position] == "[":
                self._header()
            else:
                self._pair(self._table)

    def _skip(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._position)
        assert match is not None
        self._position = match.end()
        return match[0]

    def _here(self) -> int:
        """Return the line of the position, which never moves back."""
        self._line += self._text.count("\n", self._counted_to, self._position)
        self._counted_to = self._position
        return self._line

    def _header(self) -> None:
        is_array = self._text.startswith("[[", self._position)
        line = self._here()
        self._position += 2 if is_array else 1
        path = self._resolve(_keys_of(self._skip(_KEY_END)), is_array=is_array)
        self._position += 2 if is_array else 1
        self._table = path
        # A header of a table below names the tables around it as well.
        for size in range(1, len(path) + 1):
            self._lines.setdefault(path[:size], line)
        self._lines[path] = line

    def _resolve(self, keys: tuple[str, ...], *, is_array: bool) -> KeyPath:
        """Return the path of a header: a key of an array of tables means its last table."""
        path: KeyPath = ()
        for number, key in enumerate(keys, 1):
            path = (*path, key)
            if is_array and number == len(keys):
                self._array_sizes[path] = self._array_sizes.get(path, 0) + 1
            if path in self._array_sizes:
                path = (*path, self._array_sizes[path] - 1)
        return path

    def _pair(self, table: KeyPath) -> None:
        """Record a key, and its value."""
        line = self._here()
        path = (*table, *_keys_of(self._skip(_KEY_END)))
        for size in range(len(table) + 1, len(path) + 1):
            self._lines.setdefault(path[:size], line)
        self._position += 1  # The equals sign.
        self._skip(_BLANK)
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        """Scan a value; record the lines of the elements of an array, and of keys in tables."""
        opening = self._text[self._position : self._position + 1]
        if opening == "[":
            self._array(path)
        elif opening == "{":
            self._inline_table(path)
        else:
            self._plain_value()

    def _plain_value(self) -> None:
        """Scan a text, number, date or boolean."""
        while self._position < len(self._text):
            match = _TOKEN.search(self._text, self._position)
            if match is None:
                self._position = len(self._text)
            elif match[0][0] in "\"'":
                self._position = match.end()
            else:
                self._position = match.start()
                return

    def _array(self, path: KeyPath) -> None:
        self._position += 1
        self._skip(_GAP)
        index = 0
        while self._text[self._position] != "]":
            self._lines[(*path, index)] = self._here()
            self._value((*path, index))
            self._skip(_GAP)
            if self._text[self._position] == ",":
                self._position += 1
                self._skip(_GAP)
            index += 1
        self._position += 1

    def _inline_table(self, path: KeyPath) -> None:
        self._position += 1
        self._skip(_GAP)
        while self._text[self._position] != "}":
            self._pair(path)
            self._skip(_GAP)
            if self._text[self._position] == ",":
                self._position += 1
                self._skip(_GAP)
        self._position += 1


def _keys_of(written: str) -> tuple[str, ...]:
    """Return the parts of a dotted key, with `tomllib`'s own parser."""
    keys: list[str] = []
    table: Any = tomllib.loads(f"{written.strip()} = 0")
    while isinstance(table, dict):
        [(key, table)] = table.items()
        keys.append(key)
    return tuple(keys)
