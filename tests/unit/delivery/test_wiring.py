"""The composition of webhooks: both kinds sign with one cache and log by one writer."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from parlour.config import Settings
from parlour.delivery.wiring import WebhookParts, make_webhooks
from parlour.protocol.vault import Vault
from parlour.vocabulary.clock import FakeClock, SystemRandom


def test_each_kind_of_webhook_has_its_own_sender_and_they_share_the_log() -> None:
    kinds: list[str] = []

    async def send(_request: Any) -> Any:
        raise AssertionError

    def sender_of(kind: str) -> Any:
        kinds.append(kind)
        return send

    async def run() -> None:
        store: Any = SimpleNamespace(is_shared=False)
        made = make_webhooks(
            WebhookParts(
                settings=Settings(data=Path("unused")),
                store=store,
                vault=Vault(bytes(32), SystemRandom().token),
                sender_of=sender_of,
                clock=FakeClock(),
                random=SystemRandom(),
                is_throttled=lambda: False,
                on_logged=frozenset,
            )
        )
        # The third one is of samples, which are sent as webhooks after actions are.
        assert kinds == ["post", "pre", "post"]
        assert made.pre_action_hook._record == made.sink.record
        assert made.pre_action_hook._auth_token_of == made.signer.auth_token_of

    asyncio.run(run())
