"""The gate in front of each operation that changes anything, as the API's description lists them.

Each is sent with the SIDs of objects that exist, so that it would change something if it passed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from parlour.operations.caller import ADMIN, SUPPORT, VIEW
from parlour.resources import account_setup
from parlour.resources.operators import actions as operator_actions
from parlour.resources.table import operations
from parlour.testmode.table import declared_operations
from tests.console.console_page import SESSION, ConsolePage, api_of, run_scene, signed_in
from tests.console.test_gate import gate_of
from tests.console.test_roles import GATED
from tests.events.in_process_server import ACCOUNT_SID, AUTH_TOKEN, poll_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.console.console_page import ConsolePage as Page
    from tests.events.in_process_server import InProcessServer

pytestmark = pytest.mark.embedded

OTHER = "AC" + "0" * 31 + "2"
PHONE = "%2B15550100"
SECRET = "a secret of an operator"
CHANGES_MIN = 100
CHANGING = {"post", "put", "patch", "delete"}
Headers = dict[bytes, bytes | None]

CASES: list[tuple[str, str, Headers, int, int]] = [
    # The violation, whose page sends it, with which headers: status and code of the error.
    ("no session", "account", {b"cookie": None}, 401, 20003),
    ("a session of another account", "other", {}, 404, 20404),
    ("a foreign site", "account", {b"sec-fetch-site": b"cross-site"}, 403, 20403),
    ("another port", "account", {b"sec-fetch-site": b"same-site"}, 403, 20403),
    (
        "a foreign origin",
        "account",
        {b"sec-fetch-site": None, b"origin": b"http://evil.test"},
        403,
        20403,
    ),
    ("neither site nor origin", "account", {b"sec-fetch-site": None}, 403, 20403),
    ("no header of the page", "account", {b"parlour-console": None}, 403, 20403),
    ("a rebound name", "account", {b"host": b"evil.test"}, 421, 20001),
    ("the role view", VIEW, {}, 403, 20403),
    ("the role support", SUPPORT, {}, 403, 20403),
]
READERS = "sink_position"
"""The table of positions in the event log, which follow it later."""
OF_MEMORY = ("Clock", "Faults", "Emulation", "Snapshots", "Connections")
"""What test mode has in memory."""


class ChangingCall(NamedTuple):
    """An operation that changes something, with the SIDs of the world in its path."""

    operation_id: str
    method: str
    path: str
    is_of_server: bool

    async def send(self, page: Page, headers: Headers | None = None) -> Any:
        """Send it through the gate."""
        form = {} if self.method == "POST" else None
        account_sid = "-" if self.is_of_server else ACCOUNT_SID
        return await page.call(
            self.method, self.path, form, account_sid=account_sid, headers=headers
        )


async def make_world(instance: InProcessServer) -> dict[str, str]:
    """Create an object of each kind; return the SIDs by the name of their collection."""
    api = api_of(instance)

    async def make(path: str, **form: Any) -> Any:
        found = await api.post(path, {name.replace("_", "."): text for name, text in form.items()})
        assert found.status in {200, 201}, (path, found.body)
        return found.json()

    await instance.store.write(
        lambda tx: account_setup.create_account(
            tx, instance.app.vault, sid=OTHER, auth_token=AUTH_TOKEN, friendly_name="other"
        )
    )
    sid = (await make("/v1/Conversations", FriendlyName="x"))["sid"]
    place = f"/v1/Conversations/{sid}"
    service = (await make("/v1/Services", FriendlyName="second"))["sid"]
    hook = {
        "Target": "webhook",
        "Configuration_Url": "https://example.org",
        "Configuration_Filters": "onMessageAdded",
    }
    content = {"Language": "en", "Types": '{"twilio/text": {"body": "x"}}', "FriendlyName": "x"}
    made = {
        "Conversations": sid,
        "Services": (await api.get(place)).json()["chat_service_sid"],
        "Participants": (await make(f"{place}/Participants", Identity="alice"))["sid"],
        "Messages": (await make(f"{place}/Messages", Author="alice", Body="x"))["sid"],
        "Webhooks": (await make(f"{place}/Webhooks", **hook))["sid"],
        "Roles": (
            await make("/v1/Roles", FriendlyName="x", Type="conversation", Permission="sendMessage")
        )["sid"],
        "Users": "alice",
        "Credentials": (await make("/v1/Credentials", Type="fcm", FriendlyName="x"))["sid"],
        "Addresses": (await make("/v1/Configuration/Addresses", Type="sms", Address="+15550999"))[
            "sid"
        ],
        "Keys": (await make(f"/2010-04-01/Accounts/{ACCOUNT_SID}/Keys.json"))["sid"],
        "ContentTemplates": (await make("/parlour/v1/ContentTemplates", **content))["sid"],
        "VirtualPhones": PHONE,
        "Faults": (await make("/parlour/v1/Faults", Target="carrier", Error="30003"))["sid"],
        "Snapshots": (await make("/parlour/v1/Snapshots", Name="before"))["name"],
    }
    await make("/parlour/v1/VirtualPhones", Address="+15550100")
    # A deletion names another service than the one of the conversation.
    return made | {"Content": made["ContentTemplates"], "second service": service}


async def changes_of(instance: InProcessServer, world: dict[str, str]) -> list[ChangingCall]:
    """Return each changing operation of the API's description, and of dedicated endpoints."""
    described = (await api_of(instance).get("/parlour/v1/OpenApi")).expect(200)["paths"]
    known = {(each.method, each.path): each for each in (*operations(), *declared_operations())}
    found = {
        (method.upper(), path): operation["operationId"]
        for path, methods in described.items()
        for method, operation in methods.items()
        if method in CHANGING
    }
    for (method, path), operation in known.items():
        if method != "GET" and operation.authentication in GATED:
            assert found.get((method, path), operation.operation_id) == operation.operation_id
            found[method, path] = operation.operation_id

    def value(match: re.Match[str]) -> str:
        collection = match[1]
        if collection == "Accounts":
            return f"Accounts/{ACCOUNT_SID if match[2] == 'AccountSid' else OTHER}"
        if match.string == "/v1/Services/{Sid}":
            return f"Services/{world['second service']}"
        return f"{collection}/{world.get(collection, 'XX' + '0' * 32)}"

    return [
        ChangingCall(name, method, re.sub(r"(\w+)/\{(\w+)\}", value, path), "/Operator/" in path)
        for (method, path), name in sorted(found.items())
        if (operation := known.get((method, path))) and operation.authentication in GATED
    ]


