"""What a session without bodies is shown: no read has a text of users, or a token of a URL."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from parlour.console import visibility
from parlour.operations.caller import ADMIN, SUPPORT, VIEW
from parlour.resources.table import operations
from parlour.resources.webhook_attempts.representation import without_query
from parlour.testmode.table import declared_operations
from tests.console.console_page import ConsolePage, api_of, run_scene
from tests.console.test_roles import GATED, HIDDEN_TEXT, PHONE, fill, operator_of
from tests.console.test_sign_in import OPERATOR_SID, SECRET, make_operator
from tests.events.in_process_server import ACCOUNT_SID, poll_until
from tests.events.webhook_backend import WebhookBackend, WebhookRequest
from tests.support.in_process_api import InProcessApi

if TYPE_CHECKING:
    import asyncio
    from pathlib import Path

    from tests.events.in_process_server import InProcessServer

TOKEN = "TokenOfTheReceiver"
QUEUES = "/parlour/v1/Operator/Queues"


def receiver(backend: WebhookBackend, path: str) -> str:
    """Return the URL of a receiver, with tokens in all its parts that may have one."""
    url = backend.url(path).replace("://", f"://{TOKEN}:{TOKEN}@")
    return f"{url}?token={TOKEN}&{TOKEN}#{TOKEN}"


async def fail(_request: WebhookRequest, writer: asyncio.StreamWriter) -> None:
    """Refuse a webhook, so that it is tried again."""
    writer.write(b"HTTP/1.1 500 x\r\ncontent-length: 0\r\n\r\n")


class HiddenWorld:
    """A server with the text and the token in everything that may have one."""

    def __init__(self, instance: InProcessServer, backend: WebhookBackend) -> None:
        self.api = api_of(instance)
        self.backend = backend
        self.names: dict[str, str] = {"AccountSid": ACCOUNT_SID, "Address": PHONE}

    async def fill(self, instance: InProcessServer) -> None:
        """Write it."""
        api, url = self.api, receiver(self.backend, "/hook")
        self.backend.responders["/hook"] = fail
        hooks = {"PostWebhookUrl": url, "PreWebhookUrl": url, "Filters": ["onMessageAdded"]}
        (await api.post("/v1/Configuration/Webhooks", hooks)).expect(200)
        sid, service = await fill(instance)
        self.names |= {"ConversationSid": sid, "ChatServiceSid": service}
        conversation = f"/v1/Conversations/{sid}"
        attributes = json.dumps({"text": HIDDEN_TEXT})
        own = {"Target": "webhook", "Configuration.Url": url, "Configuration.Method": "POST"}
        own["Configuration.Filters"] = "onMessageUpdated"
        (await api.post(f"{conversation}/Webhooks", own)).expect(201)
        of_service = f"/v1/Services/{service}/Configuration/Webhooks"
        (await api.post(of_service, hooks)).expect(200)
        address = {"Type": "sms", "Address": "+15550777", "AutoCreation.Type": "webhook"}
        address |= {"AutoCreation.Enabled": "true", "AutoCreation.WebhookUrl": url}
        (await api.post("/v1/Configuration/Addresses", address)).expect(201)
        sent = {"Author": "alice", "Body": HIDDEN_TEXT, "Attributes": attributes}
        firing = api_of(instance)
        firing.headers[b"x-twilio-webhook-enabled"] = b"true"
        message = await firing.post(f"{conversation}/Messages", sent)
        self.names["MessageSid"] = message.expect(201)["sid"]

        async def is_tried() -> bool:
            return bool((await api.get("/parlour/v1/WebhookAttempts")).json()["webhook_attempts"])

        await poll_until(is_tried)

    async def paths(self) -> list[tuple[str, str]]:
        """Return the name and the path of each read of an account that is shown."""
        found = []
        for each in sorted({*operations(), *declared_operations()}, key=lambda one: one.path):
            shown = each.operation_id in visibility.SHOWN and each.authentication in GATED
            if each.method == "GET" and shown and not each.for_operators:
                path = each.path
                for name, value in self.names.items():
                    path = path.replace(f"{{{name}}}", quote(value, safe=""))
                if path.endswith("/{Sid}"):
                    path = await self._first(path.removesuffix("/{Sid}"))
                if path and "{" not in path:
                    found.append((each.operation_id, path))
        return found

    async def _first(self, path: str) -> str:
        """Return the path of the first object of a list; empty if there is none."""
        listed = (await self.api.get(path)).json()
        rows = next((each for each in listed.values() if isinstance(each, list)), [])
        return f"{path}/{quote(rows[0]['sid'], safe='')}" if rows else ""


async def texts_of(page: ConsolePage, world: HiddenWorld) -> dict[str, str]:
    """Return the response of each read that succeeds, by the name of its operation."""
    found = {}
    for name, path in await world.paths():
        response = await page.call("GET", path)
        if response.status == 200:
            found[name] = response.body.decode()
    return found


@pytest.mark.parametrize(("role", "settings"), [(VIEW, {}), (SUPPORT, {"console_bodies": False})])
def test_no_shown_read_has_a_text_of_users_or_a_token(
    tmp_path: Path, role: str, settings: dict[str, Any]
) -> None:
    async def scene(instance: InProcessServer) -> None:
        async with WebhookBackend() as backend:
            world = HiddenWorld(instance, backend)
            await world.fill(instance)
            page = await operator_of(instance, role)
            found = await texts_of(page, world)
            assert len(found) >= 60, sorted(found)
            for name, text in found.items():
                assert HIDDEN_TEXT not in text, name
                assert TOKEN not in text, name
            # The receiver is still known by its address.
            for name in (
                "FetchConfigurationWebhook",
                "ListConversationScopedWebhook",
                "FetchServiceWebhookConfiguration",
                "ListConfigurationAddress",
                "ListWebhookAttempt",
                "ListWebhookEndpoint",
            ):
                assert backend.url("/hook") + "?…" in found[name], name

    run_scene(tmp_path / "data", scene, test=True, **settings)


def test_the_world_has_them_and_an_admin_without_bodies_sees_the_urls(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        async with WebhookBackend() as backend:
            world = HiddenWorld(instance, backend)
            await world.fill(instance)
            page = await operator_of(instance, ADMIN)
            found = await texts_of(page, world)
            assert all(HIDDEN_TEXT not in text for text in found.values())
            assert sum(TOKEN in text for text in found.values()) >= 8
            # Saving what the page shows must not change the receiver.
            hooks = (await page.call("GET", "/v1/Configuration/Webhooks")).expect(200)
            assert hooks["post_webhook_url"].endswith(f"?token={TOKEN}&{TOKEN}#{TOKEN}")
            own = [(await world.api.get(path)).body.decode() for _, path in await world.paths()]
            assert sum(HIDDEN_TEXT in text for text in own) >= 12

    run_scene(tmp_path / "data", scene, test=True, console_bodies=False)


@pytest.mark.parametrize(("role", "is_shown"), [(VIEW, False), (SUPPORT, True)])
def test_the_queues_show_queries_of_webhooks_by_role(
    tmp_path: Path, role: str, *, is_shown: bool
) -> None:
    async def scene(instance: InProcessServer) -> None:
        async with WebhookBackend() as backend:
            await HiddenWorld(instance, backend).fill(instance)
            await make_operator(instance, role)
            page = ConsolePage(instance.app)
            await page.sign_in(Name=OPERATOR_SID, Secret=SECRET)
            by_basic = InProcessApi(instance.app.server, OPERATOR_SID, SECRET)
            for found in (
                (await by_basic.get(QUEUES)).expect(200),
                (await page.call("GET", QUEUES, account_sid="-")).expect(200),
            ):
                (waiting,) = {each["url"] for each in found["webhooks"]}
                assert waiting.startswith(backend.url("/hook?"))
                assert (TOKEN in waiting) is is_shown

    run_scene(tmp_path / "data", scene, test=True)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://a.example/b?c=d&e#f", "https://a.example/b?…"),
        ("https://u:p@a.example?x", "https://a.example?…"),
        ("https://a.example/b", "https://a.example/b"),
        ("https://a.example/b?", "https://a.example/b?…"),
        ("", ""),
    ],
)
def test_urls_without_their_queries(url: str, shown: str) -> None:
    assert without_query(url) == shown


def test_operators_without_bodies_get_no_secrets_of_accounts_by_their_key(tmp_path: Path) -> None:
    accounts = "/parlour/v1/Operator/Accounts"

    async def scene(instance: InProcessServer) -> None:
        await make_operator(instance, ADMIN)
        by_basic = InProcessApi(instance.app.server, OPERATOR_SID, SECRET)
        (await by_basic.post(f"{accounts}/{ACCOUNT_SID}/Keys", {})).refuses(403, 20403)
        (await by_basic.post(accounts, {})).refuses(403, 20403)
        assert len((await by_basic.get(accounts)).expect(200)["accounts"]) == 1
        named = await by_basic.post(f"{accounts}/{ACCOUNT_SID}", {"FriendlyName": "shop"})
        named.expect(200)

    run_scene(tmp_path / "data", scene, console_bodies=False)
