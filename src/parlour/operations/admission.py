"""Who is refused when there is too much: decided here and nowhere else, before any work."""

from __future__ import annotations

from collections import Counter

from parlour.vocabulary.errors import ApiError

RETRY_AFTER = {"Retry-After": "1"}


class Admission:
    """Counts the requests that are running, in all and for each account."""

    def __init__(self, *, in_all_max: int, of_account_max: int) -> None:
        self._in_all_max = in_all_max
        self._of_account_max = of_account_max
        self.running = 0
        self._of_account: Counter[str] = Counter()

    def enter(self, account_sid: str) -> None:
        """Let a request in. Raises 503 when the server is full, 429 when the account is."""
        if self.running >= self._in_all_max:
            raise ApiError(20503, headers=RETRY_AFTER)
        if self._of_account[account_sid] >= self._of_account_max:
            raise ApiError(20429, headers=RETRY_AFTER)
        self.running += 1
        self._of_account[account_sid] += 1

    def running_of(self, account_sid: str) -> int:
        """How many requests of this account are running."""
        return self._of_account[account_sid]

    def leave(self, account_sid: str) -> None:
        """A request has been answered."""
        assert self.running > 0
        self.running -= 1
        self._of_account[account_sid] -= 1
        if not self._of_account[account_sid]:
            del self._of_account[account_sid]
