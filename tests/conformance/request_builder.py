"""Requests for each operation, valid or invalid in one of several ways, made from its schema."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_from_bytes

from hypothesis import strategies as st

from parlour.cli.openapi import description
from parlour.vocabulary import limits
from tests.conformance.parameter_dependencies import Dependency, dependencies_of
from tests.conformance.parameter_values import (
    CORPUS,
    Draw,
    Value,
    chance,
    dice,
    good_by_name,
    good_there,
    hostile,
    pick,
)
from tests.conformance.sample_resources import ACCOUNT, NEVER_MADE
from tests.support.client import FORM_TYPE

if TYPE_CHECKING:
    from tests.conformance.sample_resources import SampleResources
    from tests.contract.operations import DescribedOperation

WELL_FORMED = "well formed"
ONE_WRONG = "one thing wrong"
ALL_HOSTILE = "every value hostile"
MISPLACED = "paths, paging and envelopes hostile"
WAYS = (WELL_FORMED, ONE_WRONG, ALL_HOSTILE, MISPLACED)

_VARIABLE = re.compile(r"/([A-Za-z]+)/\{(\w+)\}")
_OF_THE_ACCOUNT = frozenset({"Services", "Credentials", "Addresses"})


@dataclass(frozen=True)
class BuiltRequest:
    """One request, as it is sent."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes | None


@dataclass(frozen=True)
class ApiParameter:
    """A parameter of the OpenAPI description."""

    name: str
    values: st.SearchStrategy[str]
    required: bool
    repeated: bool = False


@cache
def parameters_of(operation_id: str) -> tuple[ApiParameter, ...]:
    """Return the parameters of an operation: of its form, or of its query."""
    for path in description()["paths"].values():
        for each in path.values():
            if each["operationId"] == operation_id:
                return (*_of_query(each), *_of_form(each))
    raise KeyError(operation_id)


def _of_query(described: dict[str, Any]) -> list[ApiParameter]:
    return [
        _api_parameter(each["name"], each["schema"], required=each["required"])
        for each in described["parameters"]
        if each["in"] == "query"
    ]


def _of_form(described: dict[str, Any]) -> list[ApiParameter]:
    if "requestBody" not in described:
        return []
    schema = described["requestBody"]["content"][FORM_TYPE]["schema"]
    return [
        _api_parameter(name, each, required=name in schema.get("required", ()))
        for name, each in schema["properties"].items()
    ]


def _api_parameter(name: str, schema: dict[str, Any], *, required: bool) -> ApiParameter:
    items = schema.get("items")
    return ApiParameter(name, good_by_name(name, items or schema), required, items is not None)


@st.composite
def requests(
    draw: Draw, operation: DescribedOperation, way: str, sample: SampleResources
) -> BuiltRequest:
    """Draw one request for an operation."""
    pairs = _pairs(draw, operation.operation_id, way, sample)
    path = _path(draw, operation, way, sample)
    headers: dict[str, str] = {}
    body = None
    target = path
    if operation.method == "POST":
        headers["Content-Type"] = FORM_TYPE
        body = _encoded(draw, pairs, way)
        if way == MISPLACED:
            _spoil_envelope(draw, headers)
    elif pairs:
        target += "?" + _encoded(draw, pairs, way).decode()[: limits.URL_QUERY_BYTES_MAX + 99]
    if chance(draw, 30):
        value = draw(st.sampled_from(["true", "TRUE", "false", "1", "", "maybe"]))
        headers["X-Twilio-Webhook-Enabled"] = value
    follows_link = chance(draw, 15)
    # The draws must not depend on the existing objects: draw everything, then use a part.
    page = pick(draw, sample.pages[operation.operation_id] or [target])
    if follows_link and way in {WELL_FORMED, MISPLACED}:
        target = page
    return BuiltRequest(operation.method, target, headers, body)


def _pairs(
    draw: Draw, operation_id: str, way: str, sample: SampleResources
) -> list[tuple[str, Value]]:
    known = parameters_of(operation_id)
    pairs: list[tuple[str, Value]] = []
    for each in known:
        often = {"PageToken": 3}.get(each.name, 35)
        if each.required or chance(draw, often):
            pairs += _pairs_of(draw, each, way, sample)
    if way == WELL_FORMED and known and not pairs:
        # A change has at least one parameter.
        pairs = _pairs_of(draw, known[dice(draw) % len(known)], way, sample)
    senses = dependencies_of(operation_id)
    if way == WELL_FORMED and senses:
        pairs = _sensible(draw, known, pairs, draw(st.sampled_from(senses)), sample)
    if way == ONE_WRONG and known:
        pairs = _spoil_one(draw, known, pairs)
    if chance(draw, 5):
        pairs.append((draw(st.sampled_from(["Unknown", "sid", "friendlyname", "Page "])), "x"))
    return pairs


