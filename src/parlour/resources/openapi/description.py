"""OpenAPI 3.1 descriptions of operations.

Generated from the declarations that the server uses: paths, operations, parameters. The members of
a response are defined by code in each resource's representation, so a response is described as an
object, a page, or an error only.
"""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any, Final

from parlour import __version__
from parlour.operations.operation import BodyKind
from parlour.operations.parameters import form_schema
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Iterable

    from parlour.operations.operation import Operation, OperationSpec
    from parlour.protocol.parsers import Schema

_FORM_TYPES: Final = ("application/x-www-form-urlencoded", "multipart/form-data")
_DOCUMENT_TYPES: Final = ("application/json", "application/yaml")
_VARIABLE: Final = re.compile(r"\{(\w+)\}")
_SERVICE_SID: Final = {"type": "string", "pattern": "^IS[0-9a-fA-F]{32}$"}

_ERROR: Final = {
    "type": "object",
    "required": ["code", "message", "more_info", "status"],
    "properties": {
        "code": {"type": "integer"},
        "message": {"type": "string"},
        "more_info": {"type": "string", "format": "uri"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
    },
    "additionalProperties": False,
}
_META: Final = {
    "type": "object",
    "required": [
        "page",
        "page_size",
        "first_page_url",
        "previous_page_url",
        "url",
        "next_page_url",
        "key",
    ],
    "properties": {
        "page": {"type": "integer", "minimum": 0},
        "page_size": {"type": "integer", "minimum": 1},
        "first_page_url": {"type": "string", "format": "uri"},
        "previous_page_url": {"type": ["string", "null"], "format": "uri"},
        "url": {"type": "string", "format": "uri"},
        "next_page_url": {"type": ["string", "null"], "format": "uri"},
        "key": {"type": "string"},
    },
    "additionalProperties": False,
}


def describe(described: Iterable[Operation]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 description of some operations as a JSON object."""
    paths: dict[str, dict[str, Any]] = {}
    for each in described:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Parlour", "version": __version__},
        "paths": paths,
        "components": {
            "schemas": {"Error": _ERROR, "Meta": _META},
            "securitySchemes": {"basic": {"type": "http", "scheme": "basic"}},
        },
        "security": [{"basic": []}],
    }


def _operation(operation: Operation) -> dict[str, Any]:
    spec = operation.spec
    described: dict[str, Any] = {
        "operationId": operation.operation_id,
        "summary": (inspect.getdoc(spec.on_server or spec.action) or "").partition("\n")[0],
        "parameters": [*_path(operation), *_query(spec), *_headers(spec)],
        "responses": _responses(spec),
    }
    if operation.method == "POST":
        described["requestBody"] = _body(spec)
    return described


def _parameter(place: str, name: str, schema: Schema, *, required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": place, "required": required, "schema": schema}


def _path(operation: Operation) -> list[dict[str, Any]]:
    return [
        _parameter(
            "path",
            name,
            _SERVICE_SID if name == "ChatServiceSid" else {"type": "string", "minLength": 1},
            required=True,
        )
        for name in _VARIABLE.findall(operation.path)
    ]


def _query(spec: OperationSpec) -> list[dict[str, Any]]:
    """Return the parameters of a query, and of the pages of a list."""
    if spec.method != "GET":
        return []
    schema = form_schema(spec.parameters)
    required = schema.get("required", ())
    filters = [
        _parameter("query", name, kind, required=name in required)
        for name, kind in schema["properties"].items()
    ]
    if not spec.list_key:
        return filters
    size = {"type": "integer", "minimum": 1, "default": spec.page_size_default}
    page = {"type": "integer", "minimum": 0, "maximum": limits.PAGE_MAX, "default": 0}
    token = {"type": "string", "maxLength": limits.PAGE_TOKEN_CHARS_MAX}
    return [
        *filters,
        _parameter("query", "PageSize", size),
        _parameter("query", "Page", page),
        _parameter("query", "PageToken", token),
    ]


def _headers(spec: OperationSpec) -> list[dict[str, Any]]:
    found = []
    if spec.takes_webhook_header:
        found.append(_parameter("header", "X-Twilio-Webhook-Enabled", {"enum": ["true", "false"]}))
    if spec.method == "POST" and spec.on_server is None:
        key = {
            "type": "string",
            "minLength": 1,
            "maxLength": limits.IDEMPOTENCY_KEY_CHARS_MAX,
        }
        found.append(_parameter("header", "Idempotency-Key", key))
    return found


def _body(spec: OperationSpec) -> dict[str, Any]:
    if spec.request_body is BodyKind.DOCUMENT:
        kinds = {each: {"schema": {"type": "object"}} for each in _DOCUMENT_TYPES}
        return {"required": True, "content": kinds}
    schema = form_schema(spec.parameters)
    return {
        "required": "required" in schema,
        "content": {kind: {"schema": schema} for kind in _FORM_TYPES},
    }


def _responses(spec: OperationSpec) -> dict[str, Any]:
    failure = _answer("Refused, and nothing was changed.", {"$ref": "#/components/schemas/Error"})
    found: dict[str, Any] = {}
    for status in spec.statuses:
        found[str(status)] = (
            {"description": "Gone."} if status == 204 else _answer("Done.", _result(spec))
        )
    return found | {"4XX": failure, "5XX": failure}


def _answer(description: str, schema: Schema) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _result(spec: OperationSpec) -> Schema:
    if not spec.list_key:
        return {"type": "object"}
    found: Schema = {
        "type": "object",
        "required": ["meta", spec.list_key],
        "properties": {
            "meta": {"$ref": "#/components/schemas/Meta"},
            spec.list_key: {"type": "array", "items": {"type": "object"}},
        },
    }
    # Waiting lists have further members.
    return found | {"additionalProperties": bool(spec.wakes_on)}