async def rows_of(instance: InProcessServer) -> dict[str, Any]:
    """Return all rows of all tables, and what test mode has in memory."""

    async def read(tx: Any) -> dict[str, Any]:
        names = await tx.all("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {
            name: sorted(map(repr, await tx.all(f"SELECT * FROM {name}")))
            for (name,) in names
            if name != READERS
        }

    found: dict[str, Any] = await instance.store.read(read)
    for name in OF_MEMORY:
        found[name] = (await api_of(instance).get(f"/parlour/v1/{name}")).expect(200)
    # The time itself continues.
    for moving in ("now", "system_now", "due", "next_due"):
        found["Clock"].pop(moving, None)
    return found


async def quiet_rows_of(instance: InProcessServer) -> dict[str, Any]:
    """Return the rows as soon as nothing changes them in the background."""
    last: list[Any] = [None]

    async def is_quiet() -> bool:
        before, last[0] = last[0], await rows_of(instance)
        return before == last[0]

    await poll_until(is_quiet)
    return dict(last[0])


async def pages_of(instance: InProcessServer) -> dict[str, Page]:
    """Return a page of each principal."""
    pages = {"account": await signed_in(instance.app), "other": ConsolePage(instance.app)}
    await pages["other"].sign_in(Name=OTHER, Secret=AUTH_TOKEN)
    for number, role in enumerate((VIEW, SUPPORT, ADMIN)):
        sid = f"OP{number:032}"

        async def create(tx: Any, sid: str = sid, role: str = role) -> None:
            await operator_actions.create_operator(
                tx, instance.app.vault, sid=sid, name=role, role=role, secret=SECRET
            )

        await instance.store.write(create)
        pages[role] = ConsolePage(instance.app)
        await pages[role].sign_in(Name=sid, Secret=SECRET)
    return pages


