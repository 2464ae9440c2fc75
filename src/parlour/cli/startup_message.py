"""The message that `serve` prints when it is ready: URL, data folder and account."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from parlour.config import (
    TEST_ACCOUNT_SID,
    TEST_API_KEY_SECRET,
    TEST_API_KEY_SID,
    TEST_AUTH_TOKEN,
)
from parlour.store.engines import describe_database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from parlour.config import Settings


def startup_lines(
    settings: Settings, url: str, first: tuple[str, str] | None, accounts: list[str]
) -> Iterator[str]:
    """Yield the lines; ``first`` are SID and auth token of an account that was just created.

    This auth token is the only secret in them, and it is shown only once.
    """
    listening, url = url, settings.public_url or url
    data = settings.data.absolute()
    yield f"Parlour answers at {url}"
    if listening != url:
        yield f"Listening on {listening}"
    yield f"Data folder: {data}"
    yield f"Database: {describe_database(settings.database, settings.data)}"
    if settings.test:
        yield "Test mode: data can be wiped by anybody with an account's auth token."
        if settings.account_sid == TEST_ACCOUNT_SID:
            yield f"Account: {TEST_ACCOUNT_SID}, auth token: {TEST_AUTH_TOKEN}"
            yield f"API key: {TEST_API_KEY_SID}, secret: {TEST_API_KEY_SECRET}"
            yield _export_line(url, TEST_ACCOUNT_SID, TEST_AUTH_TOKEN)
            return
    if first is not None:
        sid, token = first
        yield "Created an account. Its auth token is shown only once:"
        yield _export_line(url, sid, token)
        yield '  curl -u "$ACCOUNT_SID:$AUTH_TOKEN" -X POST "$PARLOUR_URL/v1/Conversations"'
        accounts = [sid]
    if not accounts:
        return
    sid = settings.account_sid or accounts[0]
    same = " with the same PARLOUR_DATABASE" if settings.database else ""
    named = f"--data {shlex.quote(str(data))}{same}"
    others = f" (others: parlour account list {named})" if len(accounts) > 1 else ""
    yield f"Account: {sid}{others}"
    yield f"A new API key for it: parlour key create {sid} {named}"
    yield (
        f"A new auth token for it: start with PARLOUR_ACCOUNT_SID={sid} and the token in "
        "PARLOUR_AUTH_TOKEN"
    )


def _export_line(url: str, sid: str, token: str) -> str:
    """Return the line that a shell runs, so that commands and examples find the server."""
    return f"  export PARLOUR_URL={url} ACCOUNT_SID={sid} AUTH_TOKEN={token}"
