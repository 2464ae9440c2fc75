"""A fault: which calls it matches, what happens to them, and how often it acted.

A fault is of one account, which created it; with the scope *server* it acts on the calls of all
accounts. It is in memory only, and ends with a reset or a restart.

===========  ==================================================  =========
state        event                                               next
===========  ==================================================  =========
armed        a call that matches, one of the first ``skip``      armed
armed        a call that matches, the chance decides against it  armed
armed        a call that matches otherwise: the fault acts       armed, or
                                                                 spent after the last of ``times``
spent        any                                                 spent: it counts nothing
===========  ==================================================  =========
"""

from __future__ import annotations

from typing import Final

import msgspec

REQUEST: Final = "request"
SOCKET: Final = "socket"
WEBHOOK: Final = "webhook"
CARRIER: Final = "carrier"
TARGETS: Final = (REQUEST, SOCKET, WEBHOOK, CARRIER)

ACCOUNT: Final = "account"
SERVER: Final = "server"
SCOPES: Final = (ACCOUNT, SERVER)

BEFORE: Final = "before"
AFTER: Final = "after"
PHASES: Final = (BEFORE, AFTER)

REST: Final = "rest"
SDK: Final = "sdk"
SOURCES: Final = (REST, SDK)

NOW: Final = "now"
CONNECT: Final = "connect"
MESSAGE: Final = "message"
MOMENTS: Final = (NOW, CONNECT, MESSAGE)

PRE: Final = "pre"
POST: Final = "post"
KINDS: Final = (PRE, POST)

DUPLICATE: Final = "duplicate"
EARLY: Final = "early"
NEVER: Final = "never"
RECEIPTS: Final = (DUPLICATE, EARLY, NEVER)


class FaultRule(msgspec.Struct, frozen=True, kw_only=True):
    """The declaration of a fault. A criterion that is None matches every call."""

    target: str
    scope: str = ACCOUNT
    name: str | None = None
    skip: int = 0
    times: int = 1
    """How often it acts; 0 until it is removed."""
    probability: float = 1.0

    # The criteria of requests.
    operations: tuple[str, ...] | None = None
    method: str | None = None
    path: str | None = None
    source: str | None = None
    # Of requests and sockets.
    identity: str | None = None
    # Of sockets.
    when: str | None = None
    # Of webhooks.
    url: str | None = None
    event_type: str | None = None
    kind: str | None = None
    # Of carriers.
    sender: str | None = None
    recipient: str | None = None
    channel: str | None = None

    # The effects of several targets.
    phase: str | None = None
    status: int | None = None
    delay_ms: int = 0
    drop: bool = False
    # On requests.
    code: int | None = None
    retry_after: int | None = None
    truncate: int | None = None
    # On sockets.
    close: str | None = None
    refuse: int | None = None
    hold_ms: int = 0
    expire_token: bool = False
    # On webhooks.
    timeout: bool = False
    duplicate: int = 0
    # On carriers.
    error: int | None = None
    receipts: str | None = None


class Fault(msgspec.Struct, kw_only=True):
    """A fault and its counters."""

    sid: str
    account_sid: str
    rule: FaultRule
    number: int
    """Its place in the order of creation."""
    date_created: int
    matched: int = 0
    fired: int = 0
    is_over: bool = False
    """Whether it has acted for the last time, although it has turns left."""

    @property
    def label(self) -> str:
        """Its name in headers and logs: the SID if it has none."""
        return self.rule.name or self.sid

    @property
    def left(self) -> int | None:
        """How often it will act; None without a limit."""
        if self.is_over:
            return 0
        return self.rule.times - self.fired if self.rule.times else None

    @property
    def is_spent(self) -> bool:
        """Whether it acts no more."""
        return self.left == 0
