"""The rows of the result writer, without a database."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from parlour.delivery import result_writer
from parlour.resources.scoped_webhooks import store as scoped_webhook_store
from parlour.resources.webhook_attempts import store as webhook_attempt_store
from parlour.resources.webhook_endpoints import store as webhook_endpoint_store
from parlour.store import webhook_queue
from parlour.vocabulary.scope import Scope
from tests.unit.delivery.term_setup import logged_pre_action

if TYPE_CHECKING:
    import pytest

    from parlour.resources.webhook_attempts.store import WebhookAttempt
    from parlour.resources.webhook_endpoints.store import WebhookEndpoint
    from parlour.store.webhook_queue import WebhookDelivery


class ResultRows:
    """The rows that the writer changes and reads."""

    def __init__(self) -> None:
        self.recorded: list[tuple[int, str]] = []
        self.logged: list[str] = []
        self.pre_actions: list[Any] = []
        self.is_pending = True
        self.attached = {"WH1"}
        self.sids: list[str] = []
        self.promotes = False
        self.rest: list[WebhookDelivery] = []
        self.read_failures: list[Exception] = []
        self.counts = {"AC1": 5}
        self.numbers = count(1)
        self.endpoints: list[WebhookEndpoint] = []

    def patch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def record(_tx: object, made: WebhookDelivery, state: str, *_: Any) -> int:
            self.recorded.append((made.lane_order, state))
            return int(self.is_pending)

        async def following(*_: Any) -> list[WebhookDelivery]:
            if self.read_failures:
                raise self.read_failures.pop(0)
            return self.rest

        async def answer(name: str) -> Any:
            return getattr(self, name)

        async def detached(_tx: object, scope: Scope, room: str, webhook: str) -> bool:
            assert (scope, room) == (Scope("AC1"), "CH1")
            return webhook not in self.attached

        def new_sid(_tx: object) -> str:
            return f"WA{next(self.numbers)}"

        async def keep(_tx: object, each: Any, sid: str) -> tuple[str, WebhookAttempt]:
            self.pre_actions.append(each)
            return logged_pre_action(each, sid)

        async def save_endpoint(_tx: object, endpoint: WebhookEndpoint) -> None:
            self.endpoints.append(endpoint)

        async def log_attempt(_tx: object, attempt: Any) -> None:
            self.logged.append(attempt.outcome)
            self.sids.append(attempt.sid)

        monkeypatch.setattr(webhook_queue, "record_result", record)
        monkeypatch.setattr(webhook_queue, "following", following)
        monkeypatch.setattr(scoped_webhook_store, "is_scoped_webhook_detached", detached)
        monkeypatch.setattr(webhook_queue, "promote", lambda *_: answer("promotes"))
        monkeypatch.setattr(webhook_queue, "counts", lambda _: answer("counts"))
        monkeypatch.setattr(webhook_attempt_store, "insert_attempt", log_attempt)
        monkeypatch.setattr(webhook_attempt_store, "new_attempt_sid", new_sid)
        monkeypatch.setattr(webhook_endpoint_store, "save_endpoint", save_endpoint)
        monkeypatch.setattr(result_writer, "write_pre_action", keep)
