"""The section "parlour" of a failed test's report: what the server knows about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlour_testkit.connection import FUNCTIONS
from parlour_testkit.errors import ApiError, ServerUnreachable
from parlour_testkit.journal import JournalEntry, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from parlour_testkit.account import Account
    from parlour_testkit.server import Server

ROWS_MAX = 20
_TIMEOUT_S = 5.0


def describe(server: Server, account: Account | None) -> str:
    """Return the section; a part that cannot be read is replaced by the reason."""
    lines = [f"server: {server.url} (version {server.version})"]
    try:
        lines += _part("clock", lambda: _clock(server))
        if (console := server.console_url) is not None:
            lines.append(f"console: {console}")
        if account is not None:
            lines.append(f"account: {account.sid}")
            lines += _part("last requests", lambda: _requests(account))
            lines += _part("webhook attempts", lambda: _attempts(account))
            lines += _part("faults", lambda: _faults(account))
    except ServerUnreachable as error:
        lines += [str(error), *_indented(server.log_tail().splitlines()[-ROWS_MAX:])]
    return "\n".join(lines)


def _part(name: str, read: Callable[[], Iterator[str]]) -> Iterator[str]:
    """Yield the lines of a part. Raises ServerUnreachable: then no other part can be read."""
    try:
        rows = list(read())
    except (ApiError, KeyError, TypeError) as error:
        rows = [f"could not be read: {error}"]
    yield f"{name}:" if rows else f"{name}: none"
    yield from _indented(rows)


def _indented(rows: Iterable[str]) -> Iterator[str]:
    return (f"  {each}" for each in rows)


def _clock(server: Server) -> Iterator[str]:
    found = server.clock.fetch()
    due = found.get("next_due")
    following = f", next due {due['at']}: {due['what']}" if due else ""
    yield f"{found['now']} ({found['mode']}){following}"


def _requests(account: Account) -> Iterator[str]:
    for each in reversed(_page(account, "Requests", "requests")):
        yield shown(JournalEntry(each))


def _attempts(account: Account) -> Iterator[str]:
    for each in reversed(_page(account, "WebhookAttempts", "webhook_attempts")):
        request, response = each.get("request") or {}, each.get("response") or {}
        answer = response.get("status") or each.get("error") or "no answer"
        yield (
            f"{each['date_created']} {each['event_type']} {request.get('method', '')} "
            f"{request.get('url', '')} → {answer}, {each['outcome']}"
        )


def _faults(account: Account) -> Iterator[str]:
    described = {each.sid: each.description for each in account.faults.added}
    for each in _page(account, "Faults", "faults"):
        name = described.get(each["sid"]) or each.get("name") or each["sid"]
        fired = f"fired {each['fired']}" if each["fired"] else "never fired"
        yield f"{name}: {fired}, matched {each['matched']} calls, left {each['left']}"


def _page(account: Account, name: str, key: str) -> list[dict[str, Any]]:
    path = f"{FUNCTIONS}/{name}"
    reply = account.connection.request("GET", path, {"page_size": ROWS_MAX}, timeout_s=_TIMEOUT_S)
    rows: list[dict[str, Any]] = reply.json[key]
    return rows
