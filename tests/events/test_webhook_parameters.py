"""The parameters of webhooks: every event at every scope, from every source, name by name."""

from __future__ import annotations

import asyncio
import re
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from parlour.vocabulary import event_names
from parlour.vocabulary.origin import SILENT, Origin
from tests.events import webhook_parameter_tables
from tests.events.event_tour import HX, ME, OWN, ROBERT, TourResults, tour
from tests.events.in_process_server import ALICE, BY_SMS, WITH_HEADER

if TYPE_CHECKING:
    from collections.abc import Iterator

ORIGINS = {
    "api": SILENT,
    "header": WITH_HEADER,
    "client": ALICE,
    "sms": BY_SMS,
    "whatsapp": Origin("WHATSAPP", fires=True),
    "email": Origin("EMAIL", fires=True),
}
LEVELS = ("account", "service")
LOUD = tuple(source for source, origin in ORIGINS.items() if origin.fires)

# What no operation of the tour can bring about: a message from outside that a conversation is made
# for, and names of e-mail addresses, which only clients give.
BEYOND_THE_TOUR = {
    "Conversation": {
        *(f"MessagingBinding.{name}Address" for name in ("", "Author", "Projected", "Proxy")),
        *("MessageBody", "Media", "ChannelMetadata"),
    },
    "Participant": {"MessagingBinding.Name"},
}
SID = re.compile(r"[A-Z]{2}[0-9a-f]{32}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
JSON_NAMES = {"Attributes", "Media"}


@cache
def seen(source: str, level: str) -> TourResults:
    """Return the tour as this source; each runs once."""
    with TemporaryDirectory(prefix="parlour-tour-") as folder:
        return asyncio.run(tour(Path(folder) / "data", ORIGINS[source], level))


def expected(event: str, source: str) -> tuple[set[str], set[str]]:
    """Return the names that are always present, and the optional ones."""
    required = {
        *webhook_parameter_tables.COMMON.split(),
        *webhook_parameter_tables.names(event, "R"),
    }
    if event != "onDeliveryUpdated":
        required.add("Source")
        if source == "client":
            required.add("ClientIdentity")
    return required, webhook_parameter_tables.names(event, "O") - beyond_the_tour(event)


def beyond_the_tour(event: str) -> set[str]:
    """Return the names for which the tour has no value."""
    for noun, names in BEYOND_THE_TOUR.items():
        if event.startswith(f"on{noun}"):
            return names
    return set()


def cells() -> Iterator[Any]:
    """Every event, at every scope that receives it, from every source that fires."""
    for source in LOUD:
        for level in LEVELS:
            for event in webhook_parameter_tables.EVENTS:
                place = "before" if event in event_names.PRE_ACTION else "after"
                yield pytest.param(source, level, place, event, id=f"{event}-{level}-{source}")
                if event in event_names.SCOPED_FILTERS:
                    name = f"{event}-conversation-beside-{level}-{source}"
                    yield pytest.param(source, level, "scoped", event, id=name)


def test_the_reference_names_every_event() -> None:
    assert set(webhook_parameter_tables.EVENTS) == event_names.FILTERS


@pytest.mark.parametrize(("source", "level", "place", "event"), list(cells()))
def test_names_are_those_of_the_reference(source: str, level: str, place: str, event: str) -> None:
    received = seen(source, level).at(place, event)
    required, optional = expected(event, source)
    assert received
    for values in received:
        assert required <= set(values), event
        assert set(values) <= required | optional, event
        _check_values(values, source, seen(source, level).service_sid)
    # Each optional one was present once and absent once, so the tour covered both.
    names = [set(values) for values in received]
    unheard = {"onConversationAdded", "onConversationAdd"} if place == "scoped" else set()
    if event not in unheard:
        assert set.union(*names) == required | optional
        assert set.intersection(*names) == required


def _check_values(values: dict[str, str], source: str, service_sid: str) -> None:
    for name, text in values.items():
        assert text not in {"", "null", "None", "True", "False"}
        if name.startswith("Date") or name == "StateUpdated":
            assert TIME.fullmatch(text), name
        elif name.endswith("Sid"):
            assert SID.fullmatch(text), name
        elif name in JSON_NAMES:
            msgspec.json.decode(text)
        elif name.startswith("is"):
            assert text in {"true", "false"}
    assert values["RetryCount"] == "0"
    assert values["ChatServiceSid"] == service_sid
    if "Source" in values:
        assert values["Source"] == ORIGINS[source].source
        assert values.get("ClientIdentity") == ("alice" if source == "client" else None)


@pytest.mark.parametrize("level", LEVELS)
def test_the_api_calls_no_webhook_without_the_header(level: str) -> None:
    """Only reports of the carrier are published: they have no request with a header."""
    silent = seen("api", level)
    assert silent.before == []
    for place in ("after", "scoped"):
        assert {received.event for received in getattr(silent, place)} == {"onDeliveryUpdated"}


def test_the_conversation_webhook_receives_the_same_as_the_account_webhook() -> None:
    both = seen("client", "account")
    for event in event_names.SCOPED_FILTERS:
        assert both.at("scoped", event) == both.at("after", event)


def test_names_come_in_alphabetical_order() -> None:
    all_of = seen("client", "account")
    for received in (*all_of.before, *all_of.after):
        names = [name for name, _ in received.pairs]
        assert names == sorted(names)


# --- Values ---------------------------------------------------------------------------------


def first(event: str, place: str = "after", **having: str) -> dict[str, str]:
    """Return the first request of this event with these values."""
    for values in seen("client", "account").at(place, event):
        if having.items() <= values.items():
            return values
    raise AssertionError(having)


def test_a_message_event_has_the_sent_text() -> None:
    values = first("onMessageAdded", Index="0", Author="bob")
    assert values["Body"] == "Grüße & 50% off"
    assert values["Subject"] == "s"
    assert msgspec.json.decode(values["Media"]) == [
        {"Sid": ME, "Filename": "cat.jpg", "ContentType": "image/jpeg", "Size": 12345}
    ]
    assert SID.fullmatch(values["ParticipantSid"])


def test_the_content_of_a_template_is_no_medium_that_was_attached() -> None:
    for event, place in (("onMessageAdd", "before"), ("onMessageAdded", "after")):
        values = first(event, place, ContentSid=HX)
        assert values["Body"] == "Hello"
        assert "Media" not in values


def test_before_an_update_the_proposed_state_with_the_last_date() -> None:
    added = first("onMessageAdded", Index="0", Author="bob")
    before = first("onMessageUpdate", "before", MessageSid=added["MessageSid"])
    after = first("onMessageUpdated", MessageSid=added["MessageSid"])
    assert before["Body"] == after["Body"] == "changed"
    assert before["DateUpdated"] == before["DateCreated"] == added["DateCreated"]
    assert after["DateUpdated"] > after["DateCreated"]


def test_a_removal_event_has_its_date() -> None:
    before = first("onMessageRemove", "before", Body="changed")
    after = first("onMessageRemoved", Body="changed")
    assert after["DateRemoved"] >= after["DateUpdated"] == before["DateUpdated"]
    assert "DateRemoved" not in before


def test_types_of_bindings() -> None:
    received = seen("client", "account").at("after", "onParticipantAdded")
    found = {
        values.get("Identity") or values.get("MessagingBinding.Address"): values
        for values in received
    }
    assert found["bob"]["MessagingBinding.Type"] == "chat"
    robert = found[ROBERT]
    assert robert["MessagingBinding.Type"] == "sms"
    assert robert["MessagingBinding.ProxyAddress"] == OWN
    mail = found["robert@example.com"]
    assert (mail["MessagingBinding.Type"], mail["MessagingBinding.Level"]) == ("email", "to")


def test_states_and_reasons() -> None:
    received = seen("client", "account").at("after", "onConversationStateUpdated")
    assert [(v["StateFrom"], v["StateTo"], v["Reason"]) for v in received] == [
        ("active", "inactive", "API"),
        ("inactive", "active", "EVENT"),
    ]


def test_receipts() -> None:
    received = seen("client", "account").at("after", "onDeliveryUpdated")
    assert {values["Status"] for values in received} == {"sent", "delivered", "failed"}
    for values in received:
        assert (values["Status"] == "failed") == ("ErrorCode" in values)
        assert values.get("ErrorCode", "30003") == "30003"
        if values["Status"] != "failed":
            assert values["ChannelMessageSid"][:2] in {"SM", "MM"}


def test_a_read_horizon_and_reachability() -> None:
    read = first("onParticipantUpdated", Identity="bob")
    assert read["LastReadMessageIndex"] == "1"
    named = first("onUserUpdated", FriendlyName="Named")
    assert (named["isOnline"], named["isNotifiable"]) == ("true", "false")
