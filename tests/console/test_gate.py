"""The gate: each check rejects a request with a separate status, before any change."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from parlour.console.inner_paths import parse_inner_path
from parlour.operations.operation import AuthScheme
from parlour.resources import account_setup
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError
from tests.console.console_page import (
    ROOT,
    SESSION,
    ConsolePage,
    api_of,
    header,
    run_scene,
    signed_in,
)
from tests.events.in_process_server import ACCOUNT_SID, AUTH_TOKEN, poll_until
from tests.events.webhook_backend import OK, WebhookBackend, WebhookRequest
from tests.support.in_process_requests import send_request

if TYPE_CHECKING:
    from pathlib import Path

    from tests.events.in_process_server import InProcessServer
    from tests.support.in_process_api import InProcessResponse

OTHER = "AC" + "0" * 31 + "2"
CONVERSATIONS = "/v1/Conversations"
API = f"{ROOT}/api/{ACCOUNT_SID}"
Headers = dict[bytes, bytes | None]

FOREIGN: list[tuple[str, Headers, int]] = [
    ("no session", {b"cookie": None}, 401),
    ("a guessed cookie", {b"cookie": b"parlour=" + b"0" * 64}, 401),
    ("the cookie of TLS over plain HTTP", {b"cookie": b"__Secure-parlour=%s"}, 401),
    ("two cookies", {b"cookie": b"parlour=%s; parlour=" + b"0" * 64}, 401),
    ("another site", {b"sec-fetch-site": b"cross-site"}, 403),
    ("another port of this host", {b"sec-fetch-site": b"same-site"}, 403),
    ("a link", {b"sec-fetch-site": b"none"}, 403),
    ("no header of the page", {b"parlour-console": None}, 403),
    ("another value of it", {b"parlour-console": b"yes"}, 403),
    ("no origin", {b"sec-fetch-site": None}, 403),
    ("a foreign origin", {b"sec-fetch-site": None, b"origin": b"http://evil.test"}, 403),
    ("an opaque origin", {b"sec-fetch-site": None, b"origin": b"null"}, 403),
    ("the origin over TLS", {b"sec-fetch-site": None, b"origin": b"https://localhost"}, 403),
    ("another port as origin", {b"sec-fetch-site": None, b"origin": b"http://localhost:1"}, 403),
    ("a rebound name", {b"host": b"evil.test"}, 421),
    ("a name that ends as ours", {b"host": b"evil-localhost"}, 421),
    ("a public address", {b"host": b"192.0.2.1"}, 421),
    ("no name", {b"host": b""}, 421),
    ("a name with a path", {b"host": b"localhost/evil"}, 421),
]


def gate_of(instance: InProcessServer) -> Any:
    """Return the gate of a server."""
    console: Any = instance.app.server._endpoints[AuthScheme.CONSOLE]
    endpoint = console.endpoint
    return endpoint._gate


async def count_of(instance: InProcessServer) -> int:
    """Return the number of conversations of the account."""
    return len((await api_of(instance).get(CONVERSATIONS)).expect(200)["conversations"])


def test_the_page_calls_operations_as_its_account(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        page = await signed_in(instance.app)
        made = (await page.call("POST", CONVERSATIONS, {"FriendlyName": "x"})).expect(201)
        shown = (await page.call("GET", f"{CONVERSATIONS}/{made['sid']}")).expect(200)
        assert shown == (await api_of(instance).get(f"{CONVERSATIONS}/{made['sid']}")).json()
        own = {b"sec-fetch-site": None, b"origin": b"http://localhost"}
        (await page.call("POST", CONVERSATIONS, {}, headers=own)).expect(201)
        (await page.call("DELETE", f"{CONVERSATIONS}/{made['sid']}")).expect(204)
        (await page.call("GET", f"{CONVERSATIONS}/{made['sid']}")).refuses(404, 20404)

    run_scene(tmp_path / "data", scene)


def test_the_session_names_its_node_as_the_operations_do(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        page = await signed_in(instance.app)
        server = (await page.call("GET", "/parlour/v1/Activity")).expect(200)
        session = (await page.send("GET", SESSION)).expect(200)
        assert session["node"] == server["node"]

    run_scene(tmp_path / "data", scene)


def test_each_foreign_change_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        page = await signed_in(instance.app)
        token = page.cookie.partition(b"=")[2]
        for name, headers, status in FOREIGN:
            sent = {key: value and value.replace(b"%s", token) for key, value in headers.items()}
            for method, path in (("POST", CONVERSATIONS), ("DELETE", f"{CONVERSATIONS}/{OTHER}")):
                form = {"FriendlyName": "x"} if method == "POST" else None
                refused = await page.call(method, path, form, headers=sent)
                assert refused.status == status, (name, refused)
        assert await count_of(instance) == 0

    run_scene(tmp_path / "data", scene)


def test_a_read_from_another_site_is_refused(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        page = await signed_in(instance.app)
        for site in (b"cross-site", b"same-site"):
            headers: Headers = {b"sec-fetch-site": site, b"parlour-console": None}
            (await page.call("GET", CONVERSATIONS, headers=headers)).refuses(403, 20403)
            (await page.send("GET", SESSION, headers=headers)).refuses(403, 20403)
        # The page itself is the target of links.
        assert (
            await page.send("GET", f"{ROOT}/x", headers={b"sec-fetch-site": b"cross-site"})
        ).status == 200

    run_scene(tmp_path / "data", scene)


def test_the_cookie_counts_nowhere_else(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        page = await signed_in(instance.app)
        for path in (CONVERSATIONS, "/parlour/v1/Events", f"/v1/Services/{OTHER}/Media/{OTHER}"):
            assert (await page.send("GET", path)).status == 401, path
            assert (await page.send("POST", path, {"FriendlyName": "x"})).status in {401, 405}, path
        assert await count_of(instance) == 0

    run_scene(tmp_path / "data", scene)


def test_credentials_in_headers_do_not_count_in_the_console(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        api, page = api_of(instance), ConsolePage(instance.app)
        token = (await api.post("/parlour/v1/Tokens", {"Identity": "alice"})).expect(201)["token"]
        await api.get(CONVERSATIONS)
        for headers in (
            {b"authorization": api.headers[b"authorization"]},
            {b"x-twilio-token": token.encode()},
        ):
            (await page.call("GET", CONVERSATIONS, headers=headers)).refuses(401, 20003)
        # Nor do wrong ones matter.
        wrong = b"Basic " + base64.b64encode(f"{ACCOUNT_SID}:wrong".encode())
        signed = await signed_in(instance.app)
        for _ in range(3):
            found = await signed.call("GET", CONVERSATIONS, headers={b"authorization": wrong})
            found.expect(200)

    run_scene(tmp_path / "data", scene)


@pytest.mark.parametrize(
    "rest",
    [
        "/v1/Conversations/../Users",
        "/v1/./Users",
        "/v1//Users",
        "/v1/Users/",
        "/v1/Users/a%2Fb",
        "/v1/Users/a%2fb",
        "/v1/Users/a%5Cb",
        "/v1/Users/%2e%2e",
        "/v1/Users/%2E",
        "/v1/Users/a\\b",
        "/v1/Users/%00",
        "/v1/Users/%zz",
        "/v1/Users/%ff",
        "/parlour/console/api/-/v1/Users",
        "/parlour/v1/../console/session",
        "/media-direct/x",
        "/healthz",
        "/metrics",
        "/",
        "",
        "/v2/Users",
        "/parlour/v1/Operator/Health",
    ],
)
def test_ambiguous_and_other_paths_are_not_found(rest: str) -> None:
    with pytest.raises(ApiError) as refused:
        parse_inner_path(f"{API}{rest}")
    assert refused.value.status == 404


def test_paths_of_accounts_and_of_the_server() -> None:
    assert parse_inner_path(f"{API}/v1/Users/a%40b%2B1") == (ACCOUNT_SID, "/v1/Users/a%40b%2B1")
    upper = f"{ROOT}/api/{OTHER.replace('AC0', 'ACA')}/2010-04-01/Accounts/x.json"
    assert parse_inner_path(upper)[0] == OTHER.replace("AC0", "ACa")
    health = "/parlour/v1/Operator/Health"
    assert parse_inner_path(f"{ROOT}/api/-{health}") == ("", health)
    for path in (
        f"{ROOT}/api/-/v1/Users",
        f"{ROOT}/api/AC1/v1/Users",
        f"{ROOT}/api",
        f"{ROOT}/api/",
    ):
        with pytest.raises(ApiError):
            parse_inner_path(path)


async def make_other_account(instance: InProcessServer) -> None:
    """Create a second account."""
    await instance.store.write(
        lambda tx: account_setup.create_account(
            tx, instance.app.vault, sid=OTHER, auth_token=AUTH_TOKEN, friendly_name="other"
        )
    )


def test_another_account_is_as_one_that_does_not_exist(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        await make_other_account(instance)
        page, unknown = await signed_in(instance.app), "AC" + "0" * 31 + "9"
        for method, form in (("GET", None), ("POST", {"FriendlyName": "x"})):
            shown = [
                (await page.call(method, CONVERSATIONS, form, account_sid=sid)).refuses(404, 20404)
                for sid in (OTHER, unknown)
            ]
            assert shown[0] == shown[1]

    run_scene(tmp_path / "data", scene)


def test_an_operator_sees_each_account_and_changes_active_ones(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        await make_other_account(instance)
        page = ConsolePage(instance.app)
        await page.sign_in(Open="true")
        unknown = "AC" + "0" * 31 + "9"
        (await page.call("POST", CONVERSATIONS, {}, account_sid=unknown)).refuses(404, 20404)
        (await page.call("POST", CONVERSATIONS, {}, account_sid=OTHER)).expect(201)
        await instance.store.write(
            lambda tx: tx.run("UPDATE account SET status = 'suspended' WHERE sid = $1", OTHER)
        )
        shown = (await page.call("GET", CONVERSATIONS, account_sid=OTHER)).expect(200)
        assert len(shown["conversations"]) == 1
        (await page.call("POST", CONVERSATIONS, {}, account_sid=OTHER)).refuses(403, 20005)

    run_scene(tmp_path / "data", scene, test=True)


def test_operations_of_the_server_are_for_operators(tmp_path: Path) -> None:
    path = "/parlour/v1/Operator/Sessions"

    async def scene(instance: InProcessServer) -> None:
        own, page = await signed_in(instance.app), ConsolePage(instance.app)
        await page.sign_in(Open="true")
        (await own.call("GET", path, account_sid="-")).refuses(404, 20404)
        (await own.call("GET", path)).refuses(404, 20404)
        (await page.call("GET", path)).refuses(404, 20404)
        (await page.call("GET", CONVERSATIONS, account_sid="-")).refuses(404, 20404)
        sessions = (await page.call("GET", path, account_sid="-")).expect(200)["sessions"]
        kinds = {each["principal"]["kind"]: each for each in sessions}
        assert kinds.keys() == {"operator", "account"}
        of_account = kinds["account"]
        ended = await page.call("DELETE", f"{path}/{of_account['sid']}", account_sid="-")
        ended.expect(204)
        (await own.call("GET", CONVERSATIONS)).refuses(401, 20003)
        (await page.call("POST", CONVERSATIONS, {})).expect(201)
        audit = (await page.call("GET", "/parlour/v1/Operator/Audit", account_sid="-")).expect(200)
        assert [each["operation"] for each in audit["audit"]] == [
            "CreateConversation",
            "DeleteOperatorSession",
        ]

    run_scene(tmp_path / "data", scene, test=True)


def test_the_console_has_slots_of_its_own(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        page = await signed_in(instance.app)
        release = asyncio.Event()

        async def hold(_request: WebhookRequest, writer: asyncio.StreamWriter) -> None:
            await release.wait()
            writer.write(OK)

        async with WebhookBackend() as backend:
            backend.responders["/hold"] = hold
            hook = {"PreWebhookUrl": backend.url("/hold"), "Filters": "onConversationAdd"}
            (await api_of(instance).post("/v1/Configuration/Webhooks", hook)).expect(200)
            fires: Headers = {b"x-twilio-webhook-enabled": b"true"}
            held = [
                asyncio.create_task(page.call("POST", CONVERSATIONS, {}, headers=fires))
                for _ in range(limits.CONSOLE_REQUESTS_MAX)
            ]
            slots = gate_of(instance)._admission

            async def is_full() -> bool:
                return slots.running == limits.CONSOLE_REQUESTS_MAX

            await poll_until(is_full)
            refused = await page.call("GET", CONVERSATIONS)
            refused.refuses(429, 20429)
            assert header(refused, "retry-after")
            # Callers of the API have their own slots.
            assert await count_of(instance) == 0
            assert instance.app.admission.running == 0
            release.set()
            for each in held:
                (await each).expect(201)
        assert slots.running == 0
        (await page.call("GET", CONVERSATIONS)).expect(200)

    run_scene(tmp_path / "data", scene)


def test_busy_callers_take_no_slots_of_the_console(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        page = await signed_in(instance.app)
        instance.app.admission.enter(ACCOUNT_SID)
        (await api_of(instance).get(CONVERSATIONS)).refuses(429, 20429)
        (await page.call("GET", CONVERSATIONS)).expect(200)
        instance.app.admission.leave(ACCOUNT_SID)

    run_scene(tmp_path / "data", scene, concurrent_requests_per_account_max=1)


def test_waiting_lists_and_streams_hold_no_slot(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        page = await signed_in(instance.app)
        lists: list[asyncio.Task[InProcessResponse]] = []

        async def all_wait() -> bool:
            return instance.app.waiting_lists.count == len(lists)

        for _ in range(limits.CONSOLE_REQUESTS_MAX + 1):
            path = "/parlour/v1/Events?Wait=10&MinCount=1"
            lists.append(asyncio.create_task(page.call("GET", path)))
            await poll_until(all_wait)
        (await page.call("POST", CONVERSATIONS, {})).expect(201)
        for each in lists:
            assert (await each).expect(200)["complete"]

    run_scene(tmp_path / "data", scene)


def test_other_bodies_than_forms_reach_their_operations(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        page = ConsolePage(instance.app)
        await page.sign_in(Open="true")
        path = f"{API}/parlour/v1/Seeds"
        seed = {"parlour": 1, "conversations": [{"unique_name": "big", "friendly_name": "x" * 256}]}
        text = json.dumps(seed).encode() + b" " * (limits.BODY_BYTES_MAX + 1)
        headers = {
            name: value
            for name, value in {
                **page.headers,
                b"cookie": page.cookie,
                b"content-type": b"application/json",
            }.items()
            if value is not None
        }
        made = await send_request(instance.app.server, "POST", path, headers, text)
        assert made.status == 201, made.body
        parts: list[Any] = [
            b"--x\r\ncontent-disposition: form-data; name=FriendlyName\r\n\r\nfour\r\n--x--\r\n"
        ]
        headers[b"content-type"] = b"multipart/form-data; boundary=x"
        made = await send_request(
            instance.app.server, "POST", f"{API}{CONVERSATIONS}", headers, parts[0]
        )
        assert json.loads(made.body)["friendly_name"] == "four"

    run_scene(tmp_path / "data", scene, test=True)
