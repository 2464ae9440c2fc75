"""The errors of the kit: each text states the cause and the remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_IN_THE_LOOP = (
    "A webhook handler in the event loop of this test cannot respond while the test waits here: "
    "use the *_async methods, or run the handler in a thread."
)


class TestKitError(Exception):
    """Base class of all errors of the kit."""

    __test__ = False  # pytest collects classes with such a name.


class ServerStartFailed(TestKitError):
    """The server's process did not start, or ended before it was ready."""


class ServerUnreachable(TestKitError):
    """No server answers at the URL."""


class VersionMismatch(TestKitError):
    """The server has another major version than the kit."""


class ApiError(TestKitError):
    """The server refused a request.

    Attributes:
        status: the HTTP status.
        code: the code of the API's error, or None.
        message: the text of the API's error.
    """

    def __init__(self, operation: str, status: int, code: int | None, message: str) -> None:
        super().__init__(f"{operation}: {status}, code {code}: {message}")
        self.status = status
        self.code = code
        self.message = message


class NotSettled(TestKitError):
    """Work of the server was not done in time; ``waiting_for`` names each thing."""

    def __init__(self, what: str, waiting_for: Sequence[str], seconds: float) -> None:
        lines = [f"  - {each}" for each in waiting_for] or ["  - (the server named nothing)"]
        text = f"{what}: not settled after {seconds:g} s of real time. The server waits for:"
        super().__init__("\n".join([text, *lines, _IN_THE_LOOP]))
        self.waiting_for = list(waiting_for)


class WaitTimedOut(TestKitError, AssertionError):
    """What a test waited for did not come in time."""


class UnexpectedWebhook(TestKitError, AssertionError):
    """A webhook was received, and none was expected."""


class InvalidSignature(TestKitError, AssertionError):
    """A webhook was received whose signature does not match the account's auth token."""


class ExpectationFailed(TestKitError, AssertionError):
    """The journal does not have the expected calls."""


class FaultsLeft(TestKitError, AssertionError):
    """Faults did not fire as often as they were added for."""
