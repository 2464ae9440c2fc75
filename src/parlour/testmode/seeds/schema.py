"""The JSON Schema of seeds, made from the declarations: for editors, and for other checkers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from parlour.testmode.seeds.conversation_declaration import ALL_RECIPIENTS, STATUSES
from parlour.testmode.seeds.declaration import FORMAT, ROOT
from parlour.testmode.seeds.keys import ValueKind, value_schema

if TYPE_CHECKING:
    from parlour.testmode.seeds.keys import Section, SeedKey

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def seed_schema() -> dict[str, Any]:
    """Return the schema: a seed that the loader accepts is valid, a misspelt key is not."""
    whole = _section_schema(ROOT)
    whole["properties"]["parlour"] = {"const": FORMAT}
    return {"$schema": DIALECT, "title": "Parlour seed"} | whole


def _section_schema(section: Section) -> dict[str, Any]:
    required = [key.name for key in section.keys if key.is_required]
    return {
        "type": "object",
        "properties": {key.name: _key_schema(key, section) for key in section.keys},
        "additionalProperties": False,
    } | ({"required": required} if required else {})


def _key_schema(key: SeedKey, section: Section) -> dict[str, Any]:
    """Return the schema of a value; null counts as absent, as in the API."""
    if key.section is None:
        schema = value_schema(key, section)
        is_any = "type" not in schema and "enum" not in schema
        return schema if is_any else _nullable(schema)
    inner = _section_schema(key.section)
    about = {"description": key.about}
    if key.kind is ValueKind.OBJECT:
        return _nullable(inner | about)
    entries = {"type": "array", "items": inner}
    if key.kind is not ValueKind.RECEIPTS:
        return _nullable(entries | about)
    recipients = {"anyOf": [{"const": ALL_RECIPIENTS}, _TEXTS]}
    short = {
        "type": "object",
        "properties": dict.fromkeys(STATUSES, recipients),
        "additionalProperties": False,
    }
    return {"anyOf": [entries, short, {"type": "null"}]} | about


_TEXTS: Final = {"type": "array", "items": {"type": "string"}}


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    if "enum" in schema:
        return schema | {"type": [schema["type"], "null"], "enum": [*schema["enum"], None]}
    return schema | {"type": [schema["type"], "null"]}
