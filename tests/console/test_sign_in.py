"""Sign-in: by account, API key, operator key, ticket, and openly; rejections and the throttle."""

from __future__ import annotations

import secrets
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from parlour.console.sign_in_throttle import SignInThrottle
from parlour.operations.caller import ACCOUNT, ADMIN, OPERATOR, VIEW
from parlour.resources.console_sessions import lifecycle as console_session_lifecycle
from parlour.resources.operators import actions as operator_actions
from parlour.resources.operators import store as operator_store
from parlour.vocabulary import limits
from tests.console.console_page import (
    ROOT,
    SESSION,
    ConsolePage,
    api_of,
    header,
    run_scene,
    signed_in,
)
from tests.events.in_process_server import ACCOUNT_SID, AUTH_TOKEN

if TYPE_CHECKING:
    from pathlib import Path

    from tests.events.in_process_server import InProcessServer

OPERATOR_SID = "OP" + "1" * 32
SECRET = "a secret of an operator"
RIGHT = {"Name": ACCOUNT_SID, "Secret": AUTH_TOKEN}
WRONG = {"Name": ACCOUNT_SID, "Secret": "wrong"}


async def make_operator(instance: InProcessServer, role: str = ADMIN) -> None:
    """Create an operator."""
    await instance.store.write(
        lambda tx: operator_actions.create_operator(
            tx, instance.app.vault, sid=OPERATOR_SID, name="eve", role=role, secret=SECRET
        )
    )


async def make_ticket(instance: InProcessServer, account_sid: str = "") -> str:
    """Create a ticket; return its secret."""
    secret = secrets.token_hex(32)
    await instance.store.write(
        lambda tx: console_session_lifecycle.make_ticket(
            tx,
            kind=ACCOUNT if account_sid else OPERATOR,
            name=account_sid or console_session_lifecycle.LOCAL,
            role=ADMIN,
            account_sid=account_sid,
            digest=instance.app.vault.digest(secret),
        )
    )
    return secret


