"""The webhook log: where it is and what can be done. It is Parlour's own, not the API's."""

from __future__ import annotations

from typing import Final

from parlour.operations.operation import ACCOUNT_ONLY, Collection, Deed, fetch, list_
from parlour.resources.webhook_attempts import actions, parameters, representation
from parlour.vocabulary import limits

_VERSION: Final = "/parlour/v1"
_ACCEPTED: Final = 202

WEBHOOK_ATTEMPTS = Collection(
    noun="WebhookAttempt",
    version=_VERSION,
    path="/WebhookAttempts",
    forms=ACCOUNT_ONLY,
    represent=representation.resource,
    deeds=(
        list_(
            actions.list_webhook_attempts,
            key="webhook_attempts",
            maximum=limits.PAGE_SIZE_MAX,
            parameters=parameters.ListWebhookAttempts,
        ),
        fetch(actions.fetch_webhook_attempt),
    ),
    listed=False,
)

WEBHOOK_REPLAY = Collection(
    noun="WebhookReplay",
    version=_VERSION,
    path="/WebhookAttempts/Replay",
    instance=None,
    forms=ACCOUNT_ONLY,
    represent=representation.replayed,
    deeds=(
        Deed(
            verb="Create",
            method="POST",
            on_instance=False,
            status=_ACCEPTED,
            action=actions.replay_webhook_attempts,
            parameters=parameters.ReplayWebhookAttempts,
        ),
    ),
    listed=False,
)

WEBHOOK_ATTEMPT_REPLAY = Collection(
    noun="WebhookAttemptReplay",
    version=_VERSION,
    path="/WebhookAttempts/{Sid}/Replay",
    instance=None,
    forms=ACCOUNT_ONLY,
    represent=representation.resource,
    deeds=(
        Deed(
            verb="Create",
            method="POST",
            on_instance=False,
            status=_ACCEPTED,
            action=actions.replay_webhook_attempt,
        ),
    ),
    listed=False,
)
