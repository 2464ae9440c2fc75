"""The hostile targets given to every parameter of the API that takes a URL.

With the guard nothing is connected to, whichever parameter brought the URL in. With the guard off
the same requests go out, so it is the guard that holds them back and nothing else.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

from parlour.operations.parameters import wire_names
from parlour.resources.table import operations
from parlour.vocabulary.errors import ApiError
from tests.events.event_log_setup import poll_until
from tests.events.in_process_server import WITH_HEADER, InProcessServer
from tests.security.test_ssrf import CORPUS, GUARDED, MALFORMED, REFUSED, UNGUARDED, Network

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from pathlib import Path

    from parlour.egress.client import EgressPolicy

# Every URL parameter that the API has, by operation, and what it rejects a URL with that it cannot
# take.
PARAMETERS = {
    "UpdateConfigurationWebhook PreWebhookUrl": 50077,
    "UpdateConfigurationWebhook PostWebhookUrl": 50078,
    "UpdateServiceWebhookConfiguration PreWebhookUrl": 50077,
    "UpdateServiceWebhookConfiguration PostWebhookUrl": 50078,
    "CreateConversationScopedWebhook Configuration.Url": 20001,
    "UpdateConversationScopedWebhook Configuration.Url": 20001,
    "CreateServiceConversationScopedWebhook Configuration.Url": 20001,
    "UpdateServiceConversationScopedWebhook Configuration.Url": 20001,
    "CreateConfigurationAddress AutoCreation.WebhookUrl": 50369,
    "UpdateConfigurationAddress AutoCreation.WebhookUrl": 50369,
}
# Requested before the response, and not by a webhook: test_phone_media_urls.py, and
# tests/resources/test_webhook_samples.py.
FETCHED = {"CreateVirtualPhoneMessage MediaUrl", "CreateWebhookSample Url"}
# Only signed, or compared with the URLs of the webhook log and its queue.
NEVER_REQUESTED = {
    "CreateWebhookSignature Url",
    "CreateWebhookEndpointRetry Url",
    "ListWebhookAttempt Url",
}
HARMLESS = "http://public.test/"
NOT_REACHED = {11200, 11205, 11210}
LAST = "SELECT COALESCE(MAX(sid), '') FROM webhook_attempt"
SINCE = "SELECT status, error_code FROM webhook_attempt WHERE sid > $1"


class AttackedServer:
    """One server whose outbound connections are counted and never made."""

    def __init__(self, instance: InProcessServer, policy: EgressPolicy) -> None:
        self.instance = instance
        self.network = Network()
        egress = instance.app.egress
        egress.policy = policy
        egress._resolve = self.network.resolve
        egress._connect = self.network.connect
        self.accepted: Counter[str] = Counter()
        self.wrong: list[str] = []

    async def run(self, target: dict[str, str], *, is_reached: bool) -> None:
        """Give one target to every parameter, and have each of them used."""
        url = target["input"]
        for is_service in (False, True):
            sid = (await self.instance.do("CreateConversation")).sid
            used = await self._configure(url, is_service=is_service)
            used += await self._attach(sid, url, is_service=is_service)
            used += await self._auto_create(sid, url, is_update=is_service)
            await self._use(target, sid, used, is_reached=is_reached)
            await self._configure("", is_service=is_service)

    async def _given(self, parameter: str, doing: Awaitable[Any]) -> Any:
        """What the operation gives if it took the URL; what it refuses it refuses as documented."""
        try:
            given = await doing
        except ApiError as error:
            if error.code != PARAMETERS[parameter]:
                self.wrong.append(f"{parameter}: {error}")
            return None
        self.accepted[parameter] += 1
        return given

    async def _configure(self, url: str, *, is_service: bool) -> int:
        """How many of the two URLs of a configuration are set now."""
        operation_id, path = "UpdateConfigurationWebhook", {}
        if is_service:
            operation_id = "UpdateServiceWebhookConfiguration"
            path = {"ChatServiceSid": self.instance.scope.service_sid}
        count = 0
        for name in ("PreWebhookUrl", "PostWebhookUrl"):
            form: Any = {name: url, "Filters": ["onMessageAdd", "onMessageAdded"]}
            doing = self.instance.do(operation_id, form, **path)
            if url:
                count += await self._given(f"{operation_id} {name}", doing) is not None
            else:
                await doing
        return count

    async def _attach(self, sid: str, url: str, *, is_service: bool) -> int:
        """How many webhooks of a conversation there are now: one is made with the URL, one gets it.

        Each of them once as a webhook and once as a trigger.
        """
        here = {"ConversationSid": sid}
        form = "ConversationScopedWebhook"
        if is_service:
            here["ChatServiceSid"] = self.instance.scope.service_sid
            form = "ServiceConversationScopedWebhook"
        count = 0
        for kind in (
            {"Target": "webhook", "Configuration.Filters": "onMessageAdded"},
            {"Target": "trigger", "Configuration.Triggers": "said"},
        ):
            values: Any = {**kind, "Configuration.Url": url}
            made = self.instance.do(f"Create{form}", values, **here)
            count += await self._given(f"Create{form} Configuration.Url", made) is not None
            values["Configuration.Url"] = HARMLESS
            there = (await self.instance.do(f"Create{form}", values, **here)).sid
            changed = self.instance.do(
                f"Update{form}", {"Configuration.Url": url}, Sid=there, **here
            )
            if await self._given(f"Update{form} Configuration.Url", changed) is not None:
                count += 1
            else:
                await self.instance.do(f"Delete{form}", Sid=there, **here)
        return count

    async def _auto_create(self, sid: str, url: str, *, is_update: bool) -> int:
        """Whether the webhook is there that a conversation made for an address would get."""
        form = {
            "Type": "sms",
            "Address": "+15017122661",
            "AutoCreation.Enabled": "true",
            "AutoCreation.Type": "webhook",
            "AutoCreation.WebhookUrl": HARMLESS if is_update else url,
            "AutoCreation.WebhookFilters": "onMessageAdded",
        }
        parameter = "CreateConfigurationAddress AutoCreation.WebhookUrl"
        doing = self.instance.do("CreateConfigurationAddress", form)  # type: ignore[arg-type]
        made: Any = None
        if is_update:
            parameter = "UpdateConfigurationAddress AutoCreation.WebhookUrl"
            made = await doing
            values: Any = {"AutoCreation.WebhookUrl": url}
            doing = self.instance.do("UpdateConfigurationAddress", values, Sid=made.sid)
        taken = await self._given(parameter, doing)
        if taken is not None:
            rule = taken.creation
            await self.instance.attach(sid, Url=rule.webhook_url, Filters=rule.webhook_filters)
        if made or taken:
            await self.instance.do("DeleteConfigurationAddress", Sid=(made or taken).sid)
        return taken is not None

    async def _use(self, target: dict[str, str], sid: str, used: int, *, is_reached: bool) -> None:
        """Send a message that every webhook receives, and check the connections that it caused."""
        await self._logged()
        last = await self.instance.store.read(lambda tx: tx.one(LAST))
        assert last is not None
        self.network.connected.clear()
        await self.instance.send_message(sid, "said", WITH_HEADER)
        await self._logged()
        attempts = await self.instance.store.read(lambda tx: tx.all(SINCE, last[0]))
        if len(attempts) != used:
            self.wrong.append(f"{len(attempts)} attempts, not {used}: {target['input']!r}")
        if any(status is not None or code not in NOT_REACHED for status, code in attempts):
            self.wrong.append(f"{attempts}: {target['input']!r}")
        reached = {address for address, _ in self.network.connected}
        if not is_reached and reached:
            self.wrong.append(f"reached {reached}: {target['input']!r}")
        if is_reached and used:
            is_everywhere = len(self.network.connected) >= used
            if target["reaches"] not in reached or not is_everywhere:
                self.wrong.append(f"not reached: {target['input']!r}, but {reached}")

    async def _logged(self) -> None:
        """Wait until every attempt is in the log."""
        await self.instance.wait_until_idle()
        await poll_until(lambda: not self.instance.app.webhooks.writer.has_work)


def attack(
    data: Path, policy: EgressPolicy, targets: list[dict[str, Any]], *, is_reached: bool
) -> Counter[str]:
    """Return the number of targets that each parameter accepted; fail on any error."""

    async def run() -> Counter[str]:
        # No second attempts: a refused connection would be made again a second later.
        async with InProcessServer(data, webhook_retries="hosted") as instance:
            it = AttackedServer(instance, policy)
            for target in targets:
                await it.run(target, is_reached=is_reached)
            assert it.wrong == []
            return it.accepted

    return asyncio.run(run())


def test_there_is_no_other_parameter_with_a_url() -> None:
    found = {
        f"{operation.operation_id} {name}"
        for operation in operations()
        for name, _, _ in wire_names(operation.spec.parameters)
        if name.lower().endswith("url")
    }
    assert found == set(PARAMETERS) | FETCHED | NEVER_REQUESTED


def test_with_the_guard_no_parameter_reaches_a_target(tmp_path: Path) -> None:
    accepted = attack(tmp_path / "data", GUARDED, CORPUS["targets"], is_reached=False)
    assert set(accepted) == set(PARAMETERS)
    assert min(accepted.values()) >= 120


def test_without_the_guard_every_parameter_reaches_its_target(tmp_path: Path) -> None:
    # A quarter of the targets is enough for every parameter, and test_ssrf.py has them all.
    accepted = attack(tmp_path / "data", UNGUARDED, REFUSED[::4], is_reached=True)
    assert set(accepted) == set(PARAMETERS)
    assert min(accepted.values()) >= 30


def test_an_invalid_url_is_never_reached(tmp_path: Path) -> None:
    attack(tmp_path / "data", UNGUARDED, MALFORMED, is_reached=False)


def test_the_attack_sees_a_hole(tmp_path: Path) -> None:
    """A planted fault: a disabled guard is noticed for every parameter with a URL."""
    hole = {"input": "http://127.0.0.1:22/", "reaches": "127.0.0.1"}

    async def run() -> list[str]:
        async with InProcessServer(tmp_path / "data", webhook_retries="hosted") as instance:
            it = AttackedServer(instance, UNGUARDED)
            await it.run(hole, is_reached=False)
            return it.wrong

    wrong = asyncio.run(run())
    # Once by the account and the short form, once by the service and its own.
    assert len(wrong) == 2
    assert all("reached" in each for each in wrong)
