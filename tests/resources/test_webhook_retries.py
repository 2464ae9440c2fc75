"""Retries of an account's failed webhooks: a setting of Parlour."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
import pytest

from parlour.resources.webhook_retries.store import HOSTED, WebhookRetries
from tests.resources.settings_setup import changes, new_account_api, refuses

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.client import Api
    from tests.support.server import Server

PATH = "/parlour/v1/WebhookRetries"


@pytest.fixture(scope="module")
def own(server: Server) -> Iterator[Api]:
    """An account of this file."""
    api = new_account_api(server)
    yield api
    api.close()


def test_it_is_chosen_changed_and_given_up(own: Api) -> None:
    shown = own.get(PATH).expect(200)
    assert shown["url"] == f"{own.base_url}{PATH}"
    assert own.get(shown["url"]).expect(200) == shown
    changes(own, PATH, {"Retries": "hosted"}, retries="hosted")
    changes(own, PATH, {}, retries="hosted")
    changes(own, PATH, {"Retries": "DURABLE"}, retries="durable")
    changes(own, PATH, {"Retries": ""}, retries=None)


def test_another_word_is_refused(server: Server, own: Api) -> None:
    refuses(server, own, PATH, {"Retries": "sometimes"}, 20001)


def test_another_account_has_its_own(own: Api, foreign_api: Api) -> None:
    before = foreign_api.get(PATH).body
    own.post(PATH, Retries="hosted").expect(200)
    own.post(PATH, Retries="").expect(200)
    assert foreign_api.get(PATH).body == before


def test_the_event_log_calls_the_schedule_as_the_api_does() -> None:
    encoded = msgspec.json.encode(WebhookRetries("AC1", HOSTED))
    assert json.loads(encoded) == {"account_sid": "AC1", "retries": "hosted"}


def test_the_command_line_chooses_the_same(server: Server, own: Api) -> None:
    sid = str(own.sid)
    printed = server.command("webhooks", "retries", sid, "hosted", "--json")
    assert json.loads(printed) == {"account_sid": sid, "retries": "hosted"}
    assert own.get(PATH).expect(200)["retries"] == "hosted"
