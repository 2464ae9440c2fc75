"""The text of a seed: from JSON or YAML to values, and from values to either."""

from __future__ import annotations

import json
from typing import Any, Final

from parlour.testmode.seeds import yaml_reader
from parlour.testmode.seeds.errors import seed_error
from parlour.vocabulary import limits

JSON_TYPES: Final = ("application/json",)
YAML_TYPES: Final = ("application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml")


def read_document(body: bytes, content_type: str) -> Any:
    """Return the values of a document. Raises ApiError 20001 with the line of the fault."""
    if len(body) > limits.SEED_BYTES_MAX:
        raise seed_error("", f"a seed has at most {limits.SEED_BYTES_MAX} bytes")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise seed_error("", "a seed must be UTF-8") from None
    kind = content_type.partition(";")[0].strip().lower()
    return yaml_reader.read_yaml(text) if kind in YAML_TYPES else _read_json(text)


def content_type_of(name: str) -> str:
    """Return the content type of a file with this name: YAML, which includes JSON, by default."""
    return JSON_TYPES[0] if name.lower().endswith(".json") else YAML_TYPES[0]


def _read_json(text: str) -> Any:
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except json.JSONDecodeError as error:
        raise seed_error(f"line {error.lineno}", f"invalid JSON: {error.msg}") from None
    except RecursionError:
        raise seed_error("", f"nested deeper than {limits.SEED_DEPTH_MAX} levels") from None
    except ValueError as error:
        raise seed_error("", f"invalid JSON: {error}") from None
    if _is_deeper(value, limits.SEED_DEPTH_MAX):
        raise seed_error("", f"nested deeper than {limits.SEED_DEPTH_MAX} levels")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} occurs twice")
    return value


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def _is_deeper(value: Any, levels: int) -> bool:
    """Return whether lists and objects are nested deeper; without recursion."""
    level = [value] if isinstance(value, (list, dict)) else []
    for _ in range(levels):
        level = [
            inner
            for each in level
            for inner in (each.values() if isinstance(each, dict) else each)
            if isinstance(inner, (list, dict))
        ]
    return bool(level)


def compact_json(value: Any) -> str:
    """Return a value as JSON, as attributes of seeds are stored."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def json_value(text: str) -> Any:
    """Return the value that seeds show for JSON text: the text itself if it would change.

    A JSON string is shown as its text too, since a text in a seed is JSON itself.
    """
    try:
        value = json.loads(text)
        unchanged = compact_json(value) == text
    except (ValueError, RecursionError):
        return text
    is_shown = unchanged and value is not None and not isinstance(value, str)
    return value if is_shown and not _is_deeper(value, limits.SEED_DEPTH_MAX // 2) else text


def write_json(document: Any) -> bytes:
    """Return the text of a document as indented JSON."""
    return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode()


def write_yaml(document: Any) -> bytes:
    """Return the text of a document as YAML that `read_document` reads as the same values."""
    # Imported at the first use, as in the reader.
    import yaml  # noqa: PLC0415

    # Values that occur twice are written twice: the reader accepts no aliases.
    dumper_class: Any = type(
        "SeedDumper", (yaml.SafeDumper,), {"ignore_aliases": lambda _self, _value: True}
    )

    def represent_text(dumper: Any, text: str) -> Any:
        style = None if isinstance(yaml_reader.plain_scalar(text), str) else "'"
        # Line breaks, of which YAML has five, change in any other style than that with escapes.
        if not text.isprintable():
            style = '"'
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    dumper_class.add_representer(str, represent_text)
    written: str = yaml.dump(
        document, Dumper=dumper_class, sort_keys=False, allow_unicode=True, width=1 << 30
    )
    return written.encode()
