"""Error responses of faults of requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parlour.vocabulary.errors import CATALOGUE, RETRY_AFTER, ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from parlour.testmode.faults.fault import Fault

HEADER: Final = "Parlour-Fault"
_SERVER_ERROR: Final = 500
_OVERLOADED: Final = frozenset({429, 503})
_GENERIC: Final[Mapping[bool, int]] = {True: 20500, False: 20001}
_CODES: Final = {400: 20001, 401: 20003, 405: 20004}


class _Placeholders(dict[str, object]):
    """The values of a template: of a name without a value, the name."""

    def __missing__(self, name: str) -> str:
        return name


def has_error(fault: Fault) -> bool:
    """Return whether a fault replaces the response by an error."""
    return fault.rule.status is not None or fault.rule.code is not None


def error_of(fault: Fault, resource: str) -> ApiError:
    """Return the error that a fault returns to a request of a resource."""
    rule = fault.rule
    headers = {HEADER: fault.label}
    code, message = rule.code, f"The fault {fault.label} answered."
    if code is None:
        assert rule.status is not None
        code = _code_of(rule.status)
    if rule.code is not None or CATALOGUE[code].status == rule.status != 400:
        message = CATALOGUE[code].message.format_map(_Placeholders(path=resource))
    error = ApiError(code, message, status=rule.status, headers=headers)
    if rule.retry_after is not None:
        headers["Retry-After"] = str(rule.retry_after)
    elif error.status in _OVERLOADED:
        headers |= RETRY_AFTER
    return error


def _code_of(status: int) -> int:
    """Return the code of the catalogue for a status alone."""
    code = _CODES.get(status, 20000 + status)
    if code in CATALOGUE and CATALOGUE[code].status == status:
        return code
    return _GENERIC[status >= _SERVER_ERROR]