def test_an_account_and_its_keys_sign_in(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        keys = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Keys.json"
        key = (await api_of(instance).post(keys)).expect(201)
        for name, secret in ((ACCOUNT_SID, AUTH_TOKEN), (key["sid"], key["secret"])):
            page = ConsolePage(instance.app)
            session = await page.sign_in(Name=f" {name} ", Secret=secret)
            assert session["principal"] == {"kind": "account", "name": name, "role": "admin"}
            assert session["account_sid"] == ACCOUNT_SID
            assert (session["may_change"], session["shows_bodies"]) == (True, True)
            assert session["idle_seconds"] == limits.CONSOLE_IDLE_SECONDS
            assert session["ends"].endswith("Z")
        # The auth token is needed for keys, as for a caller of the API.
        (await page.call("GET", keys)).refuses(403, 20403)

    run_scene(tmp_path / "data", scene)


@pytest.mark.parametrize("role", [ADMIN, VIEW])
def test_an_operator_signs_in_with_its_role(tmp_path: Path, role: str) -> None:
    async def scene(instance: InProcessServer) -> None:
        await make_operator(instance, role)
        page = ConsolePage(instance.app)
        session = await page.sign_in(Name=OPERATOR_SID, Secret=SECRET)
        assert session["principal"] == {"kind": "operator", "name": OPERATOR_SID, "role": role}
        assert session["account_sid"] is None
        assert session["may_change"] == session["shows_bodies"] == (role == ADMIN)
        (await page.call("GET", "/v1/Conversations")).expect(200)

    run_scene(tmp_path / "data", scene)


def test_a_ticket_signs_in_once(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        for account_sid in ("", ACCOUNT_SID):
            ticket = await make_ticket(instance, account_sid)
            page = ConsolePage(instance.app)
            session = await page.sign_in(Ticket=ticket)
            assert session["account_sid"] == (account_sid or None)
            (await page.call("GET", "/v1/Conversations")).expect(200)
            again = ConsolePage(instance.app)
            (await again.send("POST", SESSION, {"Ticket": ticket})).refuses(401, 20003)
            assert again.cookie == b""

    run_scene(tmp_path / "data", scene)


def test_all_failures_are_alike(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        await make_operator(instance)
        page, found = ConsolePage(instance.app), []
        for form in (
            WRONG,
            {"Name": "AC" + "9" * 32, "Secret": AUTH_TOKEN},
            {"Name": "SK" + "9" * 32, "Secret": AUTH_TOKEN},
            {"Name": OPERATOR_SID, "Secret": "wrong"},
            {"Name": "OP" + "9" * 32, "Secret": SECRET},
            {"Name": "alice", "Secret": "x"},
            {"Name": f"{ACCOUNT_SID}:", "Secret": AUTH_TOKEN},
            {"Name": "a\x01b", "Secret": "x"},
            {"Ticket": "wrong"},
        ):
            refused = await page.send("POST", SESSION, form)
            refused.refuses(401, 20003)
            # A challenge would open the dialogue of the browser.
            assert header(refused, "www-authenticate") is None
            assert header(refused, "set-cookie") is None
            found.append(refused.body)
        assert len(set(found)) == 1

    run_scene(tmp_path / "data", scene)


def test_an_unknown_operator_costs_the_work_of_a_known_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(instance: InProcessServer) -> None:
        await make_operator(instance)
        page, work = await signed_in(instance.app), list[str]()

        def spied(run: Any, name: str) -> Any:
            def spy(*given: Any) -> Any:
                work.append(name)
                return run(*given)

            return spy

        find = spied(operator_store.operator_login, "find")
        monkeypatch.setattr(operator_store, "operator_login", find)
        vault = instance.app.vault
        compare = staticmethod(spied(vault.digests_equal, "compare"))
        monkeypatch.setattr(type(vault), "digests_equal", compare)
        for name in (OPERATOR_SID, "OP" + "9" * 32):
            work.clear()
            refused = await page.send("POST", SESSION, {"Name": name, "Secret": "wrong"})
            refused.refuses(401, 20003)
            assert work == ["find", "compare"]

    run_scene(tmp_path / "data", scene)


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({}, 400),
        ({"Name": ACCOUNT_SID}, 400),
        ({"Name": ACCOUNT_SID, "Secret": ""}, 400),
        ({"Name": [ACCOUNT_SID, ACCOUNT_SID], "Secret": AUTH_TOKEN}, 400),
        ({"Ticket": ["a", "b"]}, 400),
        ({"Open": "yes"}, 400),
        ({"Open": "true"}, 403),
        ({"Secret": "x" * limits.SIGN_IN_BYTES_MAX}, 413),
    ],
)
def test_malformed_sign_ins_are_refused(tmp_path: Path, form: dict[str, str], status: int) -> None:
    async def scene(instance: InProcessServer) -> None:
        page = ConsolePage(instance.app)
        assert (await page.send("POST", SESSION, form)).status == status
        kind: dict[bytes, bytes | None] = {b"content-type": b"text/plain"}
        assert (await page.send("POST", SESSION, RIGHT, headers=kind)).status == 415
        assert (await page.send("PUT", SESSION, RIGHT)).status == 405

    run_scene(tmp_path / "data", scene)


def test_sign_in_and_sign_out_need_our_own_page(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        page = await signed_in(instance.app)
        foreign: list[dict[bytes, bytes | None]] = [
            {b"sec-fetch-site": b"cross-site"},
            {b"sec-fetch-site": b"same-site"},
            {b"parlour-console": None},
            {b"sec-fetch-site": None, b"origin": b"http://evil.test"},
        ]
        for headers in foreign:
            refused = await page.send("POST", SESSION, RIGHT, headers=headers)
            refused.refuses(403, 20403)
            assert header(refused, "set-cookie") is None
            (await page.send("DELETE", SESSION, headers=headers)).refuses(403, 20403)
        (await page.send("GET", SESSION)).expect(200)

    run_scene(tmp_path / "data", scene)


def test_each_sign_in_has_a_new_cookie_and_ends_the_old_session(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        page = ConsolePage(instance.app)
        # A cookie that a stranger has set is never the cookie of a session.
        page.cookie = planted = b"parlour=" + b"0" * 64
        await page.sign_in(**RIGHT)
        first = page.cookie
        assert first != planted
        assert len(first.partition(b"=")[2]) == 64
        await page.sign_in(**RIGHT)
        assert page.cookie not in {first, planted}
        (await page.send("GET", SESSION)).expect(200)
        for old in (first, planted):
            (await page.send("GET", SESSION, headers={b"cookie": old})).refuses(401, 20003)

    run_scene(tmp_path / "data", scene)


def test_attributes_of_the_cookie(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        page = ConsolePage(instance.app)
        plain = await page.send("POST", SESSION, RIGHT)
        name, *attributes = (header(plain, "set-cookie") or "").split("; ")
        assert name.startswith("parlour=")
        assert attributes == ["Path=/parlour/console", "HttpOnly", "SameSite=Strict"]
        # A trusted proxy ends TLS.
        proxied: dict[bytes, bytes | None] = {b"x-forwarded-proto": b"https"}
        sealed = await page.send("POST", SESSION, RIGHT, headers=proxied)
        name, *attributes = (header(sealed, "set-cookie") or "").split("; ")
        assert name.startswith("__Secure-parlour=")
        assert attributes == ["Path=/parlour/console", "HttpOnly", "SameSite=Strict", "Secure"]
        (await page.send("GET", SESSION, headers=proxied)).expect(200)
        ended = await page.send("DELETE", SESSION, headers=proxied)
        removed = header(ended, "set-cookie") or ""
        assert removed.startswith("__Secure-parlour=; Max-Age=0; ")

    run_scene(tmp_path / "data", scene)


NOT_LOCAL: list[tuple[str, dict[bytes, bytes | None]]] = [
    ("x-forwarded-for", {b"x-forwarded-for": b"127.0.0.1"}),
    ("x-forwarded-host", {b"x-forwarded-host": b"localhost"}),
    ("x-real-ip", {b"x-real-ip": b"127.0.0.1"}),
    ("forwarded", {b"forwarded": b"for=127.0.0.1"}),
    ("via", {b"via": b"1.1 proxy"}),
]


def test_open_mode_is_for_a_browser_on_this_machine(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        far = ConsolePage(instance.app, peer="192.0.2.1")
        near = ConsolePage(instance.app)
        named = ConsolePage(instance.app, host=b"chat.internal")
        cases = [(far, "peer", {}), (named, "host", {}), *((near, *each) for each in NOT_LOCAL)]
        for page, name, headers in cases:
            refused = await page.send("POST", SESSION, {"Open": "true"}, headers=headers)
            refused.refuses(403, 20403)
            shown = await page.send("GET", SESSION, headers=headers)
            assert (shown.status, shown.json()["open"]) == (401, False), name
        for host in (b"localhost:8080", b"127.0.0.1", b"[::1]:8080", b"shop.localhost"):
            page = ConsolePage(instance.app, peer="::1", host=host)
            assert (await page.send("GET", SESSION)).json()["open"]
            await page.sign_in(Open="true")
        # With a sign-in the others are served as well.
        await far.sign_in(**RIGHT)

    run_scene(tmp_path / "data", scene, test=True, console_hosts="chat.internal")


@pytest.mark.parametrize("settings", [{}, {"test": True, "host": "0.0.0.0"}])  # noqa: S104
def test_no_other_server_is_open(tmp_path: Path, settings: dict[str, object]) -> None:
    async def scene(instance: InProcessServer) -> None:
        page = ConsolePage(instance.app)
        assert (await page.send("GET", SESSION)).json()["open"] is False
        (await page.send("POST", SESSION, {"Open": "true"})).refuses(403, 20403)
        await page.sign_in(**RIGHT)

    run_scene(tmp_path / "data", scene, **settings)


def test_guessing_is_refused_for_a_pair_of_address_and_name_only(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        stranger = ConsolePage(instance.app, peer="192.0.2.1", host=b"localhost")
        for _ in range(limits.SIGN_IN_FAILURES_MAX):
            (await stranger.send("POST", SESSION, WRONG)).refuses(401, 20003)
        for form in (WRONG, RIGHT):
            refused = await stranger.send("POST", SESSION, form)
            refused.refuses(429, 20429)
            assert header(refused, "retry-after") == "60"
        # Another name of the stranger, and the owner elsewhere.
        (await stranger.send("POST", SESSION, WRONG | {"Name": OPERATOR_SID})).refuses(401, 20003)
        await signed_in(instance.app)

    run_scene(tmp_path / "data", scene)


def test_simultaneous_guesses_count_before_they_are_checked() -> None:
    throttle = SignInThrottle()
    begin = partial(throttle.begin, "192.0.2.1")
    assert [begin("AC1", 0.0) for _ in range(limits.SIGN_IN_FAILURES_MAX + 1)] == [
        *[True] * limits.SIGN_IN_FAILURES_MAX,
        False,
    ]
    # One of them was right: it was no failure.
    throttle.succeed("192.0.2.1", "AC1", 0.0)
    assert begin("AC1", 1.0)
    assert not begin("AC1", 2.0)
    minute_ms = limits.SIGN_IN_FAILURES_SECONDS * 1000.0
    assert not begin("AC1", minute_ms)
    assert begin("AC1", minute_ms + 1.0)


def test_failures_older_than_a_minute_do_not_count() -> None:
    throttle = SignInThrottle()
    step_ms = limits.SIGN_IN_FAILURES_SECONDS * 1000.0 / (limits.SIGN_IN_FAILURES_MAX - 1)
    assert all(throttle.begin("192.0.2.1", "AC1", number * step_ms) for number in range(50))


def test_an_address_is_refused_under_any_name_after_many_failures() -> None:
    throttle = SignInThrottle()
    most = limits.SIGN_IN_FAILURES_OF_ADDRESS_MAX
    found = [throttle.begin("192.0.2.1", f"AC{number}", 0.0) for number in range(most + 1)]
    assert found == [*[True] * most, False]
    assert throttle.begin("192.0.2.2", "AC0", 0.0)


def test_the_memory_of_failures_is_bounded() -> None:
    throttle = SignInThrottle()
    for number in range(limits.SIGN_IN_ENTRIES_MAX + 100):
        throttle.begin(f"address {number}", "AC1", 0.0)
    for counter in (throttle._pairs, throttle._addresses):
        assert len(counter._entries) == limits.SIGN_IN_ENTRIES_MAX


@pytest.mark.promise("explanation/console.md", "`--console off` answers 404")
def test_the_console_can_be_off(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        page = ConsolePage(instance.app)
        for method, path in (
            ("GET", f"{ROOT}/"),
            ("GET", ROOT),
            ("GET", f"{ROOT}/assets/x/app.js"),
            ("GET", SESSION),
            ("GET", f"{ROOT}/api/{ACCOUNT_SID}/v1/Conversations"),
        ):
            (await page.send(method, path)).refuses(404, 20404)
        (await page.send("POST", SESSION, RIGHT)).refuses(404, 20404)

    run_scene(tmp_path / "data", scene, console=False)
