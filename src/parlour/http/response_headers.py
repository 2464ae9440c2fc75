"""Header lines in wire format: of every response, and of prepared refusals."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from parlour.http.authentication import CHALLENGE, wrong_login
from parlour.http.messages import JSON, encode
from parlour.vocabulary.errors import RETRY_AFTER, RETRY_AFTER_LINE, ApiError

if TYPE_CHECKING:
    from parlour.http.messages import Headers

_SHARED_HEADERS: Final = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"GET, POST, DELETE, OPTIONS"),
    (
        b"access-control-allow-headers",
        (
            b"Accept, Authorization, Content-Type, If-Match, If-Modified-Since, If-None-Match, "
            b"If-Unmodified-Since, Idempotency-Key, X-Twilio-Webhook-Enabled"
        ),
    ),
    (b"access-control-allow-credentials", b"true"),
    (b"access-control-expose-headers", b"ETag"),
)
HEADERLESS_LENGTH: Final = frozenset({204, 304})
_INVALID_VALUE: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


def lines_of(headers: Headers) -> bytes:
    """Return headers in wire format."""
    assert not any(_INVALID_VALUE.search(value) for _, value in headers), headers
    return b"".join(b"%s: %s\r\n" % each for each in headers)


SHARED_LINES: Final = lines_of(_SHARED_HEADERS)
PLAIN_LINES: Final = lines_of((JSON, *_SHARED_HEADERS))


def overload_error(status: int) -> ApiError:
    """Return the error of a request for which there is no room: 429 or 503."""
    return ApiError({429: 20429, 503: 20503}[status], headers=RETRY_AFTER)


_REFUSALS: Final = {429: overload_error(429), 503: overload_error(503), 401: wrong_login()}
REFUSAL_BODIES: Final = {status: encode(error.body()) for status, error in _REFUSALS.items()}
REFUSAL_LINES: Final = {
    429: RETRY_AFTER_LINE,
    503: RETRY_AFTER_LINE,
    401: b"www-authenticate: %s\r\ntwilio-request-duration: 0.000\r\n"
    b"twilio-concurrent-requests: 1\r\n" % CHALLENGE["WWW-Authenticate"].encode(),
}
