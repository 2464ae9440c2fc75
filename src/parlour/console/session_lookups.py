"""Lookups of sessions: which tokens of cookies are looked up, of clients that may be unknown.

| token                             | lookup                                                     |
|-----------------------------------|------------------------------------------------------------|
| of a session that was found here  | at once                                                    |
| any other                         | in a slot: addresses share these fairly                    |
| any other, of an address with too | none                                                       |
| many unknown tokens in a minute   |                                                            |

So guesses cost few reads of the store, and take nothing from those who are signed in. Pure: the
time in milliseconds is an argument.
"""

from __future__ import annotations

from collections import OrderedDict

from parlour.console.sign_in_throttle import FailureCounter
from parlour.vocabulary import limits


class SessionLookups:
    """The tokens that this process has found, and the failures of addresses."""

    def __init__(self) -> None:
        self._found: OrderedDict[str, None] = OrderedDict()
        """Digests of tokens of live sessions, the longest unused first."""
        self._unknown = FailureCounter(limits.CONSOLE_UNKNOWN_TOKENS_MAX)

    def has_found(self, digest: str) -> bool:
        """Return whether the last lookup of a token has found a session."""
        return digest in self._found

    def is_blocked(self, address: str, now_ms: float) -> bool:
        """Return whether an address has sent too many unknown tokens within a minute."""
        return self._unknown.is_blocked((address,), now_ms)

    def record(self, digest: str, address: str, now_ms: float, *, is_found: bool) -> None:
        """Record the result of a lookup."""
        if is_found:
            self._found[digest] = None
            self._found.move_to_end(digest)
            if len(self._found) > limits.CONSOLE_FOUND_TOKENS_MAX:
                self._found.popitem(last=False)
            return
        self._found.pop(digest, None)
        self._unknown.add((address,), now_ms)
