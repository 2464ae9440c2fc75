"""``parlour carriers inbound``: messages that were given up are listed, and processed again."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from structlog.testing import capture_logs

from parlour.channels.carrier import InboundMedium
from parlour.resources.inbound import actions as inbound_actions
from parlour.resources.inbox import store as inbox_store
from parlour.resources.inbox.message import decode_message, encode_message
from parlour.vocabulary import limits, sids
from parlour.vocabulary.clock import SystemClock
from tests.events.in_process_server import ACCOUNT_SID, Form, poll_until
from tests.events.inbound_setup import (
    OWN,
    PHONE,
    SECOND_OWN,
    SECOND_PHONE,
    InboundSetup,
    ScenarioRunner,
    scenario_runner,
    text_message,
)
from tests.events.test_inbound_effects import set_state
from tests.events.test_inbound_faults import DROP_AS_WELL, PROCESSING, plant_fault
from tests.events.test_inbound_keywords import is_opted_out
from tests.events.test_inbound_mail import help_desk, mail
from tests.resources.test_frozen_clock import FrozenClock
from tests.support.preloaded_servers import template

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from subprocess import CompletedProcess

    from parlour.channels.carrier import InboundMessage
    from parlour.resources.inbox.store import InboundKey
    from parlour.store.transaction import Transaction

HOUR_MS = 60 * 60 * 1000
GROUP = (SECOND_PHONE, OWN, SECOND_OWN)
PICTURE = InboundMedium("image/png", "cat.png", b"a picture")


@pytest.fixture
def run_scenario(tmp_path: Path) -> ScenarioRunner:
    """Return a function that runs a scenario on a separate server."""
    return scenario_runner(tmp_path)


@contextmanager
def a_fault(body: str, *places: tuple[Any, str]) -> Iterator[None]:
    """Make each attempt to process messages with this body fail, and give them up at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "INBOX_ATTEMPTS_MAX", 1)
        for place in places or (PROCESSING,):
            plant_fault(patch, place, body)
        yield


async def give_up(
    setup: InboundSetup, message: InboundMessage, *places: tuple[Any, str]
) -> InboundKey:
    """Accept a message that cannot be processed; return its key once it is given up."""
    with a_fault(message.body or "", *places):
        key = await setup.accept(message)
        await setup.inbound.outcome(key)
    return key


async def parlour(setup: InboundSetup, *arguments: str) -> CompletedProcess[str]:
    """Run a command of `parlour carriers inbound` for the account, while the server runs."""
    settings = setup.instance._settings
    store = {"PARLOUR_DATA": str(settings.data), "PARLOUR_DATABASE": settings.database}
    name, *others = arguments
    line = ["carriers", "inbound", name, ACCOUNT_SID, *others]
    environment = {**os.environ, **store}
    return await asyncio.to_thread(template().run, line, environment, settings.data, 30)


async def given_up(setup: InboundSetup, *options: str) -> list[dict[str, Any]]:
    """Return what the list shows, as JSON."""
    done = await parlour(setup, "list", "--json", *options)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


async def replay(setup: InboundSetup, *keys: InboundKey) -> None:
    """Replay all messages; return once the server has processed these."""
    done = await parlour(setup, "replay", "--all")
    assert (done.returncode, done.stdout) == (0, f"replayed {len(keys)}\n"), done.stderr
    for key in keys:
        await setup.inbound.outcome(key)


async def replay_now(setup: InboundSetup) -> None:
    """Do what the command does by the clock of the server: a command has another clock."""
    scope = setup.instance.scope
    await setup.instance.store.write(lambda tx: inbound_actions.replay_range(tx, scope, 0, None))


async def bodies(setup: InboundSetup, conversation_sid: str) -> list[str | None]:
    return [each.body for each in await setup.messages(conversation_sid)]