def _sensible(
    draw: Draw,
    known: tuple[ApiParameter, ...],
    pairs: list[tuple[str, Value]],
    sense: Dependency,
    sample: SampleResources,
) -> list[tuple[str, Value]]:
    """Return the pairs, with the required ones added and the excluded ones removed."""
    result = [pair for pair in pairs if pair[0] not in sense.absent | sense.present.keys()]
    for each in known:
        if each.name in sense.present:
            value = sense.present[each.name]
            result += [(each.name, value)] if value else _pairs_of(draw, each, WELL_FORMED, sample)
    return result


def _pairs_of(
    draw: Draw, each: ApiParameter, way: str, sample: SampleResources
) -> list[tuple[str, Value]]:
    times = draw(st.integers(1, 3)) if each.repeated else 1
    paging = each.name in {"Page", "PageSize", "PageToken"}
    if way == ALL_HOSTILE or (way == MISPLACED and paging):
        return [(each.name, draw(hostile)) for _ in range(times)]
    return [
        (each.name, good_there(draw, each.name, sample) or draw(each.values)) for _ in range(times)
    ]


def _spoil_one(
    draw: Draw, known: tuple[ApiParameter, ...], pairs: list[tuple[str, Value]]
) -> list[tuple[str, Value]]:
    """Make one value hostile, change the case of a name, drop a required one, or double one."""
    parameter = known[dice(draw) % len(known)]
    rest = [pair for pair in pairs if pair[0] != parameter.name]
    choice = dice(draw) % 10
    if choice == 0:
        return rest
    if choice == 1:
        return [*rest, (parameter.name.lower(), draw(hostile))]
    if choice == 2:
        return [*pairs, (parameter.name, draw(hostile))]
    return [*rest, (parameter.name, draw(hostile))]


def _encoded(draw: Draw, pairs: list[tuple[str, Value]], way: str) -> bytes:
    text = "&".join(f"{quote(name)}={_quoted(value)}" for name, value in pairs)
    if way in {ALL_HOSTILE, MISPLACED} and chance(draw, 10):
        text += draw(st.sampled_from(["&", "&&&=&", "&%", "&%zz=1", "&a=%ff", "&=x", "&a=%00"]))
    return text.encode()


def _quoted(value: Value) -> str:
    return quote(value, "") if isinstance(value, str) else quote_from_bytes(value, "")


def _spoil_envelope(draw: Draw, headers: dict[str, str]) -> None:
    """Draw other content types, idempotency keys, or an invalid Host."""
    choice = dice(draw) % 100
    if choice < 15:
        kinds = [
            "application/json",
            "text/plain",
            "multipart/form-data",
            "",
            "x",
            f"{FORM_TYPE}; a",
        ]
        headers["Content-Type"] = draw(st.sampled_from(kinds))
    elif choice < 30:
        keys = ["k", "", "a" * 256, "a" * 257, "same", "same", "same"]
        headers["Idempotency-Key"] = draw(st.sampled_from(keys))
    elif choice < 35:
        headers["Host"] = draw(st.sampled_from(["", "a b", "x/y", "[::1", "exa%mple.com", "x:y"]))


def _path(draw: Draw, operation: DescribedOperation, way: str, sample: SampleResources) -> str:
    """Return the path; each variable gets an object of the right kind, or not."""
    wrong = {WELL_FORMED: 2, ONE_WRONG: 4, ALL_HOSTILE: 5, MISPLACED: 40}[way]
    owner = ACCOUNT if "{ChatServiceSid}" in operation.path else sample.default_sid
    path = operation.path
    places = _VARIABLE.findall(operation.path)
    kinds = [kind for kind, _ in places]
    for number, (kind, variable) in enumerate(places):
        if kind in _OF_THE_ACCOUNT:
            owner = ACCOUNT
        if chance(draw, wrong):
            text = _misplaced(draw, owner, kind, sample)
        else:
            there = sample.leading(owner, kinds[number:])
            name = pick(draw, there, 2 if kind == "Services" else 12)
            owner = sample.owner_of(owner, name)
            text = quote(name, "+@:!$'()*,;=~" if draw(st.booleans()) else "")
        path = path.replace("{" + variable + "}", text, 1)
    return path


def _misplaced(draw: Draw, owner: str, kind: str, sample: SampleResources) -> str:
    """Draw another account's object, another kind, an unknown one, upper case, or no text."""
    choice = dice(draw) % 7
    if choice == 0:
        return sample.foreign.get(kind, "XX" + NEVER_MADE)
    if choice == 1:
        other = draw(st.sampled_from(["Users", "Roles", "Conversations"]))
        return quote(pick(draw, sample.there(sample.service_sid, other)), "")
    if choice == 2:
        prefixes = ["CH", "MB", "IM", "US", "RL", "IS", "WH", "DY", "CR", "IG", "BS"]
        return draw(st.sampled_from(prefixes)) + NEVER_MADE
    if choice == 3:
        value = pick(draw, sample.there(owner, kind))
        return quote(value[:2] + value[2:].upper(), "")
    if choice == 4:
        return draw(
            st.sampled_from(["%", "%zz", "%ff", "%00", "%C0%AF", "%25", "%2F", "%u0041", "+"])
        )
    value = draw(st.sampled_from(CORPUS)) if choice == 5 else draw(hostile)
    return _quoted(value)[:4_000]
