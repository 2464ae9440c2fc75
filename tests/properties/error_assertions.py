"""Assertions of the raw tests about a response, and about the state afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.conformance.response_checker import faults

if TYPE_CHECKING:
    from tests.properties.raw_connection import RawConnection
    from tests.support.client import ApiResponse

CONVERSATIONS = "/v1/Conversations"


def refuses(answer: ApiResponse, status: int, code: int = 20001) -> Any:
    """Assert the shape of an error response; return its JSON."""
    wrong = [each for each in faults(None, "", "", answer) if "shape" not in each]
    assert wrong == []
    return answer.refuses(status, code)


def refuses_connection(answer: ApiResponse, status: int) -> Any:
    """Assert an error before any request was parsed: it has no request ID."""
    assert answer.headers["Connection"] == "close"
    return answer.refuses(status, 20001)


def count(connection: RawConnection) -> int:
    """Return the number of conversations of the account."""
    return len(
        connection.exchange(connection.get(f"{CONVERSATIONS}?PageSize=100")).expect(200)[
            "conversations"
        ]
    )
