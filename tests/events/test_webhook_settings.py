"""Webhook settings count as they were when an event was committed, however late it is read.

Each test holds the intake back while events and changes of settings are made, in the three scopes
and in both directions, and compares what the receiver got afterwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from parlour.protocol.pages import PageRequest
from parlour.resources.webhook_attempts import store as webhook_attempt_store
from parlour.store import event_log
from parlour.vocabulary.scope import Scope
from tests.events.held_intake import Bench, play
from tests.events.in_process_server import ACCOUNT_SID, WITH_HEADER, until_read
from tests.events.webhook_backend import answer

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.store.transaction import Transaction

FLOW_SIDS = ["FW" + "0" * 31 + digit for digit in "12"]


class Change(NamedTuple):
    """Settings before and after; where messages before and after the change are sent."""

    before: dict[str, Any]
    after: dict[str, Any]
    first: str | None
    second: str | None


NOTHING: dict[str, Any] = {"PostWebhookUrl": "", "Method": "POST", "Filters": ["onUserUpdated"]}
MESSAGES, CONVERSATIONS = ["onMessageAdded"], ["onConversationUpdated"]
OF_CONFIGURATION = {
    "another URL": Change(
        {"PostWebhookUrl": "/a", "Filters": MESSAGES},
        {"PostWebhookUrl": "/b"},
        "POST /a",
        "POST /b",
    ),
    "another method": Change(
        {"PostWebhookUrl": "/a", "Filters": MESSAGES}, {"Method": "GET"}, "POST /a", "GET /a"
    ),
    "narrower filters": Change(
        {"PostWebhookUrl": "/a", "Filters": MESSAGES + CONVERSATIONS},
        {"Filters": CONVERSATIONS},
        "POST /a",
        None,
    ),
    "wider filters": Change(
        {"PostWebhookUrl": "/a", "Filters": CONVERSATIONS},
        {"Filters": MESSAGES + CONVERSATIONS},
        None,
        "POST /a",
    ),
    "no URL any more": Change(
        {"PostWebhookUrl": "/a", "Filters": MESSAGES}, {"PostWebhookUrl": ""}, "POST /a", None
    ),
    "a first URL": Change({"Filters": MESSAGES}, {"PostWebhookUrl": "/a"}, None, "POST /a"),
}
OF_ACCOUNT = OF_CONFIGURATION | {
    "another target": Change(
        {"PostWebhookUrl": "/a", "Filters": MESSAGES}, {"Target": "flex"}, "POST /a", None
    ),
    "webhooks again": Change(
        {"PostWebhookUrl": "/a", "Filters": MESSAGES, "Target": "flex"},
        {"Target": "webhook"},
        None,
        "POST /a",
    ),
}
OF_CONVERSATION = {
    "another URL": Change({"Url": "/a", "Filters": MESSAGES}, {"Url": "/b"}, "POST /a", "POST /b"),
    "another method": Change(
        {"Url": "/a", "Filters": MESSAGES}, {"Method": "GET"}, "POST /a", "GET /a"
    ),
    "narrower filters": Change(
        {"Url": "/a", "Filters": MESSAGES + CONVERSATIONS},
        {"Filters": CONVERSATIONS},
        "POST /a",
        None,
    ),
    "wider filters": Change(
        {"Url": "/a", "Filters": CONVERSATIONS}, {"Filters": MESSAGES}, None, "POST /a"
    ),
    "fewer triggers": Change(
        {"Target": "trigger", "Url": "/a", "Triggers": ["first", "second"]},
        {"Triggers": ["third"]},
        "POST /a",
        None,
    ),
    "more triggers": Change(
        {"Target": "trigger", "Url": "/a", "Triggers": ["third"]},
        {"Triggers": ["third", "first", "second"]},
        None,
        "POST /a",
    ),
    "another flow": Change(
        {"Target": "studio", "FlowSid": FLOW_SIDS[0]},
        {"FlowSid": FLOW_SIDS[1]},
        f"POST /flows/v1/Accounts/{ACCOUNT_SID}/Flows/{FLOW_SIDS[0]}",
        f"POST /flows/v1/Accounts/{ACCOUNT_SID}/Flows/{FLOW_SIDS[1]}",
    ),
}


def wanted(changes: dict[str, Change]) -> list[tuple[str, str]]:
    """What the receiver gets of the messages around all these changes."""
    found = []
    for name, change in changes.items():
        sides = ((change.first, f"first of {name}"), (change.second, f"second of {name}"))
        found += [(where, body) for where, body in sides if where is not None]
    return sorted(found)


def test_changes_of_the_account_count_for_what_comes_after_them(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        sid = (await bench.house.do("CreateConversation")).sid
        for name, change in OF_ACCOUNT.items():
            await bench.account(**NOTHING, Target="webhook")
            await bench.account(**change.before)
            await bench.say(sid, f"first of {name}")
            await bench.account(**change.after)
            await bench.say(sid, f"second of {name}")
        await bench.account(**NOTHING)
        assert await bench.told() == wanted(OF_ACCOUNT)

    play(tmp_path, scene)


def test_changes_of_a_service_count_for_what_comes_after_them(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        sid = (await bench.house.do("CreateConversation")).sid
        service_sid = bench.house.scope.service_sid
        for name, change in OF_CONFIGURATION.items():
            await bench.service(service_sid, **NOTHING)
            await bench.service(service_sid, **change.before)
            await bench.say(sid, f"first of {name}")
            await bench.service(service_sid, **change.after)
            await bench.say(sid, f"second of {name}")
        await bench.service(service_sid, **NOTHING)
        assert await bench.told(restarts=True) == wanted(OF_CONFIGURATION)

    play(tmp_path, scene)


def test_changes_of_scoped_webhooks_count_for_what_comes_after_them(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        for name, change in OF_CONVERSATION.items():
            sid = (await bench.house.do("CreateConversation")).sid
            webhook = await bench.attach(sid, **change.before)
            await bench.say(sid, f"first of {name}")
            await bench.update(sid, webhook.sid, **change.after)
            await bench.say(sid, f"second of {name}")
            await bench.detach(sid, webhook.sid)
        assert await bench.told() == wanted(OF_CONVERSATION)

    play(tmp_path, scene)


@pytest.mark.parametrize("restarts", [False, True])
def test_a_scoped_webhook_is_sent_what_was_committed_while_it_existed(
    tmp_path: Path, restarts: bool
) -> None:
    async def scene(bench: Bench) -> None:
        sid = (await bench.house.do("CreateConversation")).sid
        await bench.say(sid, "before")
        webhook = await bench.attach(sid, Url="/a", Filters=MESSAGES)
        other = await bench.attach(sid, Url="/b", Filters=MESSAGES)
        await bench.say(sid, "first")
        await bench.say(sid, "second")
        await bench.detach(sid, webhook.sid)
        await bench.say(sid, "after")
        await bench.detach(sid, other.sid)
        await bench.say(sid, "last")
        assert await bench.told(restarts=restarts) == [
            ("POST /a", "first"),
            ("POST /a", "second"),
            ("POST /b", "after"),
            ("POST /b", "first"),
            ("POST /b", "second"),
        ]

    play(tmp_path, scene)


def test_a_service_that_takes_over_from_its_account_does_so_from_then_on(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        sid = (await bench.house.do("CreateConversation")).sid
        service_sid = bench.house.scope.service_sid
        await bench.account(PostWebhookUrl="/account", Filters=MESSAGES)
        await bench.say(sid, "one")
        await bench.service(service_sid, PostWebhookUrl="/service", Filters=MESSAGES)
        await bench.say(sid, "two")
        await bench.account(PostWebhookUrl="/other")
        await bench.service(service_sid, PostWebhookUrl="")
        await bench.say(sid, "three")
        await bench.account(PostWebhookUrl="")
        assert await bench.told() == [
            ("POST /account", "one"),
            ("POST /other", "three"),
            ("POST /service", "two"),
        ]

    play(tmp_path, scene)


def test_the_end_of_a_conversation_reaches_its_webhooks_of_the_time(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        sid = (await bench.house.do("CreateConversation")).sid
        names = ["onMessageAdded", "onMessageRemoved", "onConversationRemoved"]
        first = await bench.attach(sid, Url="/a", Filters=names)
        message = await bench.house.say(sid, "hello", WITH_HEADER)
        await bench.attach(sid, Url="/b", Filters=names)
        await bench.detach(sid, first.sid)
        here = {"ConversationSid": sid, "Sid": message.sid}
        await bench.house.do("DeleteConversationMessage", origin=WITH_HEADER, **here)
        await bench.house.do("DeleteConversation", origin=WITH_HEADER, Sid=sid)
        # An event that is read without an earlier one of its conversation.
        quiet = (await bench.house.do("CreateConversation")).sid
        await bench.attach(quiet, Url="/c", Filters=names)
        await bench.house.do("DeleteConversation", origin=WITH_HEADER, Sid=quiet)
        await bench.told(restarts=True)
        got = sorted((each.path, each.event) for each in bench.hooks.told)
        assert got == [
            ("/a", "onMessageAdded"),
            ("/b", "onConversationRemoved"),
            ("/b", "onMessageRemoved"),
            ("/c", "onConversationRemoved"),
        ]

    play(tmp_path, scene)


SERVICE_WEBHOOKS = (
    "SELECT sid FROM scoped_webhook WHERE account_sid = $1 AND service_sid = $2 LIMIT 9"
)


def test_a_deleted_service_keeps_its_webhooks_until_the_intake_has_passed(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        house = bench.house
        service_sid = (await house.do("CreateService", {"FriendlyName": "x"})).sid
        inside = {"ChatServiceSid": service_sid}
        await bench.account(PostWebhookUrl="/account", Filters=MESSAGES)
        await bench.service(service_sid, PostWebhookUrl="/service", Filters=MESSAGES)
        made = await house.do("CreateServiceConversation", **inside)
        here = inside | {"ConversationSid": made.sid}
        form: Any = {"Target": "webhook", "Configuration.Url": bench.hooks.url("/scoped")}
        form["Configuration.Filters"] = MESSAGES
        await house.do("CreateServiceConversationScopedWebhook", form, **here)
        body: Any = {"Body": "last"}
        await house.do("CreateServiceConversationMessage", body, origin=WITH_HEADER, **here)
        await house.do("DeleteService", Sid=service_sid)
        scope = Scope(ACCOUNT_SID, service_sid)

        async def webhooks(tx: Transaction) -> int:
            return len(await tx.all(SERVICE_WEBHOOKS, scope.account_sid, service_sid))

        async def is_held(tx: Transaction) -> bool:
            return await event_log.webhook_change_is_pending(tx, scope, service_sid)

        assert await house.store.read(is_held)
        for _ in range(3):  # The purge comes by, and leaves the service for later.
            await house.app.scheduler.run_due()
        assert await house.store.read(webhooks) == 1
        told = await bench.told()
        assert told == [("POST /scoped", "last"), ("POST /service", "last")]

        async def is_gone() -> bool:
            return not await house.store.read(webhooks)

        await until_read(is_gone)

    play(tmp_path, scene)


def test_what_waits_for_its_turn_is_sent_after_its_webhook_was_detached(tmp_path: Path) -> None:
    """But not what waits behind a retry, and what fails afterwards is not retried."""

    async def scene(bench: Bench) -> None:
        sid = (await bench.house.do("CreateConversation")).sid
        bench.hooks.answers["/bad"] = answer(500)
        good = await bench.attach(sid, Url="/good", Filters=MESSAGES)
        bad = await bench.attach(sid, Url="/bad", Filters=MESSAGES)
        for number in range(20):
            await bench.say(sid, f"{number:02}")
        await bench.detach(sid, good.sid)
        await bench.detach(sid, bad.sid)
        told = await bench.told()
        assert [body for where, body in told if where == "POST /good"] == [
            f"{number:02}" for number in range(20)
        ]
        at_bad = [body for where, body in told if where == "POST /bad"]
        assert at_bad == [f"{number:02}" for number in range(20)]
        filters = webhook_attempt_store.AttemptFilters(outcome=webhook_attempt_store.STOPPED)
        request = PageRequest(0, 50, None)
        stopped = await bench.house.store.read(
            lambda tx: webhook_attempt_store.list_attempts(tx, bench.house.scope, filters, request)
        )
        assert {each.attempt.status for each in stopped} == {500}
        assert len(stopped) == 20
        assert {each.delivery.webhook_sid for each in stopped if each.delivery} == {bad.sid}

    play(tmp_path, scene)


FORGET_SETTINGS = "DELETE FROM event WHERE account_sid = $1 AND name = 'webhooksChanged'"


def test_a_backlog_of_an_earlier_version_goes_by_the_settings_of_the_upgrade(
    tmp_path: Path,
) -> None:
    """Its log does not have the settings before a change; a webhook's age is known all the same."""

    async def scene(bench: Bench) -> None:
        sid = (await bench.house.do("CreateConversation")).sid
        await bench.account(PostWebhookUrl="/a", Filters=MESSAGES)
        await bench.say(sid, "first")
        await bench.account(PostWebhookUrl="/b")
        await bench.attach(sid, Url="/scoped", Filters=[*MESSAGES, "onConversationRemoved"])
        await bench.say(sid, "second")
        await bench.house.store.write(lambda tx: tx.run(FORGET_SETTINGS, ACCOUNT_SID))
        await bench.house.do("DeleteConversation", origin=WITH_HEADER, Sid=sid)
        assert await bench.told(restarts=True) == [
            ("POST /b", "first"),
            ("POST /b", "second"),
            ("POST /scoped", "onConversationRemoved"),
            ("POST /scoped", "second"),
        ]

    play(tmp_path, scene)