def test_a_message_that_was_given_up_is_listed_and_a_replay_adds_it_once(
    run_scenario: ScenarioRunner,
) -> None:
    """The log names the replay and its outcome; the list is empty afterwards."""

    async def scenario(setup: InboundSetup) -> None:
        conversation = await setup.converse()
        key = await give_up(setup, text_message("broken"))
        (row,) = await given_up(setup)
        entry = await setup.entry(key)
        assert row["sid"] == entry.channel_message_sid
        assert (row["account_sid"], row["provider_id"]) == (ACCOUNT_SID, key.provider_id)
        assert (row["from"], row["to"], row["channel"]) == (PHONE, OWN, "sms")
        assert (row["body"], row["media"], row["carrier"]) == ("broken", 0, "virtual")
        assert "ZeroDivisionError" in row["reason"]
        text = await parlour(setup, "list")
        assert text.stdout.startswith(f"{row['date_created']}  {row['sid']}  virtual  {PHONE} -> ")
        assert "broken" not in text.stdout

        with capture_logs() as logged:
            done = await parlour(setup, "replay", row["sid"], "--json")
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout) == {"replayed": 1, "left": 0}
            result = await setup.inbound.outcome(key)
            await poll_until(lambda: named(logged, "inbound_message_replayed"))
        assert (result.outcome, result.conversation_sid) == ("conversation", conversation.sid)
        (line,) = await named(logged, "inbound_message_replayed")
        assert (line["account_sid"], line["outcome"]) == (ACCOUNT_SID, "conversation")
        assert (line["provider_id"], line["sid"]) == (key.provider_id, row["sid"])
        assert await bodies(setup, conversation.sid) == ["broken"]

        assert await given_up(setup) == []
        again = await parlour(setup, "replay", row["sid"])
        assert again.returncode == 1
        text_of_error = f"Error: no message {row['sid']} of {ACCOUNT_SID} was given up\n"
        assert again.stderr == text_of_error
        everything = await parlour(setup, "replay", "--all")
        assert (everything.returncode, everything.stdout) == (0, "replayed 0\n")
        assert await setup.accept(text_message("broken", provider_id=key.provider_id)) == key
        assert await bodies(setup, conversation.sid) == ["broken"]

    run_scenario(scenario)


async def named(logged: list[Any], event: str) -> list[Any]:
    return [each for each in logged if each["event"] == event]


async def insert_copies(
    setup: InboundSetup, key: InboundKey, count: int, **members: Any
) -> list[InboundKey]:
    """Insert copies of the row of a message, with numbered texts; return their keys."""
    entry = await setup.entry(key)
    message = decode_message(entry.content or "")

    async def insert(tx: Transaction) -> list[InboundKey]:
        keys = []
        for number in range(count):
            content = msgspec.structs.replace(message, body=f"{message.body} {number}")
            copy = msgspec.structs.replace(
                entry,
                provider_id=f"{entry.provider_id} {number}",
                channel_message_sid=tx.new_sid(sids.SMS),
                sequence=tx.next_sequence(),
                content=encode_message(content),
                **members,
            )
            assert await inbox_store.insert_entry(tx, setup.instance.scope, copy)
            keys.append(copy.key)
        return keys

    return await setup.instance.store.write(insert)


def test_all_messages_are_replayed_in_their_order_in_bounded_steps(
    run_scenario: ScenarioRunner,
) -> None:
    more = limits.INBOX_REPLAYED_PER_STEP_MAX + 1

    async def scenario(setup: InboundSetup) -> None:
        conversation = await setup.converse()
        key = await give_up(setup, text_message("text"))
        copies = await insert_copies(setup, key, more)
        names = ["text", *(f"text {number}" for number in range(more))]
        listed = await given_up(setup, "--limit", "1000")
        assert [each["body"] for each in listed] == names[::-1]
        assert await given_up(setup, "--limit", "2") == listed[:2]
        await replay(setup, key, *copies)
        assert await bodies(setup, conversation.sid) == names

    run_scenario(scenario)


