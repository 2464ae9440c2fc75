"""Composition of the webhooks of one process, before and after actions."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from parlour.delivery.attempts import SigningCache, WebhookClient
from parlour.delivery.cpu_throttle import CpuThrottle
from parlour.delivery.pre_action import PreActionWebhooks
from parlour.delivery.webhook_samples import WebhookSamples
from parlour.delivery.webhook_sink import WebhookSink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from parlour.config import Settings
    from parlour.delivery.attempts import Send
    from parlour.protocol.vault import Vault
    from parlour.store.transaction import Store
    from parlour.vocabulary.clock import Clock, Random


class WebhookParts(NamedTuple):
    """The parts of the server that webhooks use.

    ``sender_of`` returns the sender of requests of a kind: ``pre`` or ``post``.
    ``is_throttled`` returns whether deliveries get a share of the processor only. ``on_logged``:
    see `ResultWriter`.
    """

    settings: Settings
    store: Store
    vault: Vault
    sender_of: Callable[[str], Send]
    clock: Clock
    random: Random
    is_throttled: Callable[[], bool]
    on_logged: Callable[[Iterable[str]], object]


class Webhooks(NamedTuple):
    """The webhooks after actions, those before them, and the tokens that both sign with."""

    sink: WebhookSink
    pre_action_hook: PreActionWebhooks
    signer: SigningCache
    samples: WebhookSamples


def make_webhooks(parts: WebhookParts) -> Webhooks:
    """Return the webhooks of one process."""
    settings = parts.settings
    signer = SigningCache(parts.store, parts.vault, parts.clock, settings.webhook_retries)
    attempts = WebhookClient(
        parts.sender_of("post"),
        signer,
        parts.clock,
        parts.random,
        takes_overrides=settings.webhook_overrides,
    )
    sink = WebhookSink(
        parts.store,
        attempts,
        CpuThrottle(parts.clock, parts.is_throttled),
        parts.clock,
        parts.random,
        studio_url=settings.webhook_studio_url,
        on_logged=parts.on_logged,
    )
    pre_action_hook = PreActionWebhooks(
        parts.store,
        parts.sender_of("pre"),
        clock=parts.clock,
        random=parts.random,
        auth_token_of=signer.auth_token_of,
        record=sink.record,
    )
    samples = WebhookSamples(
        parts.sender_of("post"), signer.auth_token_of, parts.clock, parts.random
    )
    return Webhooks(sink, pre_action_hook, signer, samples)
