"""The webhooks of an account and of a service: their URLs and filters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from parlour.vocabulary.event_names import FILTERS
from tests.resources.settings_setup import (
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

PATH = "/Configuration/Webhooks"
ALIAS = "/Conversations/Webhooks"
PRE, POST = "https://example.com/pre?a=1", "http://example.com:8080/post"


@pytest.fixture(scope="module")
def own(server: Server) -> Iterator[Api]:
    api = new_account_api(server)
    yield api
    api.close()


@pytest.fixture
def service(api: Api) -> Api:
    return new_service_api(api)


@pytest.fixture(params=["own", "service"])
def either(request: pytest.FixtureRequest) -> Api:
    place: Api = request.getfixturevalue(request.param)
    return place


def test_a_new_account_has_no_webhooks(server: Server) -> None:
    own = new_account_api(server)
    answer = own.get(PATH)
    assert answer.expect(200) == {
        "account_sid": own.sid,
        "pre_webhook_url": None,
        "post_webhook_url": None,
        "method": "POST",
        "filters": [],
        "target": "webhook",
        "url": f"{own.base_url}/v1/Configuration/Webhooks",
    }
    assert list(answer.json)[:3] == ["account_sid", "pre_webhook_url", "post_webhook_url"]


def test_a_new_service_has_no_own_webhooks(service: Api) -> None:
    assert service.get(PATH).expect(200) == {
        "account_sid": service.sid,
        "chat_service_sid": service.prefix.rpartition("/")[2],
        "pre_webhook_url": None,
        "post_webhook_url": None,
        "filters": None,
        "method": None,
        "url": f"{service.base_url}{service.prefix}/Configuration/Webhooks",
    }
    changes(service, PATH, {})


def test_everything_can_be_set_and_cleared(either: Api) -> None:
    form = {
        "Method": "get",
        "Filters": ["onMessageAdded", "onConversationAdd", "onMessageAdded"],
        "PreWebhookUrl": PRE,
        "PostWebhookUrl": POST,
    }
    changes(
        either,
        PATH,
        form,
        method="GET",
        filters=["onMessageAdded", "onConversationAdd"],
        pre_webhook_url=PRE,
        post_webhook_url=POST,
    )
    changes(either, PATH, {"Filters": "onUserAdded"}, filters=["onUserAdded"])
    changes(either, PATH, {"Filters": ""}, filters=[])
    changes(either, PATH, {"PreWebhookUrl": ""}, pre_webhook_url=None)
    changes(
        either, PATH, {"PostWebhookUrl": "", "Method": "POST"}, post_webhook_url=None, method="POST"
    )
    changes(either, PATH, {"Filters": sorted(FILTERS)}, filters=sorted(FILTERS))


def test_the_first_change_of_a_service_sets_method_and_filters(
    service: Api, server: Server
) -> None:
    changes(
        service, PATH, {"PostWebhookUrl": POST}, post_webhook_url=POST, method="POST", filters=[]
    )
    sid = service.prefix.rpartition("/")[2]
    assert logged_events(server, str(service.sid))[-1] == ("serviceChanged", sid)
    assert "target" not in service.post(PATH, Target="flex").expect(200)


def test_the_target_of_an_account_is_webhook_or_flex(own: Api, server: Server) -> None:
    changes(own, PATH, {"Target": "FLEX"}, target="flex")
    assert logged_events(server, str(own.sid))[-1] == ("accountChanged", own.sid)
    refuses(server, own, PATH, {"Target": "studio"}, 20001)


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"Method": "PUT"}, 50055),
        ({"Method": ""}, 50055),
        ({"PreWebhookUrl": "example.com/pre"}, 50077),
        ({"PreWebhookUrl": "ftp://example.com/pre"}, 50077),
        ({"PostWebhookUrl": "https://"}, 50078),
        ({"PostWebhookUrl": "https://example.com/" + "x" * 500}, 50078),
        ({"Filters": "onMessageSend"}, 50054),
        ({"Filters": ["onMessageAdded", "onmessageadded"]}, 50054),
        ({"Filters": ["onMessageAdded", ""]}, 50054),
        ({"Filters": ["onMessageAdded"] * 65}, 50054),
        ({"PreWebhookUrl": "https://example.com", "Method": "no"}, 50055),
    ],
)
def test_a_bad_value_is_refused(
    either: Api, server: Server, form: dict[str, Any], code: int
) -> None:
    refuses(server, either, PATH, form, code)


def test_the_old_path_shows_the_same_with_its_own_url(own: Api) -> None:
    shown = own.post(ALIAS, PostWebhookUrl=POST).expect(200)
    assert shown["url"] == f"{own.base_url}/v1/Conversations/Webhooks"
    there = own.get(PATH).expect(200)
    assert {**there, "url": shown["url"]} == shown
    assert own.get(ALIAS).expect(200) == shown
    own.delete(ALIAS).refuses(405, 20004)


def test_account_and_service_do_not_touch_each_other(own: Api, api: Api) -> None:
    service = new_service_api(own)
    there = changes(own, PATH, {"PostWebhookUrl": POST}, post_webhook_url=POST)
    assert service.get(PATH).expect(200)["post_webhook_url"] is None
    changes(service, PATH, {"PreWebhookUrl": PRE}, pre_webhook_url=PRE, method="POST", filters=[])
    assert own.get(PATH).expect(200) == there
    api.under(service.prefix).get(PATH).refuses(404, 20404)
    service.delete(PATH).refuses(405, 20004)