def test_a_replay_leaves_room_in_the_inbox_and_reports_what_is_left(
    run_scenario: ScenarioRunner,
) -> None:
    """Messages of another lane wait, which are due much later."""

    async def scenario(setup: InboundSetup) -> None:
        conversation = await setup.converse()
        keys = [await give_up(setup, text_message(str(number))) for number in range(2)]
        waiting = {"state": inbox_store.PENDING, "lane": "another", "due_ms": sys.maxsize}
        most = limits.INBOX_REPLAY_BACKLOG_MAX
        await insert_copies(setup, keys[0], most - 1, **waiting)
        done = await parlour(setup, "replay", "--all", "--json")
        assert (done.returncode, json.loads(done.stdout)) == (1, {"replayed": 1, "left": 1})
        assert f"1 left, as the inbox of {ACCOUNT_SID} is full" in done.stderr
        await setup.inbound.outcome(keys[0])
        assert (await parlour(setup, "replay", "--all")).stdout == "replayed 1\n"
        await setup.inbound.outcome(keys[1])
        assert await bodies(setup, conversation.sid) == ["0", "1"]

    run_scenario(scenario)


def test_a_message_that_fails_again_is_given_up_again(run_scenario: ScenarioRunner) -> None:
    """A message whose content cannot be read is listed without it, and does not end a replay."""

    async def scenario(setup: InboundSetup) -> None:
        await setup.converse()
        key = await give_up(setup, text_message("broken"))

        async def break_content(tx: Any) -> None:
            entry = await inbox_store.lock_entry(tx, setup.instance.scope, *key[1:])
            assert entry is not None
            after = msgspec.structs.replace(entry, content="{}")
            await inbox_store.update_entry(tx, setup.instance.scope, entry, after)

        await setup.instance.store.write(break_content)
        (before,) = await given_up(setup)
        assert (before["from"], before["body"], before["media"]) == (None, None, None)
        with a_fault("broken"):
            await replay(setup, key)
        (after,) = await given_up(setup)
        assert after["sid"] == before["sid"]
        assert "ValidationError" in after["reason"]

    run_scenario(scenario)


@pytest.mark.parametrize("places", [(PROCESSING,), (PROCESSING, DROP_AS_WELL)])
def test_a_replay_applies_an_opt_out_word_once(
    run_scenario: ScenarioRunner, places: tuple[tuple[Any, str], ...]
) -> None:
    """Who has sent START since then is not opted out again by the replay of an applied STOP."""

    async def scenario(setup: InboundSetup) -> None:
        conversation = await setup.converse()
        key = await give_up(setup, text_message("STOP"), *places)
        is_applied = len(places) == 1
        assert await is_opted_out(setup) is is_applied
        await setup.receive(text_message("START"))
        await replay(setup, key)
        assert await is_opted_out(setup) is not is_applied
        assert (await setup.entry(key)).outcome == "opted_out"
        assert await bodies(setup, conversation.sid) == ["START", "STOP"]

    run_scenario(scenario)


