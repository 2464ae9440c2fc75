"""Parameters of the operations on the configuration of a service."""

from __future__ import annotations

from parlour.operations.parameters import Parameters, form_field
from parlour.protocol import parsers
from parlour.vocabulary import sids
from parlour.vocabulary.unset import UNSET, Unset

_conversation_role_sid = parsers.clearable(parsers.sid(sids.ROLE, 50109), UNSET)
_service_role_sid = parsers.clearable(parsers.sid(sids.ROLE, 50102), UNSET)


class UpdateServiceConfiguration(Parameters):
    """A change of the configuration. Absent means unchanged; so do empty sids."""

    default_conversation_creator_role_sid: str | Unset = form_field(
        "DefaultConversationCreatorRoleSid", _conversation_role_sid
    )
    default_conversation_role_sid: str | Unset = form_field(
        "DefaultConversationRoleSid", _conversation_role_sid
    )
    default_chat_service_role_sid: str | Unset = form_field(
        "DefaultChatServiceRoleSid", _service_role_sid
    )
    reachability_enabled: bool | Unset = form_field("ReachabilityEnabled", parsers.boolean())
