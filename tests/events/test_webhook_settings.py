"""Webhook settings count as they were when an event was committed, however late it is read.

Each test holds the intake back while events and changes of settings are made, in the three scopes
and in both directions, and compares what the receiver got afterwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from parlour.protocol.pages import PageRequest
from parlour.resources.webhook_attempts import store as webhook_attempt_store
from parlour.resources.webhook_attempts.store import LoggedOutcome
from parlour.store import event_log
from parlour.vocabulary.scope import Scope
from tests.events.held_intake import HeldIntakeServer, run_with_held_intake
from tests.events.in_process_server import ACCOUNT_SID, WITH_HEADER, poll_until
from tests.events.webhook_backend import respond_with

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.store.transaction import Transaction

FLOW_SIDS = ["FW" + "0" * 31 + digit for digit in "12"]


class SettingsChange(NamedTuple):
    """Settings before and after; the targets of messages before and after the change."""

    before: dict[str, Any]
    after: dict[str, Any]
    first: str | None
    second: str | None


NOTHING: dict[str, Any] = {"PostWebhookUrl": "", "Method": "POST", "Filters": ["onUserUpdated"]}
MESSAGES, CONVERSATIONS = ["onMessageAdded"], ["onConversationUpdated"]
OF_CONFIGURATION = {
    "another URL": SettingsChange(
        {"PostWebhookUrl": "/a", "Filters": MESSAGES},
        {"PostWebhookUrl": "/b"},
        "POST /a",
        "POST /b",
    ),
    "another method": SettingsChange(
        {"PostWebhookUrl": "/a", "Filters": MESSAGES}, {"Method": "GET"}, "POST /a", "GET /a"
    ),
    "narrower filters": SettingsChange(
        {"PostWebhookUrl": "/a", "Filters": MESSAGES + CONVERSATIONS},
        {"Filters": CONVERSATIONS},
        "POST /a",
        None,
    ),
    "wider filters": SettingsChange(
        {"PostWebhookUrl": "/a", "Filters": CONVERSATIONS},
        {"Filters": MESSAGES + CONVERSATIONS},
        None,
        "POST /a",
    ),
    "no URL any more": SettingsChange(
        {"PostWebhookUrl": "/a", "Filters": MESSAGES}, {"PostWebhookUrl": ""}, "POST /a", None
    ),
    "a first URL": SettingsChange({"Filters": MESSAGES}, {"PostWebhookUrl": "/a"}, None, "POST /a"),
}
OF_ACCOUNT = OF_CONFIGURATION | {
    "another target": SettingsChange(
        {"PostWebhookUrl": "/a", "Filters": MESSAGES}, {"Target": "flex"}, "POST /a", None
    ),
    "webhooks again": SettingsChange(
        {"PostWebhookUrl": "/a", "Filters": MESSAGES, "Target": "flex"},
        {"Target": "webhook"},
        None,
        "POST /a",
    ),
}
OF_CONVERSATION = {
    "another URL": SettingsChange(
        {"Url": "/a", "Filters": MESSAGES}, {"Url": "/b"}, "POST /a", "POST /b"
    ),
    "another method": SettingsChange(
        {"Url": "/a", "Filters": MESSAGES}, {"Method": "GET"}, "POST /a", "GET /a"
    ),
    "narrower filters": SettingsChange(
        {"Url": "/a", "Filters": MESSAGES + CONVERSATIONS},
        {"Filters": CONVERSATIONS},
        "POST /a",
        None,
    ),
    "wider filters": SettingsChange(
        {"Url": "/a", "Filters": CONVERSATIONS}, {"Filters": MESSAGES}, None, "POST /a"
    ),
    "fewer triggers": SettingsChange(
        {"Target": "trigger", "Url": "/a", "Triggers": ["first", "second"]},
        {"Triggers": ["third"]},
        "POST /a",
        None,
    ),
    "more triggers": SettingsChange(
        {"Target": "trigger", "Url": "/a", "Triggers": ["third"]},
        {"Triggers": ["third", "first", "second"]},
        None,
        "POST /a",
    ),
    "another flow": SettingsChange(
        {"Target": "studio", "FlowSid": FLOW_SIDS[0]},
        {"FlowSid": FLOW_SIDS[1]},
        f"POST /flows/v1/Accounts/{ACCOUNT_SID}/Flows/{FLOW_SIDS[0]}",
        f"POST /flows/v1/Accounts/{ACCOUNT_SID}/Flows/{FLOW_SIDS[1]}",
    ),
}


def wanted(changes: dict[str, SettingsChange]) -> list[tuple[str, str]]:
    """The receiver's requests for the messages around all these changes."""
    found = []
    for name, change in changes.items():
        sides = ((change.first, f"first of {name}"), (change.second, f"second of {name}"))
        found += [(where, body) for where, body in sides if where is not None]
    return sorted(found)