def test_the_replay_of_a_mail_whose_copy_arrived_adds_no_second_message(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        desk = await help_desk(setup)
        key = await give_up(setup, mail("A question"))
        copy = mail("A question", receiver="sales@example.com", conversation_sid=desk.sid)
        assert (await setup.receive(copy)).conversation_sid == desk.sid
        await replay(setup, key)
        assert (await setup.entry(key)).conversation_sid == desk.sid
        assert await bodies(setup, desk.sid) == ["A question"]

    run_scenario(scenario)


async def converse_in_group(setup: InboundSetup) -> str:
    """Create a group of two phones and two own numbers; return its SID."""
    conversation = await setup.instance.do("CreateConversation")
    for phone in (PHONE, SECOND_PHONE):
        await setup.add(conversation.sid, Address=phone)
    for own in (OWN, SECOND_OWN):
        form: Form = {"Identity": own, "MessagingBinding.ProjectedAddress": own}
        await setup.instance.do(
            "CreateConversationParticipant", form, ConversationSid=conversation.sid
        )
    sid: str = conversation.sid
    return sid


def test_a_later_group_text_at_another_number_is_not_taken_for_the_replayed_one(
    tmp_path: Path,
) -> None:
    """Copies arrive within a minute of their message, however late that is replayed."""
    clock = FrozenClock(SystemClock().now_ms())

    async def scenario(setup: InboundSetup) -> None:
        sid = await converse_in_group(setup)
        key = await give_up(setup, text_message("ok", group=GROUP))
        clock.advance(limits.GROUP_COPIES_MS + 1)
        later = await setup.receive(text_message("ok", receiver=SECOND_OWN, group=GROUP))
        assert later.outcome == "conversation"
        await replay(setup, key)
        assert await bodies(setup, sid) == ["ok", "ok"]

    scenario_runner(tmp_path, clock=clock)(scenario)


@pytest.mark.parametrize("given_up_at", [OWN, SECOND_OWN])
def test_a_group_text_arrives_once_if_one_of_its_copies_was_given_up(
    run_scenario: ScenarioRunner, given_up_at: str
) -> None:
    """The other copy is added, the replay is a copy of it, and the same text again is added."""

    async def scenario(setup: InboundSetup) -> None:
        sid = await converse_in_group(setup)
        keys = []
        for own in (OWN, SECOND_OWN):
            copy = text_message("ok", receiver=own, group=GROUP)
            keys.append(await (give_up if own == given_up_at else accepted)(setup, copy))
        assert await bodies(setup, sid) == ["ok"]
        for own in (OWN, SECOND_OWN):
            await setup.receive(text_message("ok", receiver=own, group=GROUP))
        assert await bodies(setup, sid) == ["ok", "ok"]
        lost = keys[given_up_at == SECOND_OWN]
        await replay(setup, lost)
        assert (await setup.entry(lost)).is_copy
        assert await bodies(setup, sid) == ["ok", "ok"]

    run_scenario(scenario)


async def accepted(setup: InboundSetup, message: InboundMessage) -> InboundKey:
    """Accept a message; return its key once it is processed."""
    key = await setup.accept(message)
    await setup.inbound.outcome(key)
    return key


def test_media_are_stored_as_long_as_their_message_can_be_replayed(tmp_path: Path) -> None:
    clock = FrozenClock(SystemClock().now_ms())

    async def scenario(setup: InboundSetup) -> None:
        conversation = await setup.converse()
        key = await give_up(setup, text_message("a cat", media=(PICTURE,)))
        clock.advance(limits.INBOX_RETENTION_HOURS * HOUR_MS - HOUR_MS)
        await setup.instance.app.scheduler.run_due()
        await replay_now(setup)
        await setup.inbound.outcome(key)
        (message,) = await setup.messages(conversation.sid)
        assert [each["filename"] for each in json.loads(message.media or "[]")] == ["cat.png"]

    scenario_runner(tmp_path, clock=clock)(scenario)


def test_a_replayed_message_waits_for_its_initializing_conversation(tmp_path: Path) -> None:
    """Its wait begins with the replay, not with the message."""
    clock = FrozenClock(SystemClock().now_ms())

    async def scenario(setup: InboundSetup) -> None:
        conversation = await setup.converse()
        key = await give_up(setup, text_message("broken"))
        await set_state(setup, conversation.sid, "initializing")
        clock.advance(limits.INITIALIZING_WAIT_MS + 1)
        await replay_now(setup)
        await poll_until(lambda: is_deferred(setup, key))
        await set_state(setup, conversation.sid, "active")
        clock.advance(limits.INITIALIZING_RETRY_MS)
        assert (await setup.inbound.outcome(key)).conversation_sid == conversation.sid

    async def is_deferred(setup: InboundSetup, key: InboundKey) -> bool:
        entry = await setup.entry(key)
        assert entry.state == inbox_store.PENDING, entry.reason
        return entry.due_ms == clock.now_ms() + limits.INITIALIZING_RETRY_MS

    scenario_runner(tmp_path, clock=clock)(scenario)


@pytest.mark.parametrize("arguments", [(), ("SM1", "--all")])
def test_a_replay_that_names_no_message_or_one_and_all_is_refused(
    run_scenario: ScenarioRunner, arguments: tuple[str, ...]
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        done = await parlour(setup, "replay", *arguments)
        assert done.returncode == 2
        assert "name the SID of one message, or --all" in done.stderr

    run_scenario(scenario)
