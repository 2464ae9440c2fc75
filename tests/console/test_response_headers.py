"""The headers of every status, file and stream of the console; documents have nothing inline."""

from __future__ import annotations

import asyncio
from html.parser import HTMLParser
from typing import TYPE_CHECKING

from parlour.console.assets import INDEX, STATIC, Assets
from parlour.operations.caller import VIEW
from parlour.vocabulary import limits
from tests.console.console_page import ROOT, SESSION, ConsolePage, header, run_scene, signed_in
from tests.console.test_gate import gate_of
from tests.console.test_responses import API, EARLY, STREAM, check, exchange, serve_page, static
from tests.console.test_roles import operator_of
from tests.events.in_process_server import ACCOUNT_SID, poll_until
from tests.support.in_process_api import InProcessResponse, listening

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.events.in_process_server import InProcessServer

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".ts": "application/octet-stream",
}
FILES_MIN = 50
LIST = f"{API}/v1/Conversations"
STATUSES = {400, 401, 403, 404, 405, 413, 415, 421, 429, 431, 500}


def test_each_file_of_the_page_has_the_headers(tmp_path: Path, vendor: Path) -> None:
    assert vendor.is_dir()

    async def scene(instance: InProcessServer) -> None:
        page, root = ConsolePage(instance.app), Assets(STATIC).root
        names = [path.relative_to(STATIC) for path in sorted(STATIC.rglob("*")) if path.is_file()]
        assert len(names) >= FILES_MIN
        for name in names:
            for coding in (None, b"gzip"):
                accepts: dict[bytes, bytes | None] = {b"accept-encoding": coding}
                found = await page.send("GET", f"{root}{name.as_posix()}", headers=accepts)
                check(found, is_file=name.as_posix() != INDEX)
                if name.as_posix() == INDEX:
                    assert found.status == 404
                    continue
                assert found.status == 200, name
                assert header(found, "content-type") == TYPES[name.suffix], name
                assert found.body
            refused = await page.send("POST", f"{root}{name.as_posix()}", {})
            assert refused.status == 405
            check(refused)

    run_scene(tmp_path / "data", scene)


async def errors_of(instance: InProcessServer) -> list[InProcessResponse]:
    """Return a response with each status of an error."""
    page, stranger = await signed_in(instance.app), ConsolePage(instance.app)
    viewer = await operator_of(instance, VIEW)
    large = {
        **{name: value for name, value in page.headers.items() if value is not None},
        b"cookie": page.cookie,
        b"content-type": b"application/x-www-form-urlencoded",
        b"content-length": b"%d" % (limits.BODY_BYTES_MAX + 1),
    }
    foreign: dict[bytes, bytes | None] = {b"sec-fetch-site": b"cross-site"}
    other_type: dict[bytes, bytes | None] = {b"content-type": b"text/plain"}
    found = [
        await page.send("GET", f"{LIST}?PageSize=x"),
        await stranger.send("GET", LIST),
        await stranger.send("POST", LIST, {}),
        await stranger.send("POST", SESSION, {"Name": ACCOUNT_SID, "Secret": "wrong"}),
        await page.send("POST", LIST, {}, headers=foreign),
        await page.send("GET", LIST, headers=foreign),
        await viewer.send("POST", LIST, {}),
        await viewer.send("POST", f"{ROOT}/api/-/parlour/v1/Operator/Accounts", {}),
        await page.send("GET", f"{API}/v1/None"),
        await page.send("GET", f"{ROOT}/api/-/v1/Users"),
        await page.send("PUT", SESSION),
        await page.send("PATCH", LIST, {}),
        await page.send("POST", SESSION, {"Name": "x" * limits.SIGN_IN_BYTES_MAX}),
        await page.send("POST", SESSION, {"Name": "x"}, headers=other_type),
        await page.send("GET", f"{ROOT}/", headers={b"host": b"evil.test"}),
        await page.send("POST", LIST, {}, headers={b"host": b"evil.test"}),
    ]
    async with listening(instance.app) as port:
        found += [await exchange(port, each) for each in EARLY]
        lines = [b"%s: %s" % pair for pair in large.items()]
        start = b"POST %s HTTP/1.1\r\n" % LIST.encode()
        found.append(await exchange(port, start + b"\r\n".join(lines) + b"\r\n\r\n"))
    for _ in range(limits.CONSOLE_REQUESTS_MAX):
        gate_of(instance).enter("busy")
    found.append(await page.send("GET", LIST))
    # Guesses, until they are refused.
    for _ in range(20):
        found.append(await stranger.send("POST", SESSION, {"Name": "AC1", "Secret": "wrong"}))
    return found


