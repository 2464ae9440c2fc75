"""The activity of an account: bounded counts by service, and its requests to this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.resources.settings_setup import new_account_api

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.client import Api
    from tests.support.server import Server

PATH = "/parlour/v1/Activity"
OLD = "2020-01-02T03:04:05Z"


@pytest.fixture
def own(server: Server) -> Iterator[Api]:
    """A new account."""
    api = new_account_api(server)
    yield api
    api.close()


def exactly(count: int) -> dict[str, object]:
    """Return a count that is not bounded."""
    return {"count": count, "at_least": False}


def test_a_new_account_has_nothing(own: Api) -> None:
    found = own.get(PATH).expect(200)
    assert found["account_sid"] == own.sid
    for name in ("conversations", "users", "messages_24h"):
        assert found[name] == exactly(0)
    (service,) = found["services"]
    assert service["conversations"] == exactly(0)
    assert found["has_more_services"] is False
    assert found["requests"] == {"last_minute": 0, "last_5_minutes": 0, "date_last": None}
    assert "/" in found["node"]


def test_each_service_shows_its_own_rows(own: Api) -> None:
    other = own.post("/v1/Services", FriendlyName="Other").expect(201)["sid"]
    default = own.get(PATH).expect(200)["services"][0]["sid"]
    first = own.post("/v1/Conversations").expect(201)["sid"]
    own.post(f"/v1/Services/{other}/Conversations").expect(201)
    own.post(f"/v1/Services/{other}/Users", Identity="alice").expect(201)
    for body in ("one", "two"):
        own.post(f"/v1/Conversations/{first}/Messages", Body=body).expect(201)
    own.post(f"/v1/Conversations/{first}/Messages", Body="old", DateCreated=OLD).expect(201)
    found = own.get(PATH).expect(200)
    assert found["conversations"] == exactly(2)
    assert found["users"] == exactly(1)
    assert found["messages_24h"] == exactly(2)
    rows = {each.pop("sid"): each for each in found["services"]}
    assert rows[default] == {
        "friendly_name": rows[default]["friendly_name"],
        "conversations": exactly(1),
        "users": exactly(0),
        "messages_24h": exactly(2),
    }
    assert rows[other] == {
        "friendly_name": "Other",
        "conversations": exactly(1),
        "users": exactly(1),
        "messages_24h": exactly(0),
    }


def test_a_long_conversation_counts_at_least_its_newest_messages(own: Api) -> None:
    sid = own.post("/v1/Conversations").expect(201)["sid"]
    for number in range(101):
        own.post(f"/v1/Conversations/{sid}/Messages", Body=str(number)).expect(201)
    assert own.get(PATH).expect(200)["messages_24h"] == {"count": 100, "at_least": True}


def test_requests_are_those_of_the_program_of_this_account(own: Api, foreign_api: Api) -> None:
    for _ in range(3):
        own.get("/v1/Conversations").expect(200)
    found = own.get(PATH).expect(200)
    assert found["requests"]["last_5_minutes"] == 3
    assert found["requests"]["last_minute"] == 3
    assert found["requests"]["date_last"] <= found["date"]
    # The requests for it are not counted.
    assert own.get(PATH).expect(200)["requests"]["last_5_minutes"] == 3
    foreign_api.get("/v1/Conversations").expect(200)
    assert own.get(PATH).expect(200)["requests"]["last_5_minutes"] == 3
