"""The order of the checks of the gate: each comes before the next, and hides its result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.operations.caller import SUPPORT, VIEW
from parlour.vocabulary import limits
from tests.console.console_page import OWN_PAGE, ConsolePage, run_scene
from tests.console.test_gate import OTHER, gate_of, make_other_account
from tests.console.test_responses import check, exchange
from tests.console.test_sign_in import OPERATOR_SID, SECRET, make_operator
from tests.events.in_process_server import ACCOUNT_SID
from tests.support.in_process_api import listening

if TYPE_CHECKING:
    from pathlib import Path

    from tests.events.in_process_server import InProcessServer

UNKNOWN = "AC" + "0" * 31 + "9"
NONE = b""


def test_the_checks_are_made_in_this_order(tmp_path: Path) -> None:
    """A request that fails all checks; then one check after the other passes."""

    async def scene(instance: InProcessServer) -> None:
        await make_operator(instance, SUPPORT)
        await make_other_account(instance)
        await instance.store.write(
            lambda tx: tx.run("UPDATE account SET status = 'suspended' WHERE sid = $1", OTHER)
        )
        page = ConsolePage(instance.app)
        await page.sign_in(Name=OPERATOR_SID, Secret=SECRET)
        cookie, gate = page.cookie, gate_of(instance)
        leaves = [gate.enter(OPERATOR_SID) for _ in range(limits.CONSOLE_REQUESTS_MAX)]

        async def status(
            path: str = "/v1//Users", account_sid: str = UNKNOWN, method: str = "POST"
        ) -> int:
            form = {"FriendlyName": "x"} if method == "POST" else None
            found = await page.call(method, path, form, account_sid=account_sid)
            check(found)
            return found.status

        page.headers = {b"host": b"evil.test", b"sec-fetch-site": b"cross-site"}
        page.cookie = NONE
        assert await status() == 421
        page.headers[b"host"] = b"localhost"
        assert await status() == 401
        page.cookie = cookie
        assert await status() == 403
        page.headers |= OWN_PAGE
        assert await status() == 404  # The path.
        assert await status("/v1/Users") == 404  # The account.
        assert await status("/v1/Users", OTHER) == 403  # It is suspended.
        assert await status("/v1/Users", ACCOUNT_SID) == 403  # The role.
        assert await status("/v1/Users", ACCOUNT_SID, "GET") == 429
        for leave in leaves:
            leave()
        assert await status("/v1/Users", ACCOUNT_SID, "GET") == 200

    run_scene(tmp_path / "data", scene)


def test_bodies_have_the_limits_of_the_api(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        page = ConsolePage(instance.app)
        await page.sign_in(Open="true")
        body = b"FriendlyName=" + b"x" * limits.BODY_BYTES_MAX
        head = [
            b"POST /parlour/console/api/%s/v1/Conversations HTTP/1.1" % ACCOUNT_SID.encode(),
            b"content-type: application/x-www-form-urlencoded",
            b"content-length: %d" % len(body),
            b"cookie: " + page.cookie,
            *(b"%s: %s" % pair for pair in page.headers.items()),
        ]
        async with listening(instance.app) as port:
            refused = await exchange(port, b"\r\n".join([*head, b"", body]))
        assert refused.status == 413
        check(refused)
        shown = (await page.call("GET", "/v1/Conversations")).expect(200)
        assert shown["conversations"] == []

    run_scene(tmp_path / "data", scene, test=True)


def test_a_role_without_changes_is_refused_before_the_operation_is_known(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        await make_operator(instance, VIEW)
        page = ConsolePage(instance.app)
        await page.sign_in(Name=OPERATOR_SID, Secret=SECRET)
        for path in ("/v1/Conversations", "/v1/None", "/parlour/v1/Tokens"):
            (await page.call("POST", path, {})).refuses(403, 20403)
        (await page.call("GET", "/v1/None")).refuses(404, 20404)

    run_scene(tmp_path / "data", scene)