def test_changes_of_the_account_apply_to_later_events(tmp_path: Path) -> None:
    async def scenario(held_server: HeldIntakeServer) -> None:
        sid = (await held_server.instance.do("CreateConversation")).sid
        for name, change in OF_ACCOUNT.items():
            await held_server.account(**NOTHING, Target="webhook")
            await held_server.account(**change.before)
            await held_server.send_message(sid, f"first of {name}")
            await held_server.account(**change.after)
            await held_server.send_message(sid, f"second of {name}")
        await held_server.account(**NOTHING)
        assert await held_server.received() == wanted(OF_ACCOUNT)

    run_with_held_intake(tmp_path, scenario)


def test_changes_of_a_service_apply_to_later_events(tmp_path: Path) -> None:
    async def scenario(held_server: HeldIntakeServer) -> None:
        sid = (await held_server.instance.do("CreateConversation")).sid
        service_sid = held_server.instance.scope.service_sid
        for name, change in OF_CONFIGURATION.items():
            await held_server.service(service_sid, **NOTHING)
            await held_server.service(service_sid, **change.before)
            await held_server.send_message(sid, f"first of {name}")
            await held_server.service(service_sid, **change.after)
            await held_server.send_message(sid, f"second of {name}")
        await held_server.service(service_sid, **NOTHING)
        assert await held_server.received(restarts=True) == wanted(OF_CONFIGURATION)

    run_with_held_intake(tmp_path, scenario)


def test_changes_of_scoped_webhooks_apply_to_later_events(tmp_path: Path) -> None:
    async def scenario(held_server: HeldIntakeServer) -> None:
        for name, change in OF_CONVERSATION.items():
            sid = (await held_server.instance.do("CreateConversation")).sid
            webhook = await held_server.attach(sid, **change.before)
            await held_server.send_message(sid, f"first of {name}")
            await held_server.update(sid, webhook.sid, **change.after)
            await held_server.send_message(sid, f"second of {name}")
            await held_server.detach(sid, webhook.sid)
        assert await held_server.received() == wanted(OF_CONVERSATION)

    run_with_held_intake(tmp_path, scenario)


@pytest.mark.parametrize("restarts", [False, True])
def test_a_scoped_webhook_receives_events_committed_while_it_existed(
    tmp_path: Path, restarts: bool
) -> None:
    async def scenario(held_server: HeldIntakeServer) -> None:
        sid = (await held_server.instance.do("CreateConversation")).sid
        await held_server.send_message(sid, "before")
        webhook = await held_server.attach(sid, Url="/a", Filters=MESSAGES)
        other = await held_server.attach(sid, Url="/b", Filters=MESSAGES)
        await held_server.send_message(sid, "first")
        await held_server.send_message(sid, "second")
        await held_server.detach(sid, webhook.sid)
        await held_server.send_message(sid, "after")
        await held_server.detach(sid, other.sid)
        await held_server.send_message(sid, "last")
        assert await held_server.received(restarts=restarts) == [
            ("POST /a", "first"),
            ("POST /a", "second"),
            ("POST /b", "after"),
            ("POST /b", "first"),
            ("POST /b", "second"),
        ]

    run_with_held_intake(tmp_path, scenario)


def test_a_service_that_takes_over_from_its_account_does_so_from_then_on(tmp_path: Path) -> None:
    async def scenario(held_server: HeldIntakeServer) -> None:
        sid = (await held_server.instance.do("CreateConversation")).sid
        service_sid = held_server.instance.scope.service_sid
        await held_server.account(PostWebhookUrl="/account", Filters=MESSAGES)
        await held_server.send_message(sid, "one")
        await held_server.service(service_sid, PostWebhookUrl="/service", Filters=MESSAGES)
        await held_server.send_message(sid, "two")
        await held_server.account(PostWebhookUrl="/other")
        await held_server.service(service_sid, PostWebhookUrl="")
        await held_server.send_message(sid, "three")
        await held_server.account(PostWebhookUrl="")
        assert await held_server.received() == [
            ("POST /account", "one"),
            ("POST /other", "three"),
            ("POST /service", "two"),
        ]

    run_with_held_intake(tmp_path, scenario)


def test_the_end_of_a_conversation_reaches_its_webhooks_of_the_time(tmp_path: Path) -> None:
    async def scenario(held_server: HeldIntakeServer) -> None:
        sid = (await held_server.instance.do("CreateConversation")).sid
        names = ["onMessageAdded", "onMessageRemoved", "onConversationRemoved"]
        first = await held_server.attach(sid, Url="/a", Filters=names)
        message = await held_server.instance.send_message(sid, "hello", WITH_HEADER)
        await held_server.attach(sid, Url="/b", Filters=names)
        await held_server.detach(sid, first.sid)
        here = {"ConversationSid": sid, "Sid": message.sid}
        await held_server.instance.do("DeleteConversationMessage", origin=WITH_HEADER, **here)
        await held_server.instance.do("DeleteConversation", origin=WITH_HEADER, Sid=sid)
        # An event that is read without an earlier one of its conversation.
        quiet = (await held_server.instance.do("CreateConversation")).sid
        await held_server.attach(quiet, Url="/c", Filters=names)
        await held_server.instance.do("DeleteConversation", origin=WITH_HEADER, Sid=quiet)
        await held_server.received(restarts=True)
        got = sorted((each.path, each.event) for each in held_server.backend.requests)
        assert got == [
            ("/a", "onMessageAdded"),
            ("/b", "onConversationRemoved"),
            ("/b", "onMessageRemoved"),
            ("/c", "onConversationRemoved"),
        ]

    run_with_held_intake(tmp_path, scenario)


