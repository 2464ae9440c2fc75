"""The names of operations in faults.

An operation has several forms: of an account, of a named service, and the one that client SDKs
call. A fault that names the first acts on all of them; a fault that names another acts on it alone.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from parlour.operations.operation import UrlForm
from parlour.resources.client_table import client_operations
from parlour.resources.table import operations

if TYPE_CHECKING:
    from parlour.operations.operation import Operation

OWN_PATHS: Final = "/parlour/"
"""Faults act on no path below it: the functions that steer a test stay reliable."""
_SERVICE: Final = "/v1/Services/{ChatServiceSid}"


@cache
def names_of(operation: Operation) -> frozenset[str]:
    """Return the names by which a fault may name an operation."""
    served = _by_place().get((operation.method, operation.path))
    names = {operation.operation_id}
    if served is not None:
        names.add(served.operation_id)
    short = _by_place().get((operation.method, operation.path.replace(_SERVICE, "/v1", 1)))
    if short is not None and operation.path != short.path and _is_twin(operation, short):
        names.add(short.operation_id)
    return frozenset(names)


def _is_twin(operation: Operation, short: Operation) -> bool:
    """Whether both are forms of one collection, and not different ones with similar paths."""
    return operation.url_form is UrlForm.SERVICE and short.url_form is UrlForm.SHORT


@cache
def _by_place() -> dict[tuple[str, str], Operation]:
    return {(each.method, each.path): each for each in operations()}


@cache
def known_names() -> frozenset[str]:
    """Return every name that a fault may use."""
    served = [each for each in operations() if not each.path.startswith(OWN_PATHS)]
    own = client_operations().values()
    return frozenset(name for each in (*served, *own) for name in names_of(each))


def matches_any(operation: Operation, patterns: tuple[str, ...]) -> bool:
    """Return whether a fault with these patterns acts on an operation."""
    names = names_of(operation)
    return any(_matches(name, pattern) for pattern in patterns for name in names)


def _matches(name: str, pattern: str) -> bool:
    if pattern.endswith("*"):
        return name.startswith(pattern[:-1])
    return name == pattern


def is_known(pattern: str) -> bool:
    """Return whether a pattern matches any operation."""
    return any(_matches(name, pattern) for name in known_names())
