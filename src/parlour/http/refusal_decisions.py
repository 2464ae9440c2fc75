"""Decides which requests are refused under overload, by their login and its share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.http.authentication import Authentication
    from parlour.operations.admission import Admission
    from parlour.operations.work_limit import WorkLimit
    from parlour.protocol.header_block import HeaderBlock
    from parlour.vocabulary.clock import Clock

_UNDECIDED: Final = (0.0, 0)


class RefusalDecisions:
    """The recent decisions of one process, by the digest of the login."""

    def __init__(
        self, authentication: Authentication, admission: Admission, work: WorkLimit, clock: Clock
    ) -> None:
        self._authentication = authentication
        self._admission = admission
        self._work = work
        self._clock = clock
        self._refused: dict[str, tuple[float, int]] = {}
        """Until when a login is refused, and with which status."""

    def status_of(self, block: HeaderBlock) -> int:
        """Return the status that refuses a request under overload; 0: it must be served.

        Only callers with a cached login are refused: other requests may be of anyone, and some
        need no login, such as ``/healthz``.
        """
        if b"authorization" not in block.fields:
            return 0
        # Decisions are cached for REFUSAL_DECIDED_MS: at ten times the load, computing all shares
        # for each request would cost more than the refusal.
        now, key = self._clock.monotonic_ms(), self._authentication.login_digest(block)
        until_ms, status = self._refused.get(key, _UNDECIDED)
        if now < until_ms:
            return status
        caller = self._authentication.recent_caller(block)
        if caller is None:
            return 0
        places = self._work.limit
        status = self._admission.refusal_status(places, caller.account_sid, caller.identity)
        if status:
            if len(self._refused) >= limits.REFUSED_LOGINS_MAX:
                self._refused.clear()
            self._refused[key] = (now + limits.REFUSAL_DECIDED_MS, status)
        return status
