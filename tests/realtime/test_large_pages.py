"""Pages end before their size limit, and following their links returns all items."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from parlour.realtime.session import TunnelRequest
from parlour.vocabulary import limits
from parlour.vocabulary.realtime_objects import ObjectKind, ObjectName
from tests.realtime.test_replay import ReplayScenario
from tests.realtime.test_replay import run_scenario as play_stage

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.realtime.session import TunnelReply
    from tests.realtime.client_listener import ClientListener
    from tests.realtime.clients import RealtimeClients, ScenarioRunner

BOUND = 6_000
COUNT = 30


async def page_of(listener: ClientListener, stage: ReplayScenario, **params: str) -> dict[str, Any]:
    """Return a page of the messages of the stage."""
    request = TunnelRequest(
        method="GET",
        path=f"/v3/Lists/{ObjectName(ObjectKind.MESSAGES, stage.sid).sid}/Items",
        params={name: [value] for name, value in params.items()},
    )
    objects = listener.realtime.connections.tunnel.objects
    reply: TunnelReply = await objects.handle(listener.session, request)
    assert reply.status == 200, reply
    body: dict[str, Any] = json.loads(reply.body)
    return body


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_every_item_is_on_one_page_in_both_directions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    monkeypatch.setattr(limits, "CLIENT_PAGE_BYTES_MAX", BOUND)

    async def scenario(stage: ReplayScenario) -> None:
        listener = await stage.set()
        for number in range(COUNT):
            await stage.instance.send_message(stage.sid, "x" * (100 + 400 * (number % 5)))
        forwards: list[int] = []
        page = await page_of(listener, stage, Order=order, PageSize="25")
        last = page
        while True:
            assert len(json.dumps(page["items"])) < BOUND * 1.2
            forwards += [each["index"] for each in page["items"]]
            last, token = page, page["meta"]["next_token"]
            if token is None:
                break
            page = await page_of(listener, stage, PageToken=token)
        expected = list(range(COUNT))
        assert forwards == (expected if order == "asc" else expected[::-1])
        backwards = [each["index"] for each in last["items"]][::-1]
        token = last["meta"]["previous_token"]
        while token is not None:
            page = await page_of(listener, stage, PageToken=token)
            assert len(json.dumps(page["items"])) < BOUND * 1.2
            backwards += [each["index"] for each in page["items"]][::-1]
            token = page["meta"]["previous_token"]
        assert backwards == forwards[::-1]

    play_stage(tmp_path, scenario)


def test_an_item_that_is_larger_than_a_page_is_a_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CLIENT_PAGE_BYTES_MAX", 100)

    async def scenario(stage: ReplayScenario) -> None:
        listener = await stage.set()
        for _ in range(3):
            await stage.instance.send_message(stage.sid, "x" * 500)
        page = await page_of(listener, stage)
        assert [each["index"] for each in page["items"]] == [0]
        assert page["meta"]["next_token"] is not None

    play_stage(tmp_path, scenario)


def test_rows_of_a_command_are_cut_too_and_followed_both_ways(
    run_scenario: ScenarioRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        conversations = {await clients.create_conversation("alice") for _ in range(12)}
        monkeypatch.setattr(limits, "CLIENT_PAGE_BYTES_MAX", 1_500)
        found: list[str] = []
        page = (await clients.get("alice", "MyConversations")).body
        while True:
            sids = [each["conversation_sid"] for each in page["conversations"]]
            assert 0 < len(sids) < 12
            found += sids
            token = page["meta"]["next_token"]
            if token is None:
                break
            page = (await clients.get("alice", "MyConversations", PageToken=token)).body
        assert len(found) == 12
        assert set(found) == conversations
        back = sids[::-1]
        token = page["meta"]["previous_token"]
        while token is not None:
            page = (await clients.get("alice", "MyConversations", PageToken=token)).body
            back += [each["conversation_sid"] for each in page["conversations"]][::-1]
            token = page["meta"]["previous_token"]
        assert back == found[::-1]

    run_scenario(scenario)
