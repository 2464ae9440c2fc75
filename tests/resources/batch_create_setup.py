"""Requests that create a conversation with its participants, and their results."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.resources.unique_names import unique
from tests.support.phone_numbers import PROXY, phone_number
from tests.support.polling import eventually

if TYPE_CHECKING:
    from tests.support.client import Api, ApiResponse

PATH = "/ConversationWithParticipants"

Participant = dict[str, Any]


def chat(identity: str | None = None, **more: Any) -> Participant:
    return {"identity": identity or unique("chat"), **more}


def phone(address: str | None = None, proxy: str = PROXY) -> Participant:
    return {"messaging_binding": {"address": address or phone_number(), "proxy_address": proxy}}


def native(address: str | None = None) -> Participant:
    return {"messaging_binding": {"address": address or phone_number()}}


def projected(identity: str | None = None) -> Participant:
    found: Participant = {"messaging_binding": {"projected_address": phone_number()}}
    return found | ({"identity": identity} if identity else {})


def send(api: Api, *participants: Participant, **form: str) -> ApiResponse:
    texts = [json.dumps(each) for each in participants]
    return api.post(PATH, {**form, "Participant": texts})


def completed(api: Api, started: dict[str, Any]) -> tuple[dict[str, Any], list[Participant]]:
    """Return the conversation and its participants once it is no longer initializing."""
    path = f"/Conversations/{started['sid']}"
    conversation = eventually(
        lambda: api.get(path).expect(200),
        lambda found: found["state"] != "initializing",
        seconds=2,
    )
    listed = api.get(f"{path}/Participants").expect(200)["participants"]
    return conversation, listed
