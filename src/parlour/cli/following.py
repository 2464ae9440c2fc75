"""Rows of a list that continues: read to its end, or followed until interrupted.

The server holds each request until there are rows (``Wait``). If the connection is lost, the
reading is retried from the last position, so that no row is missed and none is shown twice.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

import click

from parlour.cli.server_client import ServerUnreachable
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from parlour.cli.server_client import ServerClient

START: Final = "start"
NOW: Final = "now"
_RETRY_SECONDS: Final = 1
_PAGE_SIZE: Final = str(limits.PAGE_SIZE_SMALL_MAX)


def rows(
    client: ServerClient,
    path: str,
    key: str,
    filters: Sequence[tuple[str, str]],
    *,
    after: str,
    follow: bool,
) -> Iterator[dict[str, Any]]:
    """Yield the rows after a position, oldest first. Raises ApiRefused and ServerUnreachable."""
    query = [*filters, ("PageSize", _PAGE_SIZE)]
    if follow:
        after = newest(client, path) if after == NOW else after
        query.append(("Wait", str(limits.LIST_WAIT_SECONDS_MAX)))
    while True:  # Ends after the last page, or with an interrupt of the terminal.
        page = page_of(client, path, [*query, ("After", after)], retries=follow)
        yield from page[key]
        after = page["after"]
        if not follow and not page["is_more"]:
            return


def newest(client: ServerClient, path: str) -> str:
    """Return the position after the newest row. Raises ApiRefused and ServerUnreachable."""
    position: str = client.get(path, {"After": NOW})["after"]
    return position


def page_of(
    client: ServerClient, path: str, query: list[tuple[str, str]], *, retries: bool
) -> dict[str, Any]:
    """Return one page; with ``retries`` after a lost connection too. Raises ApiRefused."""
    is_lost = False
    while True:  # Ends with a response, or with an interrupt of the terminal.
        try:
            page: dict[str, Any] = client.get(path, query)
        except ServerUnreachable as error:
            if not retries:
                raise
            if not is_lost:
                click.echo(f"{error.message}; retrying", err=True)
            is_lost = True
            threading.Event().wait(_RETRY_SECONDS)
            continue
        if is_lost:
            click.echo("connected again", err=True)
        return page
