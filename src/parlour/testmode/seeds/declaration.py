"""The keys of a seed: the only list of them.

Names are the names of the API in snake_case. A seed does not contain media, content templates,
push bindings, credentials, the inboxes of virtual phones, and the log of webhooks.
"""

from __future__ import annotations

from typing import Final

from parlour.resources.address_configurations.parameters import CreateAddressConfiguration
from parlour.resources.configuration.parameters import UpdateConfiguration
from parlour.resources.roles.parameters import CreateRole
from parlour.resources.service_configuration.parameters import UpdateServiceConfiguration
from parlour.resources.services.parameters import CreateService
from parlour.resources.users.parameters import CreateUser
from parlour.resources.virtual_phones.parameters import CreateVirtualPhone, UpdateVirtualPhone
from parlour.resources.webhook_configuration.parameters import (
    UpdateWebhookConfiguration,
    UpdateWebhooks,
)
from parlour.resources.webhook_retries.store import SCHEDULES
from parlour.testmode.emulation.emulations import TOKEN_CLOCKS, UNKNOWN_PARAMETERS
from parlour.testmode.emulation.parameters import UpdateEmulation
from parlour.testmode.seeds.common_keys import DATES, name_key, service_key, sid_key
from parlour.testmode.seeds.conversation_declaration import CONVERSATION
from parlour.testmode.seeds.keys import Section, SeedKey, ValueKind, keys_of
from parlour.vocabulary import limits, sids

FORMAT: Final = 1
"""The value of the key ``parlour``."""


def _webhook_keys(*more: SeedKey) -> tuple[SeedKey, ...]:
    return (
        SeedKey("pre_url", "URL that pre-action events are sent to.", wire_name="PreWebhookUrl"),
        SeedKey("post_url", "URL that post-action events are sent to.", wire_name="PostWebhookUrl"),
        SeedKey("method", "HTTP method: GET or POST.", wire_name="Method"),
        SeedKey("filters", "Events that are sent.", ValueKind.TEXTS, "Filters"),
        *more,
    )


