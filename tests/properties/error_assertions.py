"""What raw tests ask of an answer, and of what there is afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.conformance.response_checker import faults

if TYPE_CHECKING:
    from tests.properties.raw_connection import RawConnection
    from tests.support.client import Answer

CONVERSATIONS = "/v1/Conversations"


def refuses(answer: Answer, status: int, code: int = 20001) -> Any:
    """The JSON of a refusal, which has the shape of every refusal."""
    wrong = [each for each in faults(None, "", "", answer) if "shape" not in each]
    assert wrong == []
    return answer.refuses(status, code)


def refuses_connection(answer: Answer, status: int) -> Any:
    """The same for what is refused before there is a request: it has no id."""
    assert answer.headers["Connection"] == "close"
    return answer.refuses(status, 20001)


def count(connection: RawConnection) -> int:
    """How many conversations the account has."""
    return len(
        connection.ask(connection.get(f"{CONVERSATIONS}?PageSize=100")).expect(200)["conversations"]
    )
