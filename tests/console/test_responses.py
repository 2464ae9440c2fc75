"""Responses: the headers of every kind of response, the page, and its cached files."""

from __future__ import annotations

import asyncio
import gzip
import re
from typing import TYPE_CHECKING, Any

import pytest

from parlour.config import Settings
from parlour.console.assets import STATIC, Assets
from parlour.console.pages import BUILD_COMMAND, Pages
from parlour.http.connection import HttpConnection
from parlour.http.console_requests import console_headers
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
from tests.events.in_process_server import ACCOUNT_SID, poll_until
from tests.support.in_process_api import InProcessResponse, listening

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.events.in_process_server import InProcessServer

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "media-src 'self' blob:; connect-src 'self'; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
FIXED = {
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
IMMUTABLE = "public, max-age=31536000, immutable"
API = f"{ROOT}/api/{ACCOUNT_SID}"
STREAM: dict[bytes, bytes | None] = {b"accept": b"text/event-stream"}


def check(response: InProcessResponse, *, is_file: bool = False) -> None:
    """Check the headers of a response against the table of the design."""
    for name, value in FIXED.items():
        assert header(response, name) == value, name
    features = (header(response, "permissions-policy") or "").split(", ")
    assert features
    assert all(each.endswith("=()") for each in features)
    assert {"camera=()", "geolocation=()", "microphone=()", "usb=()"} <= set(features)
    assert header(response, "cache-control") == (IMMUTABLE if is_file else "no-store")
    names = {name.decode() for name, _ in response.headers}
    assert not [name for name in names if name.startswith("access-control-")]
    assert "www-authenticate" not in names


def static(folder: Path, *, index: str = "<script src={assets}/app.js>") -> Path:
    """Write a small page; return its folder."""
    (folder / "vendor").mkdir(parents=True)
    (folder / "index.html").write_text(index)
    (folder / "app.js").write_text("let x = 1;\n" * 100)
    (folder / "icons.svg").write_text("<svg/>")
    (folder / "vendor" / "preact.js").write_text("export {}")
    return folder


def serve_page(instance: InProcessServer, folder: Path) -> None:
    """Let a server serve this page."""
    from parlour.operations.operation import AuthScheme  # noqa: PLC0415

    console: Any = instance.app.server._endpoints[AuthScheme.CONSOLE]
    endpoint = console.endpoint
    endpoint._pages = Pages(console_headers(""), folder)


def test_every_kind_of_response_has_the_headers(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        serve_page(instance, static(tmp_path / "static"))
        anonymous, page = ConsolePage(instance.app), await signed_in(instance.app)
        made = (await page.call("POST", "/v1/Conversations", {})).expect(201)
        service = made["chat_service_sid"]
        sent = await page.call("POST", f"/v1/Services/{service}/Media", {"x": "y"})
        medium = sent.expect(201)["sid"]
        paths = {
            "the page": (f"{ROOT}/", 200),
            "a view": (f"{ROOT}/{ACCOUNT_SID}/conversations", 200),
            "the bare path": (ROOT, 308),
            "another file": (f"{ROOT}/assets/wrong/app.js", 404),
            "the session": (SESSION, 200),
            "a list": (f"{API}/v1/Conversations", 200),
            "events": (f"{API}/parlour/v1/Events", 200),
            "an unknown object": (f"{API}/v1/Conversations/none", 404),
            "an unknown path": (f"{API}/v1/None", 404),
            "an ambiguous path": (f"{API}/v1//None", 404),
            "a medium": (f"{API}/v1/Services/{service}/Media/{medium}", 200),
            "no medium": (f"{API}/v1/Services/{service}/Media/none", 404),
            "a wrong parameter": (f"{API}/v1/Conversations?PageSize=x", 400),
        }
        for name, (path, status) in paths.items():
            for method in ("GET", "HEAD"):
                found = await page.send(method, path)
                assert found.status == status, (name, method, found)
                check(found)
        for refused in (
            await anonymous.send("GET", SESSION),
            await anonymous.send("GET", f"{API}/v1/Conversations"),
            await anonymous.send("POST", SESSION, {"Name": "x", "Secret": "y"}),
            await page.send("POST", f"{ROOT}/"),
            await page.send("OPTIONS", f"{ROOT}/"),
            await page.send("OPTIONS", f"{API}/v1/Conversations"),
            await page.send("PUT", f"{API}/v1/Conversations"),
            await page.send("GET", f"{ROOT}/", headers={b"host": b"evil.test"}),
        ):
            assert refused.status >= 400
            check(refused)
        check(await page.send("OPTIONS", f"{API}/v1/Services/{service}/Media"))
        check(await page.send("POST", SESSION, {"Name": ACCOUNT_SID, "Secret": "x" * 5000}))
        check(await page.send("DELETE", SESSION))

    run_scene(tmp_path / "data", scene)


def test_a_medium_keeps_its_own_policy_as_well(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        page = await signed_in(instance.app)
        service = (await page.call("POST", "/v1/Conversations", {})).json()["chat_service_sid"]
        sent = await page.call("POST", f"/v1/Services/{service}/Media", {"x": "y"})
        medium = f"/v1/Services/{service}/Media/{sent.expect(201)['sid']}/Content"
        found = await page.call("GET", medium)
        assert (found.status, found.body) == (200, b"x=y")
        policies = [value for name, value in found.headers if name == b"content-security-policy"]
        assert POLICY.encode() in policies
        assert any(b"sandbox" in each for each in policies)
        names = [name for name, _ in found.headers]
        for name in (b"cross-origin-resource-policy", b"cache-control", b"x-content-type-options"):
            assert names.count(name) == 1, name
        assert not [name for name in names if name.startswith(b"access-control-")]

    run_scene(tmp_path / "data", scene)


def test_errors_of_the_server_have_the_headers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(instance: InProcessServer) -> None:
        page = await signed_in(instance.app)

        async def fail(*_: object, **__: object) -> None:
            raise RuntimeError("planted")

        monkeypatch.setattr(instance.app.pipeline, "run", fail)
        for path in (f"{API}/v1/Conversations", f"{API}/v1/Users"):
            found = await page.send("GET", path)
            assert found.status == 500
            check(found)

    run_scene(tmp_path / "data", scene)


@pytest.mark.parametrize(
    ("url", "origin"),
    [("https://media.example.net/files", "https://media.example.net"), ("", None)],
)
def test_media_of_another_origin_may_be_shown(url: str, origin: str | None) -> None:
    policy = dict(console_headers(url))[b"content-security-policy"].decode()
    more = "" if origin is None else f" {origin}"
    directives = dict(each.split(" ", 1) for each in policy.split("; "))
    assert directives["img-src"] == directives["media-src"] == f"'self' blob:{more}"
    assert directives["script-src"] == "'self'"


EARLY = [
    b"GET /parlour/console/ HTTP/1.1\r\nbad header\r\n\r\n",
    b"GET /parlour/console/ HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n",
    b"GET /parlour/console/ HTTP/1.1\r\n\r\n",
    b"GET http://localhost/parlour/console/ HTTP/1.1\r\nbad header\r\n\r\n",
    b"GET /parlour/console/" + b"x" * 20_000 + b" HTTP/1.1\r\nhost: localhost\r\n\r\n",
    b"GET /parlour/console/ HTTP/1.1\r\nhost: localhost\r\nx: " + b"x" * 40_000 + b"\r\n\r\n",
    b"GET /parlour/console?x HTTP/1.1\r\nhost: localhost\r\ncontent-length: x\r\n\r\n",
]


async def exchange(port: int, data: bytes) -> InProcessResponse:
    """Send bytes; return the response."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    head = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[:-2]
    writer.close()
    pairs = [(name, value) for name, _, value in (line.partition(b": ") for line in head[1:])]
    return InProcessResponse(int(head[0].split()[1]), pairs, b"")


def test_responses_that_are_sent_before_a_request_is_complete(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        async with listening(instance.app) as port:
            for data in EARLY:
                found = await exchange(port, data)
                assert found.status in {400, 414, 431}, (data[:60], found)
                check(found)
                # Other paths have the headers of the API.
                other = data.replace(b"/parlour/console", b"/v1/Conversations")
                assert header(await exchange(port, other), "access-control-allow-origin") == "*"

    run_scene(tmp_path / "data", scene)


def test_a_connection_that_is_refused_unread_may_have_been_for_the_console(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        async with listening(instance.app) as port:
            _, first = await asyncio.open_connection("127.0.0.1", port)
            request = b"GET /parlour/console/session HTTP/1.1\r\nhost: localhost\r\n\r\n"

            async def is_refused() -> bool:
                found = await exchange(port, request)
                check(found)
                return found.status == 503

            await poll_until(is_refused)
            first.close()

    run_scene(
        tmp_path / "data", scene, connections_per_address_max=1, trusted_proxies="192.0.2.0/24"
    )


def test_a_request_without_room_for_its_body_has_the_headers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(instance: InProcessServer) -> None:
        async with listening(instance.app) as port:
            monkeypatch.setattr(HttpConnection, "_reserve", lambda _: False)
            # More than is buffered without being counted.
            filler = b"x" * (limits.UNCOUNTED_BYTES_MAX + 1)
            for path, is_console in ((b"/parlour/console/session", True), (b"/v1/Users", False)):
                found = await exchange(
                    port,
                    b"GET %s HTTP/1.1\r\nhost: localhost\r\nx: %s\r\n\r\n" % (path, filler),
                )
                assert found.status == 503
                if is_console:
                    check(found)
                else:
                    assert header(found, "access-control-allow-origin") == "*"

    run_scene(tmp_path / "data", scene)


def test_an_upgrade_is_no_way_around_the_gate(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        async with listening(instance.app) as port:
            found = await exchange(
                port,
                b"GET /parlour/console/session HTTP/1.1\r\nhost: evil.test\r\n"
                b"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
                b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            )
            assert found.status == 421
            check(found)

    run_scene(tmp_path / "data", scene)


def test_a_full_server_refuses_callers_and_not_the_console(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        api, login = api_of(instance), api_of(instance).headers[b"authorization"]
        (await api.get("/v1/Conversations")).expect(200)
        instance.app.admission.enter(ACCOUNT_SID)
        instance.app.server.work.enter()
        instance.app.server.work.limit = 1
        async with listening(instance.app) as port:
            rest = b" HTTP/1.1\r\nhost: localhost\r\nauthorization: " + login + b"\r\n\r\n"
            for _ in range(2):  # The second time the headers are known.
                assert (await exchange(port, b"GET /v1/Users" + rest)).status in {429, 503}
                found = await exchange(port, b"GET /parlour/console/session" + rest)
                assert found.status == 401
                check_session = [name for name, _ in found.headers]
                assert b"access-control-allow-origin" not in check_session

    run_scene(tmp_path / "data", scene, concurrent_requests_per_account_max=1)


# --- The page and its files ----------------------------------------------------------------------


def in_page(
    tmp_path: Path, scene: Callable[[ConsolePage, str], Awaitable[None]], folder: Path
) -> None:
    """Run a scene on a server with this page; it gets the URL of the folder of its files."""

    async def run(instance: InProcessServer) -> None:
        serve_page(instance, folder)
        await scene(ConsolePage(instance.app), Assets(folder).root)

    run_scene(tmp_path / "data", run)


def test_files_are_cached_for_ever_below_their_hash(tmp_path: Path) -> None:
    async def scene(page: ConsolePage, root: str) -> None:
        shown = await page.send("GET", f"{ROOT}/")
        assert shown.body.decode() == f"<script src={root}app.js>"
        assert header(shown, "content-type") == "text/html; charset=utf-8"
        script = await page.send("GET", f"{root}app.js")
        check(script, is_file=True)
        assert header(script, "content-type") == "text/javascript; charset=utf-8"
        assert header(script, "content-encoding") is None
        both: dict[bytes, bytes | None] = {b"accept-encoding": b"br, gzip"}
        compressed = await page.send("GET", f"{root}app.js", headers=both)
        check(compressed, is_file=True)
        assert header(compressed, "content-encoding") == "gzip"
        assert header(compressed, "vary") == "accept-encoding"
        assert gzip.decompress(compressed.body) == script.body
        none: dict[bytes, bytes | None] = {b"accept-encoding": b"gzip;q=0, br"}
        assert (await page.send("GET", f"{root}app.js", headers=none)).body == script.body
        # Smaller than compressed.
        icons = await page.send("GET", f"{root}icons.svg", headers=both)
        assert (header(icons, "content-encoding"), icons.body) == (None, b"<svg/>")
        assert header(icons, "content-type") == "image/svg+xml"
        assert (await page.send("GET", f"{root}vendor/preact.js")).status == 200

    in_page(tmp_path, scene, static(tmp_path / "static"))


def test_only_files_of_the_page_are_served(tmp_path: Path) -> None:
    folder = static(tmp_path / "a" / "static")
    (tmp_path / "a" / "secret.js").write_text("secret")
    (tmp_path / "static2").mkdir()

    async def scene(page: ConsolePage, root: str) -> None:
        wrong = root[:-2] + ("0" if root[-2] != "0" else "1") + "/"
        for path in (
            f"{wrong}app.js",
            f"{ROOT}/assets/app.js",
            f"{ROOT}/assets/",
            root,
            f"{root}index.html",
            f"{root}vendor",
            f"{root}vendor/",
            f"{root}../secret.js",
            f"{root}..%2Fsecret.js",
            f"{root}%2e%2e/secret.js",
            f"{root}/app.js",
            f"{root}./app.js",
            f"{root}APP.JS",
            f"{root}app.js%00",
        ):
            found = await page.send("GET", path)
            assert found.status == 404, path
            check(found)

    in_page(tmp_path, scene, folder)


def test_another_file_is_another_hash(tmp_path: Path) -> None:
    first, second = static(tmp_path / "first"), static(tmp_path / "second")
    assert Assets(first).root == Assets(second).root
    (second / "app.js").write_text("let x = 2;")
    assert Assets(first).root != Assets(second).root
    # The boundary of name and content counts.
    (second / "app.js").rename(second / "app.js2")
    assert Assets(first).root != Assets(second).root


def test_a_console_that_is_not_built_shows_the_command_that_builds_it(tmp_path: Path) -> None:
    for name in ("vendor", "index.html"):
        folder = static(tmp_path / name)
        for each in [folder / name / "preact.js", folder / name]:
            if each.is_dir():
                each.rmdir()
            elif each.exists():
                each.unlink()

        async def scene(page: ConsolePage, _root: str) -> None:
            shown = await page.send("GET", f"{ROOT}/x/y")
            assert shown.status == 200
            check(shown)
            assert f"<pre>{BUILD_COMMAND}</pre>" in shown.body.decode()

        in_page(tmp_path / f"{name} data", scene, folder)


def test_the_page_has_no_inline_script_and_no_inline_style() -> None:
    text = (STATIC / "index.html").read_text()
    assert not re.findall(r"<script(?![^>]*\bsrc=)[^>]*>", text)
    assert not re.findall(r"<style|\bstyle=|\bon[a-z]+=|javascript:", text)
    assert "{assets}/app.js" in text
    # The browser gets no other origin from it.
    assert not re.findall(r"(?:src|href)=\"(?!\{assets\}/)", text)


def test_files_are_read_at_the_first_request(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        missing = tmp_path / "later"
        serve_page(instance, missing)
        static(missing)
        page = ConsolePage(instance.app)
        first = await asyncio.gather(*(page.send("GET", f"{ROOT}/") for _ in range(4)))
        assert {each.status for each in first} == {200}
        (missing / "index.html").write_text("changed")
        assert (await page.send("GET", f"{ROOT}/")).body == first[0].body

    run_scene(tmp_path / "data", scene)


def test_the_default_is_a_console() -> None:
    assert (Settings().console, Settings().console_bodies) == (True, True)
    assert limits.CONSOLE_REQUESTS_MAX == 32