def test_each_change_is_refused_without_each_condition(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        changes = await changes_of(instance, await make_world(instance))
        assert len(changes) >= CHANGES_MIN
        pages = await pages_of(instance)
        before = await quiet_rows_of(instance)
        for each in changes:
            for name, sender, headers, status, code in CASES:
                refused = await each.send(pages[sender], headers)
                assert refused.status == status, (name, each, refused)
                assert refused.json()["code"] == code, (name, each, refused)
        after = await quiet_rows_of(instance)
        for table, rows in before.items():
            assert after[table] == rows, table

    run_scene(tmp_path / "data", scene, test=True)


def test_an_account_cannot_change_the_server(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        changes = await changes_of(instance, await make_world(instance))
        page = await signed_in(instance.app)
        of_server = [each for each in changes if each.is_of_server]
        assert len(of_server) >= 4
        for each in of_server:
            (await each.send(page)).refuses(404, 20404)
            # Nor under the account itself, as an operator either.
            found = await page.call(each.method, each.path, {} if each.method == "POST" else None)
            found.refuses(404, 20404)

    run_scene(tmp_path / "data", scene, test=True)


def test_the_cookie_changes_nothing_in_the_api(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        changes = await changes_of(instance, await make_world(instance))
        pages = await pages_of(instance)
        before = await quiet_rows_of(instance)
        for page in (pages["account"], pages[ADMIN]):
            for each in changes:
                form = {} if each.method == "POST" else None
                refused = await page.send(each.method, each.path, form)
                assert refused.status == 401, (each, refused)
        assert await quiet_rows_of(instance) == before

    run_scene(tmp_path / "data", scene, test=True)


def test_each_change_passes_with_all_conditions(tmp_path: Path) -> None:
    """The refusals above are the gate's: each request reaches its operation."""

    async def scene(instance: InProcessServer) -> None:
        changes = await changes_of(instance, await make_world(instance))
        pages = await pages_of(instance)
        find = gate_of(instance)._operations.find
        refused = []
        # The account is used up: what deletes or resets comes last.
        for each in sorted(changes, key=lambda each: (each.method, "Reset" in each.path)):
            operation = find(each.path, each.method)
            assert operation is not None, each
            assert operation.operation_id == each.operation_id
            page = pages[ADMIN if each.is_of_server else "account"]
            found = await each.send(page)
            if found.status in {401, 403, 421, 429, 500}:
                refused.append((each.operation_id, found.status, found.body[:100]))
        assert refused == []

    run_scene(tmp_path / "data", scene, test=True)


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_sign_in_and_sign_out_need_the_page_as_well(tmp_path: Path, method: str) -> None:
    async def scene(instance: InProcessServer) -> None:
        page = await signed_in(instance.app)
        cookie = page.cookie
        form = {"Name": ACCOUNT_SID, "Secret": AUTH_TOKEN} if method == "POST" else None
        for name, sender, headers, status, code in CASES:
            if sender != "account" or status == 401:
                continue
            refused = await page.send(method, SESSION, form, headers=headers)
            assert refused.status == status, (name, refused)
            assert refused.json()["code"] == code
            assert page.cookie == cookie
        (await page.send("GET", SESSION)).expect(200)

    run_scene(tmp_path / "data", scene)