SERVICE_WEBHOOKS = (
    "SELECT sid FROM scoped_webhook WHERE account_sid = $1 AND service_sid = $2 LIMIT 9"
)


def test_a_deleted_service_keeps_its_webhooks_until_the_intake_has_passed(tmp_path: Path) -> None:
    async def scenario(held_server: HeldIntakeServer) -> None:
        instance = held_server.instance
        service_sid = (await instance.do("CreateService", {"FriendlyName": "x"})).sid
        inside = {"ChatServiceSid": service_sid}
        await held_server.account(PostWebhookUrl="/account", Filters=MESSAGES)
        await held_server.service(service_sid, PostWebhookUrl="/service", Filters=MESSAGES)
        made = await instance.do("CreateServiceConversation", **inside)
        here = inside | {"ConversationSid": made.sid}
        form: Any = {"Target": "webhook", "Configuration.Url": held_server.backend.url("/scoped")}
        form["Configuration.Filters"] = MESSAGES
        await instance.do("CreateServiceConversationScopedWebhook", form, **here)
        body: Any = {"Body": "last"}
        await instance.do("CreateServiceConversationMessage", body, origin=WITH_HEADER, **here)
        await instance.do("DeleteService", Sid=service_sid)
        scope = Scope(ACCOUNT_SID, service_sid)

        async def webhooks(tx: Transaction) -> int:
            return len(await tx.all(SERVICE_WEBHOOKS, scope.account_sid, service_sid))

        async def is_held(tx: Transaction) -> bool:
            return await event_log.webhook_change_is_pending(tx, scope, service_sid)

        assert await instance.store.read(is_held)
        for _ in range(3):  # The purge runs, and leaves the service for later.
            await instance.app.scheduler.run_due()
        assert await instance.store.read(webhooks) == 1
        received = await held_server.received()
        assert received == [("POST /scoped", "last"), ("POST /service", "last")]

        async def is_gone() -> bool:
            return not await instance.store.read(webhooks)

        await poll_until(is_gone)

    run_with_held_intake(tmp_path, scenario)


def test_queued_deliveries_are_sent_after_their_webhook_was_detached(tmp_path: Path) -> None:
    """Except deliveries that wait behind a retry; later failures are not retried."""

    async def scenario(held_server: HeldIntakeServer) -> None:
        sid = (await held_server.instance.do("CreateConversation")).sid
        held_server.backend.responders["/bad"] = respond_with(500)
        good = await held_server.attach(sid, Url="/good", Filters=MESSAGES)
        bad = await held_server.attach(sid, Url="/bad", Filters=MESSAGES)
        for number in range(20):
            await held_server.send_message(sid, f"{number:02}")
        await held_server.detach(sid, good.sid)
        await held_server.detach(sid, bad.sid)
        received = await held_server.received()
        assert [body for where, body in received if where == "POST /good"] == [
            f"{number:02}" for number in range(20)
        ]
        at_bad = [body for where, body in received if where == "POST /bad"]
        assert at_bad == [f"{number:02}" for number in range(20)]
        filters = webhook_attempt_store.AttemptFilters(outcome=LoggedOutcome.STOPPED)
        request = PageRequest(0, 50, None)
        stopped = await held_server.instance.store.read(
            lambda tx: webhook_attempt_store.list_attempts(
                tx, held_server.instance.scope, filters, request
            )
        )
        assert {each.attempt.status for each in stopped} == {500}
        assert len(stopped) == 20
        assert {each.delivery.webhook_sid for each in stopped if each.delivery} == {bad.sid}

    run_with_held_intake(tmp_path, scenario)


FORGET_SETTINGS = "DELETE FROM event WHERE account_sid = $1 AND name = 'webhooksChanged'"


def test_a_backlog_of_an_earlier_version_uses_the_settings_of_the_upgrade(
    tmp_path: Path,
) -> None:
    """Its log lacks the settings before a change; a webhook's age is known nevertheless."""

    async def scenario(held_server: HeldIntakeServer) -> None:
        sid = (await held_server.instance.do("CreateConversation")).sid
        await held_server.account(PostWebhookUrl="/a", Filters=MESSAGES)
        await held_server.send_message(sid, "first")
        await held_server.account(PostWebhookUrl="/b")
        await held_server.attach(sid, Url="/scoped", Filters=[*MESSAGES, "onConversationRemoved"])
        await held_server.send_message(sid, "second")
        await held_server.instance.store.write(lambda tx: tx.run(FORGET_SETTINGS, ACCOUNT_SID))
        await held_server.instance.do("DeleteConversation", origin=WITH_HEADER, Sid=sid)
        assert await held_server.received(restarts=True) == [
            ("POST /b", "first"),
            ("POST /b", "second"),
            ("POST /scoped", "onConversationRemoved"),
            ("POST /scoped", "second"),
        ]

    run_with_held_intake(tmp_path, scenario)
