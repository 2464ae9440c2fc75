"""Comparison of a response with the documentation: status, headers, shape, URLs, errors."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from parlour.vocabulary.errors import CATALOGUE
from tests.conformance.response_schemas import ERROR, LISTINGS, PAGE_META, SHAPES, noun_of
from tests.conformance.shape_checker import RequestContext
from tests.contract.operations import BY_ID

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.client import ApiResponse

REQUEST_ID = re.compile(r"RQ[0-9a-f]{32}")
_IN_SERVICE = re.compile(r"/v1/Services/([^/?]+)/[^?]")
OTHER_STATUSES = {408, 414, 415, 422, 431}
"""Statuses that the server uses with a code whose usual status is another."""


def faults(operation_id: str | None, base_url: str, target: str, answer: ApiResponse) -> list[str]:
    """Return all violations in a response; `target` is the requested path (and query).

    Without an operation only an error is valid.
    """
    found = list(_of_headers(answer))
    if answer.status >= 400:
        return [*found, *_of_refusal(answer)]
    if operation_id is None:
        return [*found, f"{answer.status} where there is no operation"]
    return [*found, *_of_success(operation_id, base_url, target, answer)]


def _of_headers(answer: ApiResponse) -> Iterator[str]:
    if not REQUEST_ID.fullmatch(answer.headers.get("Twilio-Request-Id", "")):
        yield "there is no Twilio-Request-Id"
    if answer.headers.get("Access-Control-Allow-Origin") != "*":
        yield "the CORS headers are missing"
    kind = answer.headers.get("Content-Type")
    if answer.body and kind != "application/json":
        yield f"the content type is {kind}"


def _of_refusal(answer: ApiResponse) -> Iterator[str]:
    body = _json_of(answer)
    found = list(ERROR.faults(body, RequestContext(""), body, "error"))
    yield from found
    if found:
        return
    entry = CATALOGUE.get(body["code"])
    if body["status"] != answer.status:
        yield f"the status is {answer.status}, the body says {body['status']}"
    if entry is None:
        yield f"the code {body['code']} is not in the catalogue"
    elif answer.status not in OTHER_STATUSES | {entry.status}:
        yield f"the code {entry.code} has the status {entry.status}, not {answer.status}"
    if body["more_info"] != f"https://www.twilio.com/docs/errors/{body['code']}":
        yield f"more_info is {body['more_info']}"
    if not body["message"] or "\n" in body["message"]:
        yield f"the message is not one line: {body['message']!r}"


def _of_success(
    operation_id: str, base_url: str, target: str, answer: ApiResponse
) -> Iterator[str]:
    if answer.status not in BY_ID[operation_id].statuses:
        yield f"{answer.status} is no status of {operation_id}"
        return
    if answer.status == 204:
        if answer.body:
            yield f"a body where there is none: {answer.body!r}"
        return
    body = _json_of(answer)
    place = place_of(base_url, target)
    if operation_id.startswith("List"):
        yield from _of_page(operation_id, body, place)
    else:
        yield from of_object(noun_of(operation_id), body, place)


def place_of(base_url: str, target: str) -> RequestContext:
    """Return the place of a request."""
    path = target.partition("?")[0]
    in_service = _IN_SERVICE.match(path)
    service_sid = in_service[1][:2] + in_service[1][2:].lower() if in_service else None
    return RequestContext(base_url, service_sid, f"{base_url}{path}")


def of_object(noun: str, body: Any, place: RequestContext) -> list[str]:
    """Return the violations in one object: it must have one of the shapes of its noun."""
    tried = [list(shape.faults(body, place, body, noun)) for shape in SHAPES[noun]]
    return min(tried, key=len)


def _of_page(operation_id: str, body: Any, place: RequestContext) -> Iterator[str]:
    noun = noun_of(operation_id)
    listing = LISTINGS[noun]
    if not isinstance(body, dict) or list(body) != ["meta", listing.key]:
        yield f"a page has other keys: {list(body) if isinstance(body, dict) else body}"
        return
    meta, rows = body["meta"], body[listing.key]
    found = list(PAGE_META.faults(meta, place, meta, "meta"))
    yield from found
    if found:
        return
    if meta["key"] != listing.key:
        yield f"meta.key is {meta['key']}"
    if not 1 <= meta["page_size"] <= listing.maximum:
        yield f"meta.page_size is {meta['page_size']}"
    if len(rows) > meta["page_size"]:
        yield f"a page of {meta['page_size']} has {len(rows)} rows"
    for row in rows:
        yield from of_object(noun, row, place)


def _json_of(answer: ApiResponse) -> Any:
    try:
        return json.loads(answer.body)
    except ValueError:
        return f"no JSON: {answer.body[:200]!r}"
