"""Shapes of responses: parsed from a table, compared with responses, written as JSON Schema.

Types are: two capital letters (a sid), `text`, `texts`, `json`, `date`, `duration`, `integer`,
`boolean`, `sid` (of any kind), `object`, `objects` (a list of them), words between bars (one of
them), and URLs: `/…` below `/v1`, `*/…` below the form of the request, `list_url` of a list.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

DATE = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"
DURATION = r"^P(?=.)(\d+W)?(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+S)?)?$"
ANY_SID = r"^[A-Z]{2}[0-9a-f]{32}$"
_PATTERNS = {"date": DATE, "duration": DURATION, "sid": ANY_SID}
_TEXTS = {"type": "array", "items": {"type": "string"}}
_SIMPLE: dict[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "texts": _TEXTS,
    "json": {"type": "string"},
    "integer": {"type": "integer"},
    "boolean": {"type": "boolean"},
}


@dataclass(frozen=True)
class RequestContext:
    """The place of a request: the server, the service of a path in service form, the list."""

    base_url: str
    service_sid: str | None = None
    list_path: str = ""

    @property
    def root(self) -> str:
        """Return the prefix of every URL."""
        return f"{self.base_url}/v1"

    @property
    def form(self) -> str:
        """Return the prefix of the URLs of a resource with two forms."""
        return f"{self.root}/Services/{self.service_sid}" if self.service_sid else self.root


@dataclass
class ObjectShape:
    """An object (or each of a list of objects), with the shapes of its members in order."""

    type: str = "object"
    nullable: bool = False
    may_miss: bool = False
    service_form_only: bool = False
    members: dict[str, ObjectShape] = field(default_factory=dict)

    def faults(
        self, value: Any, place: RequestContext, body: Any, where: str = ""
    ) -> Iterator[str]:
        """Yield the violations in a value; `body` is the whole object around it."""
        if value is None:
            if not self.nullable:
                yield f"{where} is null"
        elif self.type == "objects":
            if not isinstance(value, list):
                yield f"{where} is no list: {value!r}"
                return
            for number, each in enumerate(value):
                yield from self._members(each, place, body, f"{where}[{number}]")
        elif self.type == "object":
            yield from self._members(value, place, body, where)
        else:
            yield from _scalar(self.type, value, place, body, where)

    def _members(self, value: Any, place: RequestContext, body: Any, where: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{where} is no object: {value!r}"
            return
        known = {
            key: member
            for key, member in self.members.items()
            if place.service_sid or not member.service_form_only
        }
        yield from (f"{where}.{key} is unknown" for key in value if key not in known)
        for key, member in known.items():
            if key in value:
                yield from member.faults(value[key], place, body, f"{where}.{key}")
            elif not member.may_miss:
                yield f"{where}.{key} is missing"
        order = [key for key in known if key in value]
        if order != [key for key in value if key in known]:
            yield f"{where} has its keys in another order: {list(value)}"

    def schema(self, *, service_form: bool) -> dict[str, Any]:
        """Return the shape as JSON Schema, which does not check the order."""
        if self.type not in {"object", "objects"}:
            return _nullable(_scalar_schema(self.type), self.nullable)
        known = {
            key: member
            for key, member in self.members.items()
            if service_form or not member.service_form_only
        }
        schema = {
            "type": "object",
            "properties": {
                key: member.schema(service_form=service_form) for key, member in known.items()
            },
            "required": [key for key, member in known.items() if not member.may_miss],
            "additionalProperties": False,
        }
        if self.type == "objects":
            schema = {"type": "array", "items": schema}
        return _nullable(schema, self.nullable)


def shape(table: str) -> ObjectShape:
    """Parse a table in the format of `response_schemas.py`."""
    whole = ObjectShape()
    for line in table.split("\n"):
        if not line.strip():
            continue
        path, kind = line.split()
        owner = whole
        *above, key = path.lstrip("+").replace("[]", "").split(".")
        for name in above:
            owner = owner.members[name]
        member = ObjectShape(
            type=kind.removesuffix("?"),
            nullable=kind.endswith("?"),
            may_miss=key.endswith("?"),
            service_form_only=path.startswith("+"),
        )
        owner.members[key.removesuffix("?")] = member
    return whole


def _scalar(kind: str, value: Any, place: RequestContext, body: Any, where: str) -> Iterator[str]:
    if "/" in kind or kind == "list_url":
        yield from _url(kind, value, place, body, where)
        return
    schema = _scalar_schema(kind)
    if "enum" in schema:
        if value not in schema["enum"]:
            yield f"{where} is {value!r}, none of {schema['enum']}"
        return
    if not _is_of(schema["type"], value):
        yield f"{where} is no {kind}: {value!r}"
        return
    if "pattern" in schema and not re.fullmatch(schema["pattern"], value):
        yield f"{where} is no {kind}: {value!r}"
    if kind == "texts" and not all(isinstance(each, str) for each in value):
        yield f"{where} has something other than texts: {value!r}"
    if kind == "json":
        yield from _json(value, where)


def _url(kind: str, value: Any, place: RequestContext, body: Any, where: str) -> Iterator[str]:
    if kind == "list_url":
        if not isinstance(value, str) or not value.startswith(f"{place.list_path}?"):
            yield f"{where} is {value!r}, not below {place.list_path}"
        return
    start = place.form if kind.startswith("*") else place.root
    try:
        right = start + kind.removeprefix("*").format_map(body)
    except KeyError as missing:
        right = f"(the answer has no {missing})"
    if value != right:
        yield f"{where} is {value!r}, not {right}"


def _json(value: str, where: str) -> Iterator[str]:
    try:
        json.loads(value, parse_int=str)
    except RecursionError:
        return  # Below the depth limit; the server has validated stored data.
    except ValueError as error:
        yield f"{where} is no JSON: {error}"


def _is_of(kind: str, value: Any) -> bool:
    if kind == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, {"string": str, "boolean": bool, "array": list}[kind])


def _scalar_schema(kind: str) -> dict[str, Any]:
    if kind in _SIMPLE:
        return _SIMPLE[kind]
    if "/" in kind or kind == "list_url":
        return {"type": "string", "pattern": "^https?://"}
    if kind in _PATTERNS:
        return {"type": "string", "pattern": _PATTERNS[kind]}
    if re.fullmatch("[A-Z]{2}", kind):
        return {"type": "string", "pattern": f"^{kind}[0-9a-f]{{32}}$"}
    return {"enum": kind.split("|")}


def _nullable(schema: dict[str, Any], nullable: bool) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]} if nullable else schema