def test_each_status_of_an_error_has_the_headers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(instance: InProcessServer) -> None:
        found = await errors_of(instance)
        page = await signed_in(instance.app)

        async def fail(*_: object, **__: object) -> None:
            raise RuntimeError("planted")

        gate_of(instance)._admission.leave("busy", None)
        monkeypatch.setattr(instance.app.pipeline, "run", fail)
        found.append(await page.send("GET", LIST))
        assert {each.status for each in found} >= STATUSES
        for each in found:
            check(each)

    run_scene(tmp_path / "data", scene)


def test_a_stream_has_the_headers(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        page, lists = await signed_in(instance.app), instance.app.waiting_lists
        opened = asyncio.create_task(page.send("GET", f"{API}/parlour/v1/Events", headers=STREAM))

        async def waits() -> bool:
            return len(lists._every_wait()) == 1

        await poll_until(waits)
        lists.stop()
        stream = await opened
        assert header(stream, "content-type") == "text/event-stream; charset=utf-8"
        check(stream)

    run_scene(tmp_path / "data", scene)


def test_responses_without_a_body_have_the_headers(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        page = await signed_in(instance.app)
        made = (await page.send("POST", LIST, {})).expect(201)
        deleted = await page.send("DELETE", f"{LIST}/{made['sid']}")
        moved = await page.send("GET", ROOT)
        ended = await page.send("DELETE", SESSION)
        for found, status in ((deleted, 204), (moved, 308), (ended, 204)):
            assert (found.status, found.body) == (status, b"")
            check(found)

    run_scene(tmp_path / "data", scene)


class _Inline(HTMLParser):
    """Finds what the policy of the console refuses: scripts and styles in the document itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.elements: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record an element or an attribute with a script or a style."""
        self.elements.append(tag)
        given = dict(attrs)
        if (
            tag == "style"
            or (tag == "script" and not given.get("src"))
            or tag in {"base", "iframe"}
        ):
            self.found.append(tag)
        for name, value in given.items():
            starts = (value or "").strip().lower()
            if (
                name == "style"
                or name.startswith("on")
                or starts.startswith(("javascript:", "data:"))
            ):
                self.found.append(f"{tag} {name}")
            if name in {"src", "href"} and not starts.startswith(f"{ROOT}/"):
                self.found.append(f"{tag} {name}={value}")

    def handle_data(self, data: str) -> None:
        """Record the text of a script."""
        if self.elements and self.elements[-1] == "script" and data.strip():
            self.found.append(f"script: {data}")


def inline_of(document: str) -> list[str]:
    """Return what a document has inline, or from elsewhere."""
    parser = _Inline()
    parser.feed(document)
    assert parser.elements
    return parser.found


def test_documents_have_nothing_inline(tmp_path: Path, vendor: Path) -> None:
    assert vendor.is_dir()

    async def scene(instance: InProcessServer) -> None:
        page = ConsolePage(instance.app)
        for path in (f"{ROOT}/", f"{ROOT}/{ACCOUNT_SID}/conversations/CH1", f"{ROOT}/-/health"):
            shown = await page.send("GET", path)
            assert b"app.js" in shown.body
            assert inline_of(shown.body.decode()) == []
        # The page of a console that is not built.
        unbuilt = static(tmp_path / "static")
        (unbuilt / INDEX).unlink()
        serve_page(instance, unbuilt)
        shown = await page.send("GET", f"{ROOT}/")
        assert b"not built" in shown.body
        assert inline_of(shown.body.decode()) == []

    run_scene(tmp_path / "data", scene)


def test_what_is_inline_is_found() -> None:
    for planted in (
        "<script>x</script>",
        "<style>x</style>",
        '<p style="x">',
        '<p onclick="x">',
        '<a href="javascript:x">',
        '<script src="https://elsewhere.test/x.js"></script>',
        '<base href="/parlour/console/">',
        f'<script src="{ROOT}/x.js">more</script>',
    ):
        assert inline_of(planted), planted
