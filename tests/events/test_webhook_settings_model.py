"""Random sequences of changes, events, delays and restarts: the receiver matches a model.

The model has neither log nor intake. It has the current settings, and decides for each event when
it is created.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.events.held_intake import HeldIntakeServer
from tests.events.in_process_server import WITH_HEADER
from tests.events.webhook_backend import WebhookBackend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.events.webhook_backend import WebhookRequest

RUNS = int(os.environ.get("PARLOUR_SETTINGS_RUNS", "10"))
STEPS_MAX = 24
WEBHOOKS_MAX = 3
MESSAGE, UPDATE, REMOVAL = "onMessageAdded", "onConversationUpdated", "onConversationRemoved"
WORDS = ["red", "blue"]
Sent = tuple[str, str, str]
"""Method, path and event of a request to the receiver."""


@dataclass
class SettingsModel:
    """The current settings, and the requests that they cause."""

    account: dict[str, Any] = field(default_factory=dict)
    service: dict[str, Any] = field(default_factory=dict)
    attached: dict[str, dict[str, Any]] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)

    def happen(self, name: str, label: str, body: str = "") -> None:
        """Commit an event."""
        counts = self.service if self.service["PostWebhookUrl"] else self.account
        is_silent = counts.get("Target") == "flex"
        if counts["PostWebhookUrl"] and name in counts["Filters"] and not is_silent:
            self.sent.append((counts["Method"], counts["PostWebhookUrl"], label))
        for webhook in self.attached.values():
            if "Triggers" in webhook:
                is_wanted = name == MESSAGE and any(word in body for word in webhook["Triggers"])
            else:
                is_wanted = name in webhook["Filters"]
            if is_wanted:
                self.sent.append((webhook["Method"], webhook["Url"], label))


methods = st.sampled_from(["POST", "GET"])
filters = st.lists(st.sampled_from([MESSAGE, UPDATE, REMOVAL]), min_size=1, unique=True)


def configurations(scope: str, **more: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Set the webhooks of an account or a service."""
    urls = st.sampled_from(["", f"/{scope}/1", f"/{scope}/2"])
    return st.fixed_dictionaries(
        {"PostWebhookUrl": urls, "Method": methods, "Filters": filters, **more}
    )


accounts = configurations("account", Target=st.sampled_from(["webhook", "webhook", "flex"]))
services = configurations("service")
scoped = st.fixed_dictionaries(
    {
        "Url": st.sampled_from(["/scoped/1", "/scoped/2"]),
        "Method": methods,
        "Filters": filters,
        "Triggers": st.lists(st.sampled_from(WORDS), min_size=1, unique=True),
    }
)
steps = st.one_of(
    st.tuples(st.just("message"), st.sampled_from(WORDS)),
    st.tuples(st.just("message"), st.sampled_from(WORDS)),
    st.tuples(st.just("update"), st.none()),
    st.tuples(st.just("remove"), st.none()),
    st.tuples(st.just("account"), accounts),
    st.tuples(st.just("service"), services),
    st.tuples(st.just("attach"), st.tuples(st.booleans(), scoped)),
    st.tuples(st.just("change"), st.tuples(st.integers(0, 9), scoped)),
    st.tuples(st.just("detach"), st.integers(0, 9)),
    st.tuples(st.just("pass"), st.integers(1, 5)),
    st.tuples(st.just("restart"), st.none()),
)


