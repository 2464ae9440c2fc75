"""The checks of a seed that need no store: keys, types, values, names and SIDs.

Values are checked by the parsers of the API. The first fault in the order of the document is
raised, with its path.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from parlour.testmode.seeds.dates import check_duration, is_relative, resolve_date
from parlour.testmode.seeds.declaration import FORMAT, ROOT
from parlour.testmode.seeds.errors import refused, seed_error, unknown_key
from parlour.testmode.seeds.items import SeedItem
from parlour.testmode.seeds.keys import NAME_PATTERN, ValueKind
from parlour.testmode.seeds.receipt_shorthand import expand_receipts
from parlour.testmode.seeds.references import check_references
from parlour.testmode.seeds.text import compact_json
from parlour.vocabulary import limits, sids
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from parlour.operations.parameters import Parameters
    from parlour.protocol.forms import FormFields
    from parlour.testmode.seeds.keys import Section, SeedKey

_NAME: Final = re.compile(NAME_PATTERN[:-1] + r"\Z")
_TYPE_NAMES: Final = {
    ValueKind.INTEGER: "an integer",
    ValueKind.BOOLEAN: "true or false",
    ValueKind.TEXTS: "a list of texts",
    ValueKind.OBJECT: "an object",
    ValueKind.LIST: "a list",
}


def check_document(value: Any) -> SeedItem:
    """Return the checked objects of a document. Raises ApiError with the path of the fault."""
    if not isinstance(value, dict):
        raise seed_error("", "a seed is an object with the key 'parlour'")
    root = SeedItem("", "", ROOT)
    _Checker().check_keys(root, value, root.forms)
    if root.get("parlour") != FORMAT:
        raise seed_error("parlour", f"the format is {FORMAT}")
    check_references(root)
    return root


def below(path: str, name: str) -> str:
    """Return the path of a key."""
    return f"{path}.{name}" if path else name


class _Checker:
    """Counts the objects of one document, and collects its SIDs."""

    def __init__(self) -> None:
        self._count = 0
        self._sids: set[str] = set()

    def check_keys(
        self, item: SeedItem, value: dict[str, Any], forms: dict[type[Parameters], FormFields]
    ) -> None:
        """Check all keys of an object; ``forms`` belong to it or to the object around it."""
        section = item.section
        for name in value:
            if name not in section.by_name:
                raise unknown_key(item.path, name, section.by_name)
        for key in section.keys:
            given = value.get(key.name)
            if given is None:
                if key.is_required:
                    raise seed_error(below(item.path, key.name), "is required")
                continue
            path = below(item.path, key.name)
            if key.section is None:
                self._check_value(item, key, path, given, forms)
            elif key.kind is ValueKind.OBJECT:
                self._check_part(item, key, path, given, forms)
            else:
                self._check_list(item, key, path, given)

    def _check_part(
        self,
        item: SeedItem,
        key: SeedKey,
        path: str,
        value: Any,
        forms: dict[type[Parameters], FormFields],
    ) -> None:
        assert key.section is not None
        if not isinstance(value, dict):
            raise _type_error(path, key.kind)
        part = SeedItem(path, below(item.label, key.name), key.section)
        item.children[key.name] = [part]
        self.check_keys(part, value, forms if key.section.is_part else part.forms)

    def _check_list(self, item: SeedItem, key: SeedKey, path: str, value: Any) -> None:
        assert key.section is not None
        entries = value
        if key.kind is ValueKind.RECEIPTS:
            entries = expand_receipts(path, value)
        elif isinstance(value, list):
            entries = [(f"{path}[{index}]", each) for index, each in enumerate(value)]
        else:
            raise _type_error(path, key.kind)
        self._count += len(entries)
        if self._count > limits.SEED_OBJECTS_MAX:
            raise seed_error(path, f"a seed has at most {limits.SEED_OBJECTS_MAX} objects")
        names: set[str] = set()
        for index, (entry_path, entry) in enumerate(entries):
            if not isinstance(entry, dict):
                raise seed_error(entry_path, "must be an object")
            name = entry.get("key")
            label = below(item.label, key.name)
            label = f"{label}.{name}" if isinstance(name, str) else f"{label}[{index}]"
            child = SeedItem(entry_path, label, key.section)
            self.check_keys(child, entry, child.forms)
            if isinstance(name, str):
                if name in names:
                    raise seed_error(below(entry_path, "key"), f"{name!r} is not unique")
                names.add(name)
            item.children.setdefault(key.name, []).append(child)

    def _check_value(
        self,
        item: SeedItem,
        key: SeedKey,
        path: str,
        value: Any,
        forms: dict[type[Parameters], FormFields],
    ) -> None:
        """Check one value, and add it to the form that it belongs to."""
        texts = _texts(key, path, value)
        if key.kind is ValueKind.SID:
            value = self._check_sid(key, path, value)
        elif key.kind is ValueKind.NAME and not _NAME.match(value):
            raise seed_error(path, "a key is letters, digits, '_' and '-', at most 64")
        elif key.kind is ValueKind.DATE:
            _check_date(item.section, key, path, value)
        else:
            _check_range(key, path, value)
            _parse(item.section, key, path, texts)
        item.values[key.name] = value
        if key.wire_name and key.kind is not ValueKind.DATE and item.section.parser_of(key):
            parameters = key.parameters or item.section.parameters
            forms.setdefault(parameters, {})[key.wire_name] = texts

    def _check_sid(self, key: SeedKey, path: str, value: str) -> str:
        sid = sids.parse(key.prefix, value)
        if sid is None:
            raise seed_error(path, f"a SID is {key.prefix} and 32 hexadecimal digits")
        if sid in self._sids:
            raise seed_error(path, f"{sid} occurs twice")
        self._sids.add(sid)
        return sid


def _type_error(path: str, kind: ValueKind) -> ApiError:
    return seed_error(path, f"must be {_TYPE_NAMES.get(kind, 'a text')}")


def _texts(key: SeedKey, path: str, value: Any) -> list[str]:
    """Return a value as the API takes it in a form. Raises for another type."""
    kind = key.kind
    if kind is ValueKind.TEXTS:
        if not isinstance(value, list):
            raise _type_error(path, kind)
        for index, each in enumerate(value):
            _require_text(f"{path}[{index}]", each)
        return value or [""]
    if kind is ValueKind.BOOLEAN or kind is ValueKind.INTEGER:
        if type(value) is not (bool if kind is ValueKind.BOOLEAN else int):
            raise _type_error(path, kind)
        return [compact_json(value)]
    if kind is ValueKind.JSON and not isinstance(value, str):
        return [_require_text(path, compact_json(value))]
    return [_require_text(path, value)]


def _require_text(path: str, value: Any) -> str:
    """Return the text. Raises for another type, and for a text that no store can hold."""
    if not isinstance(value, str):
        raise _type_error(path, ValueKind.TEXT)
    if "\0" in value:
        raise seed_error(path, "a text cannot contain NUL")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise seed_error(path, "a text cannot contain half of a surrogate pair") from None
    return value


def _check_range(key: SeedKey, path: str, value: Any) -> None:
    if key.words and value not in key.words:
        raise seed_error(path, f"must be one of {', '.join(key.words)}")
    if key.chars_max and len(value) > key.chars_max:
        raise seed_error(path, f"has more than {key.chars_max} characters")
    if key.kind is ValueKind.INTEGER and not -limits.INTEGER_MAX <= value <= limits.INTEGER_MAX:
        raise seed_error(path, "is out of range")
    if key.minimum is not None and value < key.minimum:
        raise seed_error(path, f"must be at least {key.minimum}")


def _parse(section: Section, key: SeedKey, path: str, texts: list[str]) -> None:
    """Check the texts by the parser of the API."""
    parse = section.parser_of(key)
    if parse is None or (key.kind is ValueKind.TEXTS and texts == [""]):
        return
    for index, text in enumerate(texts):
        try:
            parse(key.wire_name or key.name, text)
        except ApiError as error:
            where = f"{path}[{index}]" if key.kind is ValueKind.TEXTS else path
            raise _with_path(where, error) from None


def _with_path(path: str, error: ApiError) -> ApiError:
    """Return a parser's error with the path; one without a specific code names a parameter."""
    return (
        refused(path, error)
        if error.code != seed_error("", "").code
        else seed_error(path, "is not valid")
    )


def _check_date(section: Section, key: SeedKey, path: str, text: str) -> None:
    if is_relative(text):
        try:
            check_duration(text)
        except ValueError as error:
            raise seed_error(path, str(error)) from None
        return
    try:
        parse = section.parser_of(key)
        resolve_date(text, 0) if parse is None else parse(key.wire_name, text)
    except ApiError as error:
        raise _with_path(path, error) from None
