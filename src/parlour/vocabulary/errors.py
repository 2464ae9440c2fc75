"""ApiError: the exception that becomes an error response, and its catalogue of codes."""

from __future__ import annotations

from typing import Final

from parlour.vocabulary import limits
from parlour.vocabulary.error_catalogue import CATALOGUE, LOG_ONLY, Entry

__all__ = [
    "CATALOGUE",
    "LOG_ONLY",
    "RETRY_AFTER",
    "RETRY_AFTER_LINE",
    "ApiError",
    "Entry",
    "clear_tracebacks",
]

RETRY_AFTER: Final = {"Retry-After": str(limits.RETRY_AFTER_SECONDS)}
"""The headers of every 429 and 503."""
RETRY_AFTER_LINE: Final = b"retry-after: %d\r\n" % limits.RETRY_AFTER_SECONDS
"""The same as a line of an HTTP head."""

_MORE_INFO = "https://www.twilio.com/docs/errors/"


class ApiError(Exception):
    """An error response: a code, an HTTP status and one line of text."""

    def __init__(
        self,
        code: int,
        message: str | None = None,
        *,
        status: int | None = None,
        headers: dict[str, str] | None = None,
        members: dict[str, str] | None = None,
        **values: object,
    ) -> None:
        """Create the error of a code in the catalogue.

        `message` replaces the catalogue's; otherwise `values` fill the placeholders of its
        template. `status` replaces the catalogue's status. `members` are added to the
        response's JSON object. Raises KeyError for an unknown
        code or a missing value, and ValueError for a code that is never a response.
        """
        entry = CATALOGUE[code]
        self.code = code
        self.status = entry.status if status is None else status
        if self.status == LOG_ONLY:
            reason = f"code {code} is never an HTTP answer"
            raise ValueError(reason)
        self.message = entry.message.format_map(values) if message is None else message
        self.headers = {} if headers is None else headers
        self.members = {} if members is None else members
        super().__init__(f"{code}: {self.message}")

    @property
    def more_info(self) -> str:
        """The URL of the code's public documentation."""
        return f"{_MORE_INFO}{self.code}"

    def body(self) -> dict[str, int | str]:
        """Return the members of the response's JSON object, in the documented order."""
        return {
            "code": self.code,
            "message": self.message,
            "more_info": self.more_info,
            "status": self.status,
            **self.members,
        }

    @classmethod
    def missing(cls, name: str) -> ApiError:
        """Return the error for a required parameter that was not sent."""
        return cls(20001, name=name)

    @classmethod
    def invalid(cls, name: str) -> ApiError:
        """Return the error for a parameter with an invalid value."""
        return cls(20001, f"Invalid {name}.")

    @classmethod
    def not_found(cls, path: str) -> ApiError:
        """Return the error for a path without an object, given without its version."""
        return cls(20404, path=path)


def clear_tracebacks(error: BaseException) -> None:
    """Clear the tracebacks of a handled error, and of its causes.

    A traceback references the frames that it passed, and some of them reference the error: through
    a future, or an attribute that stores it. Such a cycle, which includes the request's body, would
    occupy memory until the next garbage collection.
    """
    link: BaseException | None = error
    while link is not None:
        link.__traceback__ = None
        link = link.__cause__ or link.__context__
