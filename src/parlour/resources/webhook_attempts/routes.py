"""The operations of the webhook log, an extension of Parlour beyond the hosted API."""

from __future__ import annotations

from typing import Final

from parlour.operations.operation import (
    ACCOUNT_ONLY,
    Collection,
    OperationSpec,
    fetch,
    list_,
    recorded,
)
from parlour.operations.waiting_lists import WEBHOOK_ATTEMPTED
from parlour.resources.webhook_attempts import actions as webhook_attempt_actions
from parlour.resources.webhook_attempts import parameters as webhook_attempt_parameters
from parlour.resources.webhook_attempts import representation as webhook_attempt_representation
from parlour.vocabulary import limits

_VERSION: Final = "/parlour/v1"
_ACCEPTED: Final = 202

WEBHOOK_ATTEMPTS = Collection(
    noun="WebhookAttempt",
    version=_VERSION,
    path="/WebhookAttempts",
    url_forms=ACCOUNT_ONLY,
    represent=webhook_attempt_representation.resource,
    specs=(
        recorded(
            list_(
                webhook_attempt_actions.list_webhook_attempts,
                key="webhook_attempts",
                maximum=limits.PAGE_SIZE_MAX,
                parameters=webhook_attempt_parameters.ListWebhookAttempts,
                wakes_on=frozenset({WEBHOOK_ATTEMPTED}),
            )
        ),
        recorded(fetch(webhook_attempt_actions.fetch_webhook_attempt)),
    ),
    listed=False,
)

WEBHOOK_REPLAY = Collection(
    noun="WebhookReplay",
    version=_VERSION,
    path="/WebhookAttempts/Replay",
    instance=None,
    url_forms=ACCOUNT_ONLY,
    represent=webhook_attempt_representation.replayed,
    specs=(
        OperationSpec(
            verb="Create",
            method="POST",
            on_instance=False,
            status=_ACCEPTED,
            action=webhook_attempt_actions.replay_webhook_attempts,
            parameters=webhook_attempt_parameters.ReplayWebhookAttempts,
        ),
    ),
    listed=False,
)

WEBHOOK_ATTEMPT_REPLAY = Collection(
    noun="WebhookAttemptReplay",
    version=_VERSION,
    path="/WebhookAttempts/{Sid}/Replay",
    instance=None,
    url_forms=ACCOUNT_ONLY,
    represent=webhook_attempt_representation.resource,
    specs=(
        OperationSpec(
            verb="Create",
            method="POST",
            on_instance=False,
            status=_ACCEPTED,
            action=webhook_attempt_actions.replay_webhook_attempt,
        ),
    ),
    listed=False,
)
