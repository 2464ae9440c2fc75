"""Accounts for operators: list, create, rename, suspend, close, and keys."""

from __future__ import annotations

import secrets
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from tests.resources.media_setup import MediaClient
from tests.support.client import Api
from tests.support.operators import make_operator
from tests.support.polling import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.operators import OperatorLogin
    from tests.support.server import Server

PATH = "/parlour/v1/Operator/Accounts"
UNKNOWN = "AC" + "0" * 31 + "1"
NOTHING = {"count": 0, "at_least": False}


@pytest.fixture(scope="module")
def operator(server: Server) -> OperatorLogin:
    """An operator that may change."""
    return make_operator(server, f"accounts {secrets.token_hex(4)}")


@pytest.fixture
def admin(server: Server, operator: OperatorLogin) -> Iterator[Api]:
    """Requests of this operator."""
    with closing(operator.api(server)) as client:
        yield client


def create(admin: Api, name: str = "Shop") -> dict[str, Any]:
    """Create an account."""
    made: dict[str, Any] = admin.post(PATH, FriendlyName=name).expect(201)
    return made


def test_a_new_account_works_at_once(server: Server, admin: Api) -> None:
    made = create(admin)
    token = made.pop("auth_token")
    assert made == {
        "sid": made["sid"],
        "friendly_name": "Shop",
        "status": "active",
        "date_created": made["date_created"],
        "date_updated": made["date_created"],
        "requests": {"last_minute": 0, "last_5_minutes": 0, "date_last": None},
        "conversations": NOTHING,
        "media": {"count": 0, "bytes": 0, "at_least": False},
        "waiting": NOTHING,
        "url": f"{server.base_url}{PATH}/{made['sid']}",
    }
    with closing(Api(server.base_url, made["sid"], token)) as client:
        client.post("/v1/Conversations").expect(201)
    found = admin.get(f"{PATH}/{made['sid']}").expect(200)
    assert found["conversations"] == {"count": 1, "at_least": False}
    assert found["requests"]["last_5_minutes"] == 1
    assert "auth_token" not in found
    assert admin.post(PATH).expect(201)["friendly_name"] == "Account"


def test_an_account_shows_its_media_and_its_waiting_webhooks(server: Server, admin: Api) -> None:
    made = create(admin)
    with closing(Api(server.base_url, made["sid"], made["auth_token"])) as client:
        conversation = client.post("/v1/Conversations").expect(201)["sid"]
        client.post(
            f"/v1/Conversations/{conversation}/Webhooks",
            {
                "Target": "webhook",
                "Configuration.Url": "http://127.0.0.1:9/",
                "Configuration.Filters": "onMessageAdded",
            },
        ).expect(201)
        request = {"x-twilio-webhook-enabled": "true"}
        path = f"/v1/Conversations/{conversation}/Messages"
        client.post(path, {"Body": "one"}, headers=request).expect(201)
        service = client.get("/v1/Configuration").expect(200)["default_chat_service_sid"]
        MediaClient.of_account(server, client, service).add(b"hello")

    def is_shown() -> bool:
        found = admin.get(f"{PATH}/{made['sid']}").expect(200)
        media = {"count": 1, "bytes": len(b"hello"), "at_least": False}
        return bool(found["media"] == media and found["waiting"]["count"] == 1)

    eventually(is_shown, bool)


def test_pages_are_ordered_by_sid_and_go_both_ways(admin: Api) -> None:
    made = {create(admin)["sid"] for _ in range(3)}
    whole: list[str] = []
    path: str | None = f"{PATH}?PageSize=2"
    while path is not None:
        page = admin.get(path).expect(200)
        whole += [each["sid"] for each in page["accounts"]]
        path = page["meta"]["next_page_url"]
    assert whole == sorted(whole)
    assert made <= set(whole)
    second = admin.get(admin.get(f"{PATH}?PageSize=2").expect(200)["meta"]["next_page_url"]).expect(
        200
    )
    first = admin.get(second["meta"]["previous_page_url"]).expect(200)
    assert [each["sid"] for each in first["accounts"]] == whole[:2]


