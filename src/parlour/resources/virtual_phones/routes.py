"""The operations on virtual phones, an extension of Parlour beyond the hosted API.

A dedicated endpoint serves those that transfer files (http/virtual_phones.py).
"""

from __future__ import annotations

from typing import Final

from parlour.operations.operation import (
    ACCOUNT_ONLY,
    AuthScheme,
    BodyKind,
    Collection,
    create,
    delete,
    fetch,
    list_,
    recorded,
    update,
)
from parlour.resources.virtual_phones import actions as virtual_phone_actions
from parlour.resources.virtual_phones import message_actions as virtual_phone_message_actions
from parlour.resources.virtual_phones import parameters as virtual_phone_parameters
from parlour.resources.virtual_phones import representation as virtual_phone_representation
from parlour.vocabulary import event_names, limits

_VERSION: Final = "/parlour/v1"

VIRTUAL_PHONES = Collection(
    noun="VirtualPhone",
    version=_VERSION,
    path="/VirtualPhones",
    instance="{Address}",
    url_forms=ACCOUNT_ONLY,
    represent=virtual_phone_representation.resource,
    specs=(
        list_(
            virtual_phone_actions.list_virtual_phones,
            key="virtual_phones",
            maximum=limits.PAGE_SIZE_MAX,
            parameters=virtual_phone_parameters.ListVirtualPhones,
        ),
        create(
            virtual_phone_actions.create_virtual_phone,
            virtual_phone_parameters.CreateVirtualPhone,
        ),
        fetch(virtual_phone_actions.fetch_virtual_phone),
        update(
            virtual_phone_actions.update_virtual_phone,
            virtual_phone_parameters.UpdateVirtualPhone,
        ),
        delete(virtual_phone_actions.delete_virtual_phone),
    ),
    listed=False,
)

VIRTUAL_PHONE_MESSAGES = Collection(
    noun="VirtualPhoneMessage",
    version=_VERSION,
    path="/VirtualPhones/{Address}/Messages",
    url_forms=ACCOUNT_ONLY,
    represent=virtual_phone_representation.message_resource,
    specs=(
        recorded(
            list_(
                virtual_phone_message_actions.list_virtual_phone_messages,
                key="messages",
                maximum=limits.PAGE_SIZE_MAX,
                parameters=virtual_phone_parameters.ListVirtualPhoneMessages,
                wakes_on=frozenset({event_names.VIRTUAL_PHONE_CHANGED}),
            )
        ),
        update(
            virtual_phone_message_actions.update_virtual_phone_message,
            virtual_phone_parameters.UpdateVirtualPhoneMessage,
        ),
    ),
    listed=False,
)

VIRTUAL_PHONE_SENDS = Collection(
    noun="VirtualPhoneMessage",
    version=_VERSION,
    path="/VirtualPhones/{Address}/Messages",
    url_forms=ACCOUNT_ONLY,
    represent=virtual_phone_representation.message_resource,
    specs=(
        create(
            virtual_phone_message_actions.check_sender,
            virtual_phone_parameters.CreateVirtualPhoneMessage,
            request_body=BodyKind.STREAM,
        ),
    ),
    listed=False,
    authentication=AuthScheme.ACCOUNT_TRANSFER,
)

VIRTUAL_PHONE_MEDIA = Collection(
    noun="VirtualPhoneMedium",
    version=_VERSION,
    path="/VirtualPhones/{Address}/Messages/{MessageSid}/Media",
    url_forms=ACCOUNT_ONLY,
    represent=virtual_phone_representation.message_resource,
    specs=(
        recorded(
            fetch(
                virtual_phone_message_actions.fetch_virtual_phone_medium,
                response_body=BodyKind.STREAM,
            )
        ),
    ),
    listed=False,
    authentication=AuthScheme.ACCOUNT_TRANSFER,
)
