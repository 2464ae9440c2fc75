"""Participants with a mailbox: level, name and type of their binding (C4, checklist 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.resources.batch_create_setup import completed, send

if TYPE_CHECKING:
    from tests.support.client import Api

ALICE = "alice@customer.example"


def path_of_new_conversation(api: Api) -> str:
    sid = api.post("/v1/Conversations", {"Bindings.Email.Address": "help@example.com"}).expect(201)
    return f"/v1/Conversations/{sid['sid']}/Participants"


def binding(**members: str) -> dict[str, str]:
    return {f"MessagingBinding.{name}": value for name, value in members.items()}


MAILBOXES = pytest.mark.parametrize(
    ("members", "shown"),
    [
        ({}, {"level": "to"}),
        ({"Level": "cc", "Name": "Alice"}, {"level": "cc", "name": "Alice"}),
        ({"Type": "email"}, {"level": "to"}),
        ({"Type": "EMAIL", "Level": "to"}, {"level": "to"}),
    ],
)
INVALID = pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"Address": "+15550100001", "ProxyAddress": "+15550100002", "Level": "to"}, 50420),
        ({"Address": "+15550100001", "ProxyAddress": "+15550100002", "Name": "A"}, 50420),
        ({"Address": ALICE, "Level": "bcc"}, 50420),
        ({"Address": ALICE, "Type": "sms"}, 50414),
        ({"Address": "+15550100001", "ProxyAddress": "+15550100002", "Type": "email"}, 50414),
    ],
)


def as_json(members: dict[str, str]) -> dict[str, Any]:
    """Return the participant of a batch create with these members of its binding."""
    names = {"ProxyAddress": "proxy_address"}
    return {"messaging_binding": {names.get(k, k.lower()): each for k, each in members.items()}}


@pytest.mark.channel("C4")
@MAILBOXES
def test_a_mailbox_is_shown_with_its_level_and_name(
    api: Api, members: dict[str, str], shown: dict[str, Any]
) -> None:
    path = path_of_new_conversation(api)
    created = api.post(path, binding(Address=ALICE, **members)).expect(201)
    found = created["messaging_binding"]
    assert {name: found[name] for name in ("type", "address", *shown)} == {
        "type": "email",
        "address": ALICE,
        **shown,
    }


@pytest.mark.channel("C4", "2")
@INVALID
def test_details_that_do_not_fit_the_address_are_invalid(
    api: Api, members: dict[str, str], code: int
) -> None:
    path = path_of_new_conversation(api)
    api.post(path, binding(**members)).refuses(400, code)


@MAILBOXES
def test_a_mailbox_of_a_batch_create_has_its_level_and_name(
    api: Api, members: dict[str, str], shown: dict[str, Any]
) -> None:
    mailbox = as_json({"Address": ALICE, **members})
    started = send(api, mailbox, **{"Bindings.Email.Address": "help@example.com"}).expect(202)
    _, (participant,) = completed(api, started)
    found = participant["messaging_binding"]
    assert {name: found[name] for name in ("type", "address", *shown)} == {
        "type": "email",
        "address": ALICE,
        **shown,
    }


@INVALID
def test_a_batch_create_with_details_that_do_not_fit_is_invalid(
    api: Api, members: dict[str, str], code: int
) -> None:
    send(api, as_json(members)).refuses(400, code)
