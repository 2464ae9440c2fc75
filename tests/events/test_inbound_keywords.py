"""Opt-out keywords: which words count, whom they concern, and which replies are sent."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from parlour.resources.carrier_numbers.store import CarrierNumber, OptOutSettings
from parlour.resources.opt_outs import store as opt_out_store
from tests.events.in_process_server import ACCOUNT_SID
from tests.events.inbound_setup import (
    OWN,
    PHONE,
    SECOND_PHONE,
    SERVICE,
    InboundSetup,
    ScenarioRunner,
    scenario_runner,
    text_message,
)
from tests.events.webhook_backend import respond_with

if TYPE_CHECKING:
    from pathlib import Path


QUEUED = "SELECT 1 FROM submission WHERE conversation_sid = '' AND state = 'queued' LIMIT 1"
REPLIES = """
SELECT sender, address, body FROM virtual_phone_message
 WHERE direction = 'received' AND message_sid IS NULL ORDER BY sequence LIMIT 100
"""
TOLL_FREE = "+18885550100"


@pytest.fixture
def run_scenario(tmp_path: Path) -> ScenarioRunner:
    """Return a function that runs a scenario on a separate server."""
    return scenario_runner(tmp_path)


async def is_opted_out(
    setup: InboundSetup, service_sid: str | None = None, own: str = OWN, phone: str = PHONE
) -> bool:
    """Return whether the phone opted out of the own number's messages."""
    return await setup.instance.store.read(
        lambda tx: opt_out_store.is_opted_out(tx, setup.instance.scope, service_sid, own, phone)
    )


async def replies(setup: InboundSetup) -> list[tuple[str, str, str]]:
    """Return sender, recipient and text of automatic replies, once phones have all of them."""
    async with asyncio.timeout(10):
        # The state is in the database: there is no event to wait for.
        while await setup.instance.store.read(lambda tx: tx.one(QUEUED)):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    rows = await setup.instance.store.read(lambda tx: tx.all(REPLIES))
    return [(sender, address, body) for sender, address, body in rows]


@pytest.mark.channel("C37", "C38")
def test_stop_and_start_change_the_state_and_are_delivered_as_messages(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        conversation = await setup.converse()
        texts = OptOutSettings()
        stopped = await setup.receive(text_message(" stop "))
        assert (stopped.outcome, stopped.conversation_sid) == ("opted_out", conversation.sid)
        assert await is_opted_out(setup)
        assert not await is_opted_out(setup, phone=SECOND_PHONE)
        await setup.receive(text_message("Stop"))
        assert await replies(setup) == [(OWN, PHONE, texts.stop_text)]

        started = await setup.receive(text_message("START"))
        assert started.outcome == "conversation"
        assert not await is_opted_out(setup)
        await setup.receive(text_message("yes"))
        await setup.receive(text_message("help"))
        assert [text for _, _, text in await replies(setup)] == [
            texts.stop_text,
            texts.start_text,
            texts.help_text,
        ]
        # The words are messages of the conversation, the automatic replies are not.
        bodies = [each.body for each in await setup.messages(conversation.sid)]
        assert bodies == [" stop ", "Stop", "START", "yes", "help"]

    run_scenario(scenario)


@pytest.mark.parametrize("body", ["STOP PLEASE", "please stop", "stopp", "", "st op"])
def test_a_message_with_more_than_the_word_is_no_keyword(
    run_scenario: ScenarioRunner, body: str
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        await setup.converse()
        assert (await setup.receive(text_message(body or None))).outcome == "conversation"
        assert not await is_opted_out(setup)

    run_scenario(scenario)


def test_a_keyword_of_an_unbound_phone_counts_too(run_scenario: ScenarioRunner) -> None:
    async def scenario(setup: InboundSetup) -> None:
        result = await setup.receive(text_message("ARRET"))
        assert result.outcome == "opted_out"
        assert result.reason is not None
        assert await is_opted_out(setup)

    run_scenario(scenario)


def test_sms_and_rcs_share_opt_outs_and_whatsapp_has_none(run_scenario: ScenarioRunner) -> None:
    async def scenario(setup: InboundSetup) -> None:
        whatsapp = {"channel": "whatsapp", "sender": f"whatsapp:{PHONE}"}
        await setup.receive(text_message("STOP", receiver=f"whatsapp:{OWN}", **whatsapp))
        assert not await is_opted_out(setup, own=f"whatsapp:{OWN}", phone=f"whatsapp:{PHONE}")
        await setup.receive(
            text_message("STOP", channel="rcs", sender=f"rcs:{PHONE}", receiver=f"rcs:{OWN}")
        )
        assert await is_opted_out(setup)

    run_scenario(scenario)


def test_an_opt_out_of_a_messaging_service_covers_its_numbers(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        custom = OptOutSettings(stop_words=("HALT",), stop_text="", start_words=("GO",))
        await setup.use_numbers(
            CarrierNumber(OWN, ACCOUNT_SID, messaging_service_sid=SERVICE, opt_out=custom)
        )
        assert (await setup.receive(text_message("STOP"))).outcome == "dropped"
        assert (await setup.receive(text_message("halt"))).outcome == "opted_out"
        assert await is_opted_out(setup, SERVICE, own="+15017122699")
        assert not await is_opted_out(setup, None, own="+15017122699")
        assert await replies(setup) == []
        await setup.receive(text_message("go"))
        assert not await is_opted_out(setup, SERVICE)

    run_scenario(scenario)


def test_toll_free_numbers_have_their_own_words_and_no_reply_from_here(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        assert (await setup.receive(text_message("END", receiver=TOLL_FREE))).outcome == "dropped"
        await setup.receive(text_message("STOP", receiver=TOLL_FREE))
        assert await is_opted_out(setup, own=TOLL_FREE)
        await setup.receive(text_message("YES", receiver=TOLL_FREE))
        assert await is_opted_out(setup, own=TOLL_FREE)
        await setup.receive(text_message("UNSTOP", receiver=TOLL_FREE))
        assert not await is_opted_out(setup, own=TOLL_FREE)
        assert await replies(setup) == []

    run_scenario(scenario)


def test_short_codes_are_handled_only_in_a_messaging_service(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        await setup.receive(text_message("STOP", receiver="12345"))
        assert not await is_opted_out(setup, own="12345")
        await setup.use_numbers(CarrierNumber("12345", ACCOUNT_SID, messaging_service_sid=SERVICE))
        await setup.receive(text_message("STOP", receiver="12345"))
        assert await is_opted_out(setup, SERVICE, own="12345")

    run_scenario(scenario)


def test_a_rejected_message_still_opts_out(run_scenario: ScenarioRunner) -> None:
    async def scenario(setup: InboundSetup) -> None:
        await setup.listen()
        await setup.converse()
        setup.backend.responders["/pre"] = respond_with(403)
        result = await setup.receive(text_message("STOP"))
        assert (result.outcome, result.message_sid) == ("opted_out", None)
        assert await is_opted_out(setup)

    run_scenario(scenario)
