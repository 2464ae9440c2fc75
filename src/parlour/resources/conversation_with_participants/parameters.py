"""Parameters of the operations on conversations created with participants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from parlour.operations.parameters import form_field
from parlour.protocol import json_parsers
from parlour.resources.conversations.parameters import CreateConversation
from parlour.resources.participants.parameters import CreateParticipant
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from parlour.protocol.forms import FormFields
    from parlour.vocabulary.unset import Unset

_NAMES: Final = {
    "identity": "Identity",
    "attributes": "Attributes",
    "role_sid": "RoleSid",
    "date_created": "DateCreated",
    "date_updated": "DateUpdated",
}
_BINDING_NAMES: Final = {
    "address": "MessagingBinding.Address",
    "proxy_address": "MessagingBinding.ProxyAddress",
    "projected_address": "MessagingBinding.ProjectedAddress",
    "type": "MessagingBinding.Type",
    "level": "MessagingBinding.Level",
    "name": "MessagingBinding.Name",
}
_json = json_parsers.participant_json()


def participant(name: str, text: str) -> FormFields:
    """Return a participant's JSON as the form that would create it, validated as such."""
    found = _json(name, text)
    form = _form(found, _NAMES) | _form(found.get("messaging_binding") or {}, _BINDING_NAMES)
    CreateParticipant.parse(form)
    return form


def _form(members: Mapping[str, object], names: dict[str, str]) -> FormFields:
    """Return the known members under their form names; null counts as absent."""
    form: FormFields = {}
    for member, wire_name in names.items():
        text = cast("str | None", members.get(member))
        if text is None:
            continue
        # Forms cannot contain NUL, so it is rejected in JSON too.
        if "\0" in text:
            raise ApiError(50424)
        form[wire_name] = [text]
    return form


class CreateConversationWithParticipants(CreateConversation):
    """A new conversation and its participants."""

    participants: list[FormFields] | Unset = form_field("Participant", participant, repeated=True)