def test_names_and_states_change(server: Server, admin: Api) -> None:
    made = create(admin)
    path = f"{PATH}/{made['sid']}"
    found = admin.post(path, FriendlyName="Other").expect(200)
    assert (found["friendly_name"], found["status"]) == ("Other", "active")
    key = admin.post(f"{path}/Keys", FriendlyName="CI").expect(201)
    assert key == {
        "sid": key["sid"],
        "account_sid": made["sid"],
        "friendly_name": "CI",
        "secret": key["secret"],
        "date_created": key["date_created"],
        "date_updated": key["date_created"],
    }
    with closing(Api(server.base_url, key["sid"], key["secret"])) as client:
        client.get("/v1/Conversations").expect(200)
        for status in ("suspended", "closed"):
            assert admin.post(path, Status=status).expect(200)["status"] == status
            eventually(lambda: client.get("/v1/Conversations").status in {401, 403}, bool)
        admin.post(path, Status="active").expect(200)
        eventually(lambda: client.get("/v1/Conversations").status == 200, bool)


def test_closing_an_account_ends_its_sessions_of_the_console(server: Server, admin: Api) -> None:
    made = create(admin)
    sessions = "/parlour/v1/Operator/Sessions?PageSize=100"
    with closing(Api(server.base_url, None, None)) as browser:
        browser.post(
            "/parlour/console/session",
            {"Name": made["sid"], "Secret": made["auth_token"]},
            headers={"Parlour-Console": "1", "Sec-Fetch-Site": "same-origin"},
        ).expect(201)
    sids = [each["account_sid"] for each in admin.get(sessions).expect(200)["sessions"]]
    assert made["sid"] in sids
    admin.post(f"{PATH}/{made['sid']}", Status="closed").expect(200)
    sids = [each["account_sid"] for each in admin.get(sessions).expect(200)["sessions"]]
    assert made["sid"] not in sids


def test_wrong_parameters_and_unknown_accounts_are_refused(admin: Api) -> None:
    sid = create(admin)["sid"]
    admin.post(f"{PATH}/{sid}", Status="gone").refuses(400, 20001)
    admin.post(PATH, FriendlyName="x" * 65).refuses(400, 20002)
    for path in (f"{PATH}/{UNKNOWN}", f"{PATH}/none"):
        admin.get(path).refuses(404, 20404)
        admin.post(path, Status="closed").refuses(404, 20404)
        admin.post(f"{path}/Keys").refuses(404, 20404)


def test_other_roles_see_accounts_and_change_none(server: Server, admin: Api) -> None:
    sid = create(admin)["sid"]
    for role in ("view", "support"):
        reader = make_operator(server, f"{role} {secrets.token_hex(4)}", role)
        with closing(reader.api(server)) as client:
            assert client.get(f"{PATH}/{sid}").expect(200)["media"]["count"] == 0
            for path in (PATH, f"{PATH}/{sid}", f"{PATH}/{sid}/Keys"):
                client.post(path, Status="closed").refuses(403, 20403)
    assert admin.get(f"{PATH}/{sid}").expect(200)["status"] == "active"


def test_a_repeated_request_of_another_operator_does_not_get_the_auth_token(
    server: Server, admin: Api
) -> None:
    headers = {"Idempotency-Key": secrets.token_hex(8)}
    form = {"FriendlyName": "Once"}
    first = admin.post(PATH, form, headers=headers).expect(201)
    assert admin.post(PATH, form, headers=headers).expect(201)["sid"] == first["sid"]
    with closing(make_operator(server, f"other {secrets.token_hex(4)}").api(server)) as other:
        other.post(PATH, form, headers=headers).refuses(422, 20422)