EMULATION: Final = Section(
    (
        SeedKey(
            "actions_per_second",
            "Rate of changes as the hosted API limits it; 0: no limit.",
            ValueKind.INTEGER,
            "ActionsPerSecond",
            minimum=0,
        ),
        SeedKey(
            "unknown_parameters",
            "Whether unknown parameters are ignored or refused.",
            wire_name="UnknownParameters",
            words=UNKNOWN_PARAMETERS,
        ),
        SeedKey(
            "webhook_retries",
            "Retries of post-action webhooks.",
            wire_name="WebhookRetries",
            words=SCHEDULES,
        ),
        SeedKey(
            "token_clock",
            "Clock that judges access tokens.",
            wire_name="TokenClock",
            words=TOKEN_CLOCKS,
        ),
        SeedKey(
            "latency_ms",
            "Delay of each answer, in milliseconds.",
            ValueKind.INTEGER,
            "LatencyMs",
            minimum=0,
        ),
    ),
    UpdateEmulation,
)
ACCOUNT: Final = Section(
    (
        SeedKey("friendly_name", "Name of the account.", chars_max=limits.FRIENDLY_NAME_CHARS_MAX),
        SeedKey(
            "default_messaging_service_sid",
            "Messaging service of new conversations.",
            wire_name="DefaultMessagingServiceSid",
        ),
        SeedKey(
            "default_inactive_timer",
            "Default inactive timer, an ISO 8601 duration.",
            wire_name="DefaultInactiveTimer",
        ),
        SeedKey(
            "default_closed_timer",
            "Default closed timer, an ISO 8601 duration.",
            wire_name="DefaultClosedTimer",
        ),
        SeedKey(
            "webhooks",
            "Webhooks of the account.",
            ValueKind.OBJECT,
            section=Section(
                _webhook_keys(
                    SeedKey("target", "ValueKind of receiver: webhook or flex.", wire_name="Target")
                ),
                UpdateWebhookConfiguration,
            ),
        ),
        SeedKey(
            "emulation",
            "Behaviour of the hosted API that is imitated.",
            ValueKind.OBJECT,
            section=EMULATION,
        ),
    ),
    UpdateConfiguration,
)
_SERVICE_SETTINGS: Final = keys_of(
    UpdateServiceConfiguration,
    SeedKey(
        "reachability", "Whether users see who is online.", ValueKind.BOOLEAN, "ReachabilityEnabled"
    ),
    SeedKey(
        "default_conversation_creator_role",
        "Role of the creator of a conversation.",
        ValueKind.REFERENCE,
        codes=(50109,),
        refers_to="roles",
    ),
    SeedKey(
        "default_conversation_role",
        "Role of new participants.",
        ValueKind.REFERENCE,
        refers_to="roles",
    ),
    SeedKey(
        "default_chat_service_role",
        "Role of new users.",
        ValueKind.REFERENCE,
        codes=(50102,),
        refers_to="roles",
    ),
)
SERVICE: Final = Section(
    (
        name_key("Local name of the service."),
        sid_key(sids.SERVICE),
        SeedKey("friendly_name", "Name of the service.", wire_name="FriendlyName"),
        SeedKey(
            "default",
            "Whether it is the default service: the existing one, unless it has a SID.",
            ValueKind.BOOLEAN,
        ),
        *DATES,
        *_SERVICE_SETTINGS,
        SeedKey(
            "webhooks",
            "Webhooks of the service; they replace the webhooks of the account.",
            ValueKind.OBJECT,
            section=Section(_webhook_keys(), UpdateWebhooks),
        ),
    ),
    CreateService,
)
ROLE: Final = Section(
    (
        name_key("Local name of the role."),
        sid_key(sids.ROLE),
        service_key("role"),
        SeedKey(
            "type",
            "Extent of the role: service or conversation.",
            wire_name="Type",
            is_required=True,
        ),
        SeedKey("friendly_name", "Name of the role.", wire_name="FriendlyName", is_required=True),
        SeedKey(
            "permissions", "Names of permissions.", ValueKind.TEXTS, "Permission", is_required=True
        ),
        SeedKey(
            "built_in",
            "Whether this changes the role that the service was created with.",
            ValueKind.BOOLEAN,
        ),
        *DATES,
    ),
    CreateRole,
)
USER: Final = Section(
    (
        name_key("Local name of the user."),
        sid_key(sids.USER),
        service_key("user"),
        SeedKey(
            "identity",
            "Identity of the user.",
            wire_name="Identity",
            codes=(50201,),
            is_required=True,
        ),
        SeedKey("friendly_name", "Name of the user.", wire_name="FriendlyName"),
        SeedKey("attributes", "Attributes: JSON, or its text.", ValueKind.JSON, "Attributes"),
        SeedKey(
            "role",
            "Role, by key, SID, or name of a built-in role.",
            ValueKind.REFERENCE,
            codes=(50102,),
            refers_to="roles",
        ),
        *DATES,
    ),
    CreateUser,
)
_AUTO_CREATION: Final = Section(
    (
        SeedKey(
            "enabled",
            "Whether a message of an unknown sender creates a conversation.",
            ValueKind.BOOLEAN,
            "AutoCreation.Enabled",
        ),
        SeedKey(
            "type",
            "Receiver of its events: webhook, studio or default.",
            wire_name="AutoCreation.Type",
        ),
        SeedKey(
            "conversation_service",
            "Service of the new conversation.",
            ValueKind.REFERENCE,
            codes=(50050,),
            refers_to="services",
        ),
        SeedKey("webhook_url", "URL of the webhook.", wire_name="AutoCreation.WebhookUrl"),
        SeedKey(
            "webhook_method", "HTTP method of the webhook.", wire_name="AutoCreation.WebhookMethod"
        ),
        SeedKey(
            "webhook_filters",
            "Events that are sent.",
            ValueKind.TEXTS,
            "AutoCreation.WebhookFilters",
        ),
        SeedKey("studio_flow_sid", "Flow that is started.", wire_name="AutoCreation.StudioFlowSid"),
        SeedKey(
            "studio_retry_count",
            "Retries of the flow.",
            ValueKind.INTEGER,
            "AutoCreation.StudioRetryCount",
        ),
    ),
    CreateAddressConfiguration,
    is_part=True,
)
ADDRESS: Final = Section(
    (
        name_key("Local name of the address configuration."),
        sid_key(sids.ADDRESS_CONFIGURATION),
        SeedKey(
            "type", "Channel of the address; decided by the address if absent.", wire_name="Type"
        ),
        SeedKey(
            "address",
            "Address of the account.",
            wire_name="Address",
            codes=(20409,),
            is_required=True,
        ),
        SeedKey("friendly_name", "Name of the address.", wire_name="FriendlyName"),
        SeedKey("address_country", "Country, two letters.", wire_name="AddressCountry"),
        SeedKey(
            "auto_creation",
            "What a message of an unknown sender creates.",
            ValueKind.OBJECT,
            section=_AUTO_CREATION,
        ),
        *DATES,
    ),
    CreateAddressConfiguration,
)
_BEHAVIOUR: Final = keys_of(
    UpdateVirtualPhone,
    SeedKey("behaviour", "What the phone does with a message.", wire_name="Behaviour"),
    SeedKey("error_code", "Code with which it fails messages.", ValueKind.INTEGER, "ErrorCode"),
    SeedKey("delay_ms", "Delay before each delivery report.", ValueKind.INTEGER, "DelayMs"),
    SeedKey("receipts", "Order of its delivery reports.", wire_name="Receipts"),
    SeedKey("reads", "Whether it reads each message at once.", ValueKind.BOOLEAN, "Reads"),
)
PHONE: Final = Section(
    (
        SeedKey(
            "address",
            "Address of the virtual phone.",
            wire_name="Address",
            codes=(20409,),
            is_required=True,
        ),
        SeedKey("name", "Name of the virtual phone.", wire_name="Name"),
        *_BEHAVIOUR,
        *DATES,
    ),
    CreateVirtualPhone,
)
ROOT: Final = Section(
    (
        SeedKey("parlour", "Format of the document: 1.", ValueKind.INTEGER, is_required=True),
        SeedKey("clock", "Date at which the clock of the server is frozen.", ValueKind.DATE),
        SeedKey(
            "random_seed", "Seed of the randomness of the server.", ValueKind.INTEGER, minimum=0
        ),
        SeedKey(
            "fires", "Whether post-action webhooks are sent for the objects.", ValueKind.BOOLEAN
        ),
        SeedKey("account", "Settings of the account.", ValueKind.OBJECT, section=ACCOUNT),
        SeedKey("services", "Services.", ValueKind.LIST, section=SERVICE),
        SeedKey("roles", "Roles.", ValueKind.LIST, section=ROLE),
        SeedKey("users", "Users.", ValueKind.LIST, section=USER),
        SeedKey("addresses", "Address configurations.", ValueKind.LIST, section=ADDRESS),
        SeedKey("phones", "Virtual phones.", ValueKind.LIST, section=PHONE),
        SeedKey("conversations", "Conversations.", ValueKind.LIST, section=CONVERSATION),
    )
)
