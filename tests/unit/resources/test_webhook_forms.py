"""Parameters of webhooks: the formats and the phases of each table, and events without a table."""

from __future__ import annotations

import importlib.util
from typing import Any

import msgspec
import pytest

from parlour.resources import webhook_forms as parameters
from parlour.resources.webhook_forms import (
    POST_ACTION_OF,
    names_without_table,
    parameter_names,
    post_parameters,
    pre_parameters,
)
from parlour.store.transaction import EmittedEvent
from parlour.vocabulary import event_names
from parlour.vocabulary.event import Event
from parlour.vocabulary.origin import Origin
from parlour.vocabulary.scope import Scope
from tests.events import webhook_parameter_tables

ROBERT, OWN = "+15558675310", "+15017122661"
SCOPE = Scope("AC1", "IS1")
COMMON = {"AccountSid": "AC1", "ChatServiceSid": "IS1"}
DATES = {"date_created": 0, "date_updated": 1000}


def _conversation(**more: Any) -> str:
    record = {"sid": "CH" + "0" * 32, "attributes": "{}", "state": "active", "date_created": 0}
    return msgspec.json.encode({"conversation": record, **more}).decode()


def _added(payload: str, **changes: Any) -> Event:
    event = Event(
        1, "AC1", "IS1", "CH1", "CH1", "onConversationAdded", "SMS", None, True, 5, payload
    )
    return msgspec.structs.replace(event, **changes)


INBOUND = {
    "address": [ROBERT, "+15558675311"],
    "author_address": ROBERT,
    "projected_address": OWN,
    "body": "Hello",
    "media": '[{"sid":"ME1","size":5,"content_type":"image/png","filename":null}]',
    "channel_metadata": '{"type":"sms"}',
}


def test_a_conversation_made_for_a_message_from_outside() -> None:
    received = post_parameters(_added(_conversation(inbound=INBOUND)))
    assert received["MessagingBinding.Address"] == f"{ROBERT},+15558675311"
    assert received["MessagingBinding.AuthorAddress"] == ROBERT
    assert received["MessagingBinding.ProjectedAddress"] == OWN
    assert received["ChannelMetadata"] == '{"type":"sms"}'
    assert not {"MessagingBinding.ProxyAddress", "MessageBody", "Media"} & set(received)
    emitted = EmittedEvent(
        "onConversationAdded",
        Scope("AC1", "IS1"),
        "CH1",
        "CH1",
        Origin("SMS", fires=True),
        _conversation(inbound=INBOUND | {"address": ROBERT, "proxy_address": OWN}),
    )
    pre_action = pre_parameters("onConversationAdd", emitted)
    assert pre_action["MessageBody"] == "Hello"
    assert pre_action["MessagingBinding.Address"] == ROBERT
    assert pre_action["MessagingBinding.ProxyAddress"] == OWN
    assert pre_action["Media"] == '[{"Sid":"ME1","ContentType":"image/png","Size":5}]'
    assert not {"ConversationSid", "DateCreated", "ChannelMetadata"} & set(pre_action)


def test_a_later_event_has_no_message_parameters() -> None:
    payload = _conversation(inbound=INBOUND)
    received = post_parameters(_added(payload, name="onConversationUpdated"))
    assert not any(name.startswith("Messag") for name in received)


def test_an_event_of_an_older_version_has_fewer_parameters() -> None:
    received = post_parameters(_added('{"conversation":{"sid":"CH1"}}'))
    assert received == {
        "EventType": "onConversationAdded",
        "AccountSid": "AC1",
        "ChatServiceSid": "IS1",
        "ConversationSid": "CH1",
        "Source": "SMS",
    }


def _posted(name: str, payload: dict[str, Any], **changes: Any) -> dict[str, str]:
    return post_parameters(_added(msgspec.json.encode(payload).decode(), name=name, **changes))


def _pre_action(name: str, payload: dict[str, Any], origin: Origin) -> dict[str, str]:
    text = msgspec.json.encode(payload).decode()
    return pre_parameters(
        name, EmittedEvent(POST_ACTION_OF[name], SCOPE, "CH1", "IM1", origin, text)
    )


def test_a_removed_message_has_the_date_of_its_event_and_no_empty_parameter() -> None:
    message = DATES | {"sid": "IM1", "message_index": 0, "body": "", "subject": None, "media": None}
    assert _posted("onMessageRemoved", {"message": message}, source="API") == COMMON | {
        "EventType": "onMessageRemoved",
        "Source": "API",
        "DateCreated": "1970-01-01T00:00:00.000Z",
        "DateUpdated": "1970-01-01T00:00:01.000Z",
        "DateRemoved": "1970-01-01T00:00:00.005Z",
        "MessageSid": "IM1",
        "Index": "0",
    }


