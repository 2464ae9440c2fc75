"""Disconnect reasons: status and code of each, and whether the client reconnects.

The status number is chosen by the required behaviour of the client; the error code is the reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from parlour.protocol import access_tokens, twilsock_frames
from parlour.vocabulary import limits
from parlour.vocabulary.errors import CATALOGUE

if TYPE_CHECKING:
    from parlour.protocol.access_tokens import AccessTokenRefused

_AFTER_STOP: Final = (limits.RECONNECT_AFTER_STOP_MS_MIN, limits.RECONNECT_AFTER_STOP_MS_MAX)
_AFTER_RESET: Final = (limits.RECONNECT_AFTER_RESET_MS, limits.RECONNECT_AFTER_RESET_MS)
_AFTER_LOAD: Final = (limits.RECONNECT_AFTER_LOAD_MS_MIN, limits.RECONNECT_AFTER_LOAD_MS_MAX)


# The official JavaScript client decides by the status number alone (see "Closing" in the page
# docs/reference/quirks.md):
#
# frame               number    the client
# ------------------  --------  ------------------------------------------
# rejected init or    401, 403  gives up
# update              other     retries
# close               401       gives up
#                     410       waits for another token
#                     406, 417  gives up; the application creates another client
#                     other     reconnects
class Disconnect(msgspec.Struct, frozen=True, kw_only=True):
    """One reason.

    ``may_return``: whether the client reconnects without a new token.
    ``backoff_ms``: the reconnect backoff, minimum and maximum, in milliseconds.
    """

    code: int
    status: str
    error_code: int | None
    description: str
    may_return: bool
    backoff_ms: tuple[int, int] | None = None

    def status_fields(self) -> dict[str, Any]:
        """Return the status of the frame."""
        return twilsock_frames.status(
            self.code, self.status, description=self.description, error_code=self.error_code
        )

    def payload(self) -> bytes:
        """Return the payload of the frame: the backoff, if there is one."""
        return b"" if self.backoff_ms is None else twilsock_frames.backoff(*self.backoff_ms)


# --- Rejections: the reply to init or update ----------------------------------------------


def _bad_token(error_code: int) -> Disconnect:
    return Disconnect(
        code=401,
        status="UNAUTHORIZED",
        error_code=error_code,
        description=CATALOGUE[error_code].message,
        may_return=False,
    )


TOKEN_UNUSABLE: Final = _bad_token(access_tokens.UNUSABLE)
TOKEN_HEADER_WRONG: Final = _bad_token(access_tokens.BAD_HEADER)
TOKEN_ISSUER_WRONG: Final = _bad_token(access_tokens.BAD_ISSUER)
# The only code that the client reports as an expired token.
TOKEN_EXPIRED: Final = _bad_token(access_tokens.EXPIRED)
TOKEN_TOO_EARLY: Final = _bad_token(access_tokens.TOO_EARLY)
TOKEN_GRANTS_WRONG: Final = _bad_token(access_tokens.BAD_GRANTS)
TOKEN_SIGNATURE_WRONG: Final = _bad_token(access_tokens.BAD_SIGNATURE)

SERVICE_UNKNOWN: Final = Disconnect(
    code=403,
    status="FORBIDDEN",
    error_code=51101,
    description=CATALOGUE[51101].message,
    may_return=False,
)
ACCOUNT_NOT_ACTIVE: Final = Disconnect(
    code=403,
    status="FORBIDDEN",
    error_code=20005,
    description=CATALOGUE[20005].message,
    may_return=False,
)
# Shown by programs with such a client: the rejection of `Client.create()`, and `connectionError`.
SDK_UNSUPPORTED: Final = Disconnect(
    code=403,
    status="FORBIDDEN",
    error_code=None,
    description=(
        "This client SDK is not supported: use @twilio/conversations 2.1 to 3.0 in place of"
        " 1.x and twilio-chat"
    ),
    may_return=False,
)
TOO_MANY_CONNECTIONS: Final = Disconnect(
    code=429,
    status="TOO_MANY_REQUESTS",
    error_code=51124,
    description=CATALOGUE[51124].message,
    may_return=True,
    backoff_ms=_AFTER_LOAD,
)
SERVER_FULL: Final = Disconnect(
    code=429,
    status="TOO_MANY_REQUESTS",
    error_code=51001,
    description=CATALOGUE[51001].message,
    may_return=True,
    backoff_ms=_AFTER_LOAD,
)

REFUSALS: Final = (
    TOKEN_UNUSABLE,
    TOKEN_HEADER_WRONG,
    TOKEN_ISSUER_WRONG,
    TOKEN_EXPIRED,
    TOKEN_TOO_EARLY,
    TOKEN_GRANTS_WRONG,
    TOKEN_SIGNATURE_WRONG,
    SERVICE_UNKNOWN,
    ACCOUNT_NOT_ACTIVE,
    SDK_UNSUPPORTED,
    TOO_MANY_CONNECTIONS,
    SERVER_FULL,
)
"""Every reason for which ``init`` or ``update`` is rejected."""

_OF_TOKENS: Final = {each.error_code: each for each in REFUSALS if each.code == 401}


def token_rejection(refused: AccessTokenRefused) -> Disconnect:
    """Return the reason for an invalid token."""
    return _OF_TOKENS[refused.code]


# --- Closes: of a connection whose init was accepted, or is missing ---------------------------

# The token expired while connected: the client reconnects once it has another one.
TOKEN_RAN_OUT: Final = Disconnect(
    code=410,
    status="TOKEN_EXPIRED",
    error_code=51207,
    description="Token expired",
    may_return=False,
)
# An updated token of another user or service: the client has to create a new session with it.
UPDATE_FORBIDDEN: Final = Disconnect(
    code=308,
    status="UPDATE_IS_FORBIDDEN",
    error_code=51232,
    description="The updated token is for another identity or service",
    may_return=True,
)
KEY_REVOKED: Final = Disconnect(
    code=401,
    status="UNAUTHORIZED",
    error_code=51122,
    description="The API key of the token was revoked",
    may_return=False,
)
USER_REMOVED: Final = Disconnect(
    code=401,
    status="UNAUTHORIZED",
    error_code=51215,
    description="The user was removed",
    may_return=False,
)
SERVICE_REMOVED: Final = Disconnect(
    code=401,
    status="UNAUTHORIZED",
    error_code=51101,
    description="The service was removed",
    may_return=False,
)
ACCOUNT_STOPPED: Final = Disconnect(
    code=401,
    status="UNAUTHORIZED",
    error_code=20005,
    description="The account was suspended or closed",
    may_return=False,
)
SERVER_STOPPING: Final = Disconnect(
    code=308,
    status="OFFLOAD",
    error_code=None,
    description="The server is stopping",
    may_return=True,
    backoff_ms=_AFTER_STOP,
)
# With --test only: the rows of the account were removed or replaced, so that everything that the
# client knows is wrong.
RESET: Final = Disconnect(
    code=308,
    status="RESET",
    error_code=None,
    description="The account was reset",
    may_return=True,
    backoff_ms=_AFTER_RESET,
)
# An operation of the account: DELETE /parlour/v1/Connections/{Sid}.
ENDED: Final = Disconnect(
    code=308,
    status="CONNECTION_ENDED",
    error_code=None,
    description="The account has closed the connection",
    may_return=True,
    backoff_ms=_AFTER_LOAD,
)
# Clients honour a backoff with 308; with 429 this is not known.
SLOW_CONSUMER: Final = Disconnect(
    code=308,
    status="TOO_MANY_UPDATES",
    error_code=51125,
    description="The client takes what it is sent too slowly",
    may_return=True,
    backoff_ms=_AFTER_LOAD,
)
TOO_MANY_FRAMES: Final = Disconnect(
    code=308,
    status="TOO_MANY_MESSAGES",
    error_code=51128,
    description="The client sends more than it may",
    may_return=True,
    backoff_ms=_AFTER_LOAD,
)
# At a cap on connections: the newest one of the user with the most made room for another user's.
DISPLACED: Final = Disconnect(
    code=308,
    status="TOO_MANY_CONNECTIONS",
    error_code=51124,
    description=CATALOGUE[51124].message,
    may_return=True,
    backoff_ms=_AFTER_LOAD,
)
KEEPALIVE_LOST: Final = Disconnect(
    code=308,
    status="KEEPALIVE_LOST",
    error_code=51005,
    description="The client did not answer in time",
    may_return=True,
)
INIT_AWAITED: Final = Disconnect(
    code=408,
    status="REQUEST_TIMEOUT",
    error_code=51005,
    description="The client did not begin in time",
    may_return=True,
)
UNREADABLE: Final = Disconnect(
    code=406,
    status="NOT_ACCEPTABLE",
    error_code=None,
    description="A frame cannot be read",
    may_return=False,
)
OUT_OF_TURN: Final = Disconnect(
    code=417,
    status="EXPECTATION_FAILED",
    error_code=None,
    description="A frame came out of turn",
    may_return=False,
)
FAILED: Final = Disconnect(
    code=500,
    status="INTERNAL_SERVER_ERROR",
    error_code=None,
    description="The connection failed",
    may_return=True,
)

CLOSES: Final = (
    TOKEN_RAN_OUT,
    UPDATE_FORBIDDEN,
    KEY_REVOKED,
    USER_REMOVED,
    SERVICE_REMOVED,
    ACCOUNT_STOPPED,
    SERVER_STOPPING,
    RESET,
    ENDED,
    SLOW_CONSUMER,
    TOO_MANY_FRAMES,
    DISPLACED,
    KEEPALIVE_LOST,
    INIT_AWAITED,
    UNREADABLE,
    OUT_OF_TURN,
    FAILED,
)
"""Every reason for which a connection is closed."""
