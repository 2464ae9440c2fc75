"""Error codes of the Cloud API, as the API's own codes, and which of them are transient.

The same code means `undelivered` in a webhook, and `failed` in the response to a submission.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from parlour.channels.carrier import CarrierUnavailable, Rejected
from parlour.channels.http_link import MISCONFIGURED, reject_for_now, shorten

if TYPE_CHECKING:
    from parlour.egress.client import OutboundResponse

UNSUPPORTED: Final = 63005
UNAUTHORIZED: Final = 63001
INTERNAL: Final = 63012
RATE_LIMITED: Final = 63018

_CODES: Final = {
    # Access token, permissions.
    **dict.fromkeys((190, 0, 10), UNAUTHORIZED),
    # The service itself.
    **dict.fromkeys((1, 2, 131000, 131016), INTERNAL),
    # Rates: of the app, the account, the number, and the pair of number and user.
    **dict.fromkeys((4, 80007, 130429, 131056), RATE_LIMITED),
    131048: 63026,
    # The user.
    131047: 63016,
    **dict.fromkeys((131021, 131026), 63024),
    **dict.fromkeys((130472, 131049), 63032),
    131050: 63033,
    # The content.
    131051: UNSUPPORTED,
    **dict.fromkeys((131052, 131053), 63019),
    132000: 63028,
    132001: 63027,
    **dict.fromkeys((132005, 132007, 132012), 63021),
    # Policy.
    **dict.fromkeys((368, 131031, 132015, 132016), 63013),
}
_TRANSIENT: Final = frozenset({UNAUTHORIZED, INTERNAL, RATE_LIMITED})


def map_code(graph_code: object) -> int:
    """Return the API's code for a code of the Cloud API; any other is about the content."""
    return _CODES.get(graph_code, UNSUPPORTED) if isinstance(graph_code, int) else UNSUPPORTED


def describe(error: dict[str, Any]) -> str:
    """Return the Cloud API's code and reason for the log, in one line of bounded length."""
    data = error.get("error_data")
    details = data.get("details") if isinstance(data, dict) else None
    text = next(
        (each for each in (details, error.get("message"), error.get("title")) if each), "no reason"
    )
    return shorten(f"{error.get('code', 'no code')}: {text}")


def read_rejection(response: OutboundResponse, decoded: object, now_ms: int) -> Rejected:
    """Return the meaning of a response that accepted nothing.

    Raises CarrierUnavailable for a server error without a code: its outcome is unknown. A rejected
    access token is transient: messages wait until the operator replaces it.
    """
    error = decoded.get("error") if isinstance(decoded, dict) else None
    retry_after = response.header("retry-after")
    if isinstance(error, dict) and isinstance(error.get("code"), int):
        code, detail = map_code(error["code"]), describe(error)
        if code in _TRANSIENT:
            return reject_for_now(code, detail, retry_after, now_ms)
        return Rejected(code, detail)
    detail = f"status {response.status} without a code"
    if response.status == 429:
        return reject_for_now(RATE_LIMITED, detail, retry_after, now_ms)
    if response.status in MISCONFIGURED:
        return reject_for_now(UNAUTHORIZED, detail, retry_after, now_ms)
    if response.status >= 500 or response.status < 300:
        raise CarrierUnavailable(detail)
    return Rejected(UNSUPPORTED, detail)
