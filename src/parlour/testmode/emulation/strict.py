"""Strict requests: unknown parameters, and bodies that an operation does not take, are refused."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from parlour.http.edge import PAGING, form_of, is_multipart
from parlour.http.multipart import parse_multipart
from parlour.operations.operation import AuthScheme
from parlour.operations.parameters import wire_names
from parlour.protocol.forms import parse_query
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from parlour.http.messages import Request
    from parlour.operations.operation import Operation

# An upload takes its parameters from the query, since its body is the file.
_WITH_QUERY: Final = frozenset({"CreateMedia"})


async def check_request(request: Request, operation: Operation) -> None:
    """Raise 20001 for the first parameter that an operation does not have, or for a body."""
    if operation.authentication is AuthScheme.SIGNED_URL:
        return  # Its query is the signature.
    if operation.spec.checks_names:
        return
    known = _known_names(operation)
    if request.method != "POST":
        # Without a body, ``has_body`` is set at once.
        if not request.has_body:
            raise ApiError(20001, f"{operation.operation_id} takes no body.")
        takes_query = operation.method == "GET"
        _check_query(request, operation, known if takes_query else ())
        return
    if operation.operation_id in _WITH_QUERY:
        _check_query(request, operation, known)
        return
    _check_query(request, operation, ())
    if operation.authentication is not AuthScheme.ACCOUNT_LOGIN:
        return  # Its body is a stream, or JSON that its endpoint parses.
    form = await parse_multipart(request) if is_multipart(request) else form_of(operation, request)
    check_names(operation, form)


def check_names(operation: Operation, form: Iterable[str]) -> None:
    """Raise 20001 for the first name of a form that an operation does not have."""
    if operation.spec.checks_names:
        return
    known = _known_names(operation)
    for name in form:
        if name not in known:
            raise _unknown("parameter", name, operation, known)


def _known_names(operation: Operation) -> tuple[str, ...]:
    names = [name for name, _, _ in wire_names(operation.spec.parameters)]
    return (*names, *sorted(PAGING)) if operation.spec.list_key else tuple(names)


def _check_query(request: Request, operation: Operation, known: Iterable[str]) -> None:
    if not request.query:
        return
    for name in parse_query(request.query):
        if name not in known:
            of_body = _known_names(operation) if request.method == "POST" else known
            raise _unknown("query parameter", name, operation, of_body)


def _unknown(kind: str, name: str, operation: Operation, known: Iterable[str]) -> ApiError:
    text = f"Unknown {kind} {name} in {operation.operation_id}"
    by_lower = {each.lower(): each for each in known}
    if name in by_lower.values():
        return ApiError(20001, f"{text}: it belongs in the body.")
    near = get_close_matches(name.lower(), by_lower, 1)
    return ApiError(20001, f"{text}; did you mean {by_lower[near[0]]}?" if near else f"{text}.")