class ModelRun:
    """One sequence of steps, run by the server and by the model."""

    def __init__(self, held_server: HeldIntakeServer) -> None:
        self.held_server, self.model = held_server, SettingsModel()
        self._number = 0

    async def start_term(self) -> None:
        """Continue from the state that the previous run left."""
        self.held_server.backend.requests.clear()
        start = {"PostWebhookUrl": "/start", "Method": "POST", "Filters": [UPDATE]}
        await self.account(start | {"Target": "webhook"})
        await self.service(start | {"PostWebhookUrl": ""})
        await self._new_conversation()

    async def _new_conversation(self) -> None:
        self.sid = (await self.held_server.instance.do("CreateConversation")).sid

    def _label(self) -> str:
        self._number += 1
        return str(self._number)

    async def account(self, values: dict[str, Any]) -> None:
        await self.held_server.account(**values)
        self.model.account = values

    async def service(self, values: dict[str, Any]) -> None:
        await self.held_server.service(self.held_server.instance.scope.service_sid, **values)
        self.model.service = values

    async def message(self, word: str) -> None:
        label = self._label()
        await self.held_server.send_message(self.sid, f"{label} {word}")
        self.model.happen(MESSAGE, label, word)

    async def update(self, _: None) -> None:
        label = self._label()
        form: Any = {"Attributes": json.dumps({"label": label})}
        await self.held_server.instance.do(
            "UpdateConversation", form, origin=WITH_HEADER, Sid=self.sid
        )
        self.model.happen(UPDATE, label)

    async def remove(self, _: None) -> None:
        await self.held_server.instance.do("DeleteConversation", origin=WITH_HEADER, Sid=self.sid)
        self.model.happen(REMOVAL, self.sid)
        self.model.attached.clear()
        await self._new_conversation()

    async def attach(self, values: tuple[bool, dict[str, Any]]) -> None:
        if len(self.model.attached) == WEBHOOKS_MAX:
            return
        is_trigger, form = values
        form = {
            name: form[name] for name in form if name != ("Filters", "Triggers")[not is_trigger]
        }
        target = "trigger" if is_trigger else "webhook"
        made = await self.held_server.attach(self.sid, Target=target, **form)
        self.model.attached[made.sid] = form

    def _chosen(self, number: int) -> str | None:
        there = sorted(self.model.attached)
        return there[number % len(there)] if there else None

    async def change(self, values: tuple[int, dict[str, Any]]) -> None:
        sid = self._chosen(values[0])
        if sid is not None:
            form = {name: values[1][name] for name in self.model.attached[sid]}
            await self.held_server.update(self.sid, sid, **form)
            self.model.attached[sid] = form

    async def detach(self, number: int) -> None:
        sid = self._chosen(number)
        if sid is not None:
            await self.held_server.detach(self.sid, sid)
            del self.model.attached[sid]

    async def let_pass(self, count: int) -> None:
        """Let the intake pass some events, sooner or later."""
        self.held_server.held.pass_events(count)
        await asyncio.sleep(0)

    async def restart(self, _: None) -> None:
        await self.held_server.stop()
        await self.held_server.start()

    async def compare(self) -> None:
        """Let the intake pass the rest; the receiver's requests must equal the model's."""
        self.held_server.held.release()
        await self.held_server.instance.wait_until_idle()
        got = sorted(received(request) for request in self.held_server.backend.requests)
        self.held_server.held.hold()
        assert got == sorted(self.model.sent)

    @property
    def steps(self) -> dict[str, Callable[[Any], Any]]:
        """Return the methods of all kinds of steps, by kind."""
        names = ("message", "update", "remove", "account", "service", "attach", "change", "detach")
        steps: dict[str, Callable[[Any], Any]] = {name: getattr(self, name) for name in names}
        return steps | {"pass": self.let_pass, "restart": self.restart}


def received(request: WebhookRequest) -> Sent:
    """Return a request in the model's form."""
    values = request.values
    if request.event == MESSAGE:
        return request.method, request.path, values["Body"].split()[0]
    if request.event == UPDATE:
        return request.method, request.path, json.loads(values["Attributes"])["label"]
    assert request.event == REMOVAL
    return request.method, request.path, values["ConversationSid"]


def test_webhooks_follow_the_settings_at_commit(tmp_path: Path) -> None:
    with asyncio.Runner() as runner, started(tmp_path, runner) as held_server:

        @settings(max_examples=RUNS, suppress_health_check=list(HealthCheck))
        @given(st.lists(steps, min_size=6, max_size=STEPS_MAX))
        def any_sequence(chosen: list[tuple[str, Any]]) -> None:
            async def act() -> None:
                run = ModelRun(held_server)
                await run.start_term()
                for name, argument in chosen:
                    await run.steps[name](argument)
                await run.compare()

            runner.run(act())

        any_sequence()


@contextlib.contextmanager
def started(data: Path, runner: asyncio.Runner) -> Iterator[HeldIntakeServer]:
    """One server and receiver for all runs."""
    backend = WebhookBackend()
    runner.run(backend.__aenter__())
    held_server = HeldIntakeServer(data, backend)
    try:
        runner.run(held_server.start())
        yield held_server
    finally:
        runner.run(held_server.stop())
        runner.run(backend.__aexit__())
