"""The configuration of an account: which service the short form means, and default timers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.resources.settings_setup import (
    NOWHERE,
    changes,
    logged_events,
    new_account_api,
    new_service_api,
    refuses,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.client import Api
    from tests.support.server import Server

PATH = "/Configuration"


@pytest.fixture(scope="module")
def own(server: Server) -> Iterator[Api]:
    api = new_account_api(server)
    yield api
    api.close()


def test_a_new_account_has_a_default_service_and_no_timers(server: Server) -> None:
    own = new_account_api(server)
    shown = own.get(PATH).expect(200)
    assert list(shown) == [
        "account_sid",
        "default_chat_service_sid",
        "default_messaging_service_sid",
        "default_inactive_timer",
        "default_closed_timer",
        "url",
        "links",
    ]
    assert shown["account_sid"] == own.sid
    assert shown["default_messaging_service_sid"].startswith("MG")
    assert (shown["default_inactive_timer"], shown["default_closed_timer"]) == (None, None)
    service_sid = shown["default_chat_service_sid"]
    service = own.get(f"/Services/{service_sid}").expect(200)
    assert service["friendly_name"] == "Default Conversations Service"
    assert shown["url"] == f"{own.base_url}/v1/Configuration"
    assert shown["links"] == {
        "service": f"{own.base_url}/v1/Services/{service_sid}/Configuration",
        "webhooks": f"{own.base_url}/v1/Configuration/Webhooks",
    }


def test_timers_count_for_conversations_made_afterwards(own: Api, server: Server) -> None:
    earlier = own.post("/Conversations").expect(201)
    form = {"DefaultInactiveTimer": "PT1M", "DefaultClosedTimer": "P1D"}
    changes(own, PATH, form, default_inactive_timer="PT1M", default_closed_timer="P1D")
    assert logged_events(server, str(own.sid))[-1] == ("accountChanged", own.sid)
    assert set(own.post("/Conversations").expect(201)["timers"]) == {"date_inactive", "date_closed"}
    elsewhere = new_service_api(own).post("/Conversations").expect(201)
    assert set(elsewhere["timers"]) == {"date_inactive", "date_closed"}
    assert own.get(f"/Conversations/{earlier['sid']}").expect(200)["timers"] == {}
    given = {"Timers.Inactive": "PT0S", "Timers.Closed": "PT0S"}
    assert own.post("/Conversations", given).expect(201)["timers"] == {}
    off = {"DefaultInactiveTimer": "PT0S", "DefaultClosedTimer": "PT0S"}
    changes(own, PATH, off, default_inactive_timer=None, default_closed_timer=None)
    assert own.post("/Conversations").expect(201)["timers"] == {}


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("DefaultInactiveTimer", "PT59S", 50375),
        ("DefaultInactiveTimer", "", 50379),
        ("DefaultInactiveTimer", "1 minute", 50379),
        ("DefaultClosedTimer", "PT9M59S", 50376),
        ("DefaultClosedTimer", "P1Y", 50380),
        ("DefaultMessagingServiceSid", "MG1", 50341),
        ("DefaultChatServiceSid", "IS1", 20001),
        ("DefaultChatServiceSid", NOWHERE["IS"], 50050),
    ],
)
def test_a_bad_value_is_refused(api: Api, server: Server, name: str, text: str, code: int) -> None:
    refuses(server, api, PATH, {name: text}, code)


def test_the_short_form_means_the_default_service(own: Api) -> None:
    before = own.get(PATH).expect(200)
    old = own.post("/Conversations", UniqueName="old").expect(201)
    service = new_service_api(own)
    sid = service.prefix.rpartition("/")[2]
    upper = sid[:2] + sid[2:].upper()
    after = own.post(PATH, DefaultChatServiceSid=upper).expect(200)
    assert after["default_chat_service_sid"] == sid
    assert after["links"]["service"] == f"{own.base_url}/v1/Services/{sid}/Configuration"
    own.get("/Conversations/old").refuses(404, 20404)
    made = own.post("/Conversations", UniqueName="new").expect(201)
    assert made["chat_service_sid"] == sid
    assert service.get("/Conversations/new").expect(200)["sid"] == made["sid"]
    previous = own.service(before["default_chat_service_sid"])
    assert previous.get("/Conversations/old").expect(200)["sid"] == old["sid"]


def test_a_foreign_service_cannot_be_the_default(own: Api, api: Api, server: Server) -> None:
    foreign = api.get(PATH).expect(200)["default_chat_service_sid"]
    refuses(server, own, PATH, {"DefaultChatServiceSid": foreign}, 50050)


def test_a_messaging_service_is_given_to_new_conversations(own: Api) -> None:
    sid = "MG" + "0" * 31 + "a"
    changes(own, PATH, {"DefaultMessagingServiceSid": sid}, default_messaging_service_sid=sid)
    assert own.post("/Conversations").expect(201)["messaging_service_sid"] == sid
    changes(own, PATH, {"DefaultMessagingServiceSid": "", "DefaultChatServiceSid": ""})


@pytest.mark.promise("reference/quirks.md", "Configuration resources answer 200")
def test_an_update_without_parameters_changes_nothing(own: Api) -> None:
    changes(own, PATH, {})
    changes(own, PATH, {"Unknown": "value"})


def test_it_has_no_service_form_and_cannot_be_deleted(own: Api) -> None:
    own.delete(PATH).refuses(405, 20004)
    own.request("PUT", PATH).refuses(405, 20004)
    own.get("/Configuration/").refuses(404, 20404)