def test_a_message_update_has_the_new_values_with_the_date_of_the_previous_change() -> None:
    message = DATES | {"sid": "IM1", "body": "new", "date_updated": 9000}
    payload = {"message": message, "previous_date_updated": 1000}
    origin = Origin("SDK", "alice", fires=True)
    assert _pre_action("onMessageUpdate", payload, origin) == COMMON | {
        "EventType": "onMessageUpdate",
        "Source": "SDK",
        "ClientIdentity": "alice",
        "DateCreated": "1970-01-01T00:00:00.000Z",
        "DateUpdated": "1970-01-01T00:00:01.000Z",
        "MessageSid": "IM1",
        "Body": "new",
    }


@pytest.mark.parametrize(("source", "identity"), [("API", "alice"), ("SDK", None), ("SDK", "")])
def test_only_a_client_with_an_identity_is_named(source: str, identity: str | None) -> None:
    origin = Origin(source, identity, fires=True)
    assert _pre_action("onMessageAdd", {"message": DATES | {"sid": "IM1"}}, origin) == COMMON | {
        "EventType": "onMessageAdd",
        "Source": source,
    }


@pytest.mark.parametrize(("stored", "sent"), [(None, "chat"), ("", "chat"), ("sms", "sms")])
def test_a_participant_without_a_binding_is_of_type_chat(stored: str | None, sent: str) -> None:
    participant = {"sid": "MB1", "binding_type": stored, "last_read_message_index": 0}
    assert _posted("onParticipantUpdated", {"participant": participant}) == COMMON | {
        "EventType": "onParticipantUpdated",
        "Source": "SMS",
        "ParticipantSid": "MB1",
        "MessagingBinding.Type": sent,
        "LastReadMessageIndex": "0",
    }


def test_the_reachability_of_a_user_is_true_false_or_absent() -> None:
    user = {"sid": "US1", "is_online": 1, "is_notifiable": False}
    values = _posted("onUserUpdated", {"user": user})
    assert (values["isOnline"], values["isNotifiable"]) == ("true", "false")
    assert not {"isOnline", "isNotifiable"} & set(_posted("onUserUpdated", {"user": {}}))


def test_a_change_of_state_has_the_date_of_its_event() -> None:
    payload = {"conversation": {"sid": "CH1", "state": "closed"}, "state_from": "active"}
    assert _posted("onConversationStateUpdated", payload) == COMMON | {
        "EventType": "onConversationStateUpdated",
        "Source": "SMS",
        "ConversationSid": "CH1",
        "StateUpdated": "1970-01-01T00:00:00.005Z",
        "StateFrom": "active",
        "StateTo": "closed",
    }


@pytest.mark.parametrize(("code", "sent"), [(30003, {"ErrorCode": "30003"}), (0, {}), (None, {})])
def test_a_receipt_has_no_source_and_an_error_code_only_after_a_failure(
    code: int | None, sent: dict[str, str]
) -> None:
    payload = {"receipt": {"sid": "DY1", "error_code": code}}
    assert _posted("onDeliveryUpdated", payload) == COMMON | sent | {
        "EventType": "onDeliveryUpdated",
        "DeliveryReceiptSid": "DY1",
    }


def test_parameters_are_sorted_by_name() -> None:
    message = DATES | {"sid": "IM1", "author": "bob", "body": "b", "attributes": "{}"}
    payload = {"message": message, "previous_date_updated": 0}
    for values in (
        _posted("onMessageUpdated", payload),
        _pre_action("onMessageUpdate", payload, Origin()),
    ):
        assert list(values) == sorted(values)


def test_the_event_of_another_action_is_a_bug() -> None:
    emitted = EmittedEvent("onMessageUpdated", SCOPE, "CH1", "IM1", Origin(), "{}")
    with pytest.raises(AssertionError):
        pre_parameters("onMessageAdd", emitted)


# --- Tables -------------------------------------------------------------------------------


@pytest.mark.parametrize("event", sorted(event_names.FILTERS))
def test_an_event_can_have_the_parameters_of_its_table_and_no_other(event: str) -> None:
    """Include those to which no action assigns a value yet."""
    common = {*webhook_parameter_tables.COMMON.split()}
    if event != "onDeliveryUpdated":
        common |= {*webhook_parameter_tables.BY_WHOM.split()}
    assert parameter_names(event) == common | webhook_parameter_tables.names(event, "RO")


def test_each_pre_action_event_has_one_post_action_event() -> None:
    assert set(POST_ACTION_OF) == set(event_names.PRE_ACTION)
    assert len(set(POST_ACTION_OF.values())) == len(POST_ACTION_OF)


def test_every_event_of_the_api_has_parameters() -> None:
    assert names_without_table((*event_names.PRE_ACTION, *event_names.POST_ACTION)) == []


def test_an_event_without_a_table_is_found() -> None:
    assert names_without_table(["onMessageAdded", "onPollAdded"]) == ["onPollAdded"]
    assert names_without_table(["onDeliveryRemoved"]) == []
    with pytest.raises(ValueError, match="onPollClosed"):
        names_without_table(["onPollClosed"])


def test_an_event_without_a_table_fails_the_import(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.util.spec_from_file_location("another_parameters", parameters.__file__)
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    monkeypatch.setattr(event_names, "POST_ACTION", (*event_names.POST_ACTION, "onPollAdded"))
    with pytest.raises(RuntimeError, match="onPollAdded"):
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
