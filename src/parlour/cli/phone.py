"""``parlour phone``: virtual phones of a running server, from the terminal."""

from __future__ import annotations

import json
import mimetypes
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import click

from parlour.cli.server_client import (
    ApiRefused,
    FormFile,
    ServerClient,
    json_option,
    printable,
    server_options,
)
from parlour.resources.virtual_phones import store as virtual_phone_store
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Iterator

_PHONES: Final = "/parlour/v1/VirtualPhones"
_NOT_FOUND: Final = 404
_ARROWS: Final = {"received": "<-", "sent": "->"}


@click.group("phone")
def command() -> None:
    """Virtual phones: list them, send, read an inbox, set a behaviour."""


@command.command("list")
@server_options
@json_option
def list_(client: ServerClient, *, as_json: bool) -> None:
    """List the phones of the account, the last active one first."""
    for phone in client.rows(_PHONES, "virtual_phones"):
        if as_json:
            click.echo(json.dumps(phone))
            continue
        behaviour = phone["behaviour"]
        if behaviour in {virtual_phone_store.UNDELIVERABLE, virtual_phone_store.REJECT}:
            behaviour += f" {phone['error_code']}"
        name = printable(phone["name"] or "")
        click.echo(f"{phone['address']:24} {phone['channel']:10} {behaviour:20} {name}".rstrip())


@command.command("send")
@click.argument("sender", metavar="FROM")
@click.argument("receivers", metavar="TO...", nargs=-1, required=True)
@click.option("--body", default="", help="The text.")
@click.option(
    "--media",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    multiple=True,
    help="A file; repeatable.",
)
@click.option("--profile-name", default="", help="The name of a WhatsApp user.")
@server_options
@json_option
def send(
    client: ServerClient,
    *,
    sender: str,
    receivers: tuple[str, ...],
    body: str,
    media: tuple[Path, ...],
    profile_name: str,
    as_json: bool,
) -> None:
    """Send a message from a phone to a number of the server; several receivers are a group."""
    fields = [("To", each) for each in receivers]
    fields += [("Body", body)] if body else []
    fields += [("ProfileName", profile_name)] if profile_name else []
    path = f"{_path(sender)}/Messages"
    if media:
        message = client.post_files(path, fields, [_file(each) for each in media])
    else:
        message = client.post(path, fields)
    if as_json:
        click.echo(json.dumps(message))
        return
    place = message["conversation_sid"] or printable(message["reason"] or "")
    click.echo(f"{message['sid']}  {message['outcome']}  {place}".rstrip())


def _file(path: Path) -> FormFile:
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return FormFile("Media", path.name, kind, path.read_bytes())


@command.command("inbox")
@click.argument("address")
@click.option("--follow", is_flag=True, help="Wait for further messages, until interrupted.")
@server_options
@json_option
def inbox(client: ServerClient, *, address: str, follow: bool, as_json: bool) -> None:
    """Show what a phone received and sent, oldest first."""
    path = f"{_path(address)}/Messages"
    # A list that waits may name a phone that does not exist yet.
    first = {"Wait": "0"} if follow else {}
    last: list[dict[str, Any]] = []
    try:
        for message in client.rows(path, "messages", first):
            _show(message, as_json=as_json)
            last = _same_second(last, message)
    except ApiRefused as error:
        if error.status != _NOT_FOUND:
            raise
        raise click.ClickException(
            f"there is no phone {printable(address)}: it exists once it sends or gets a message"
        ) from error
    while follow:  # Ends with an interrupt of the terminal.
        for message in _new_messages(client, path, last):
            _show(message, as_json=as_json)
            last = _same_second(last, message)


def _same_second(messages: list[dict[str, Any]], message: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the last message and those before it with the same date."""
    date = message["date_created"]
    return [each for each in messages if each["date_created"] == date] + [message]


def _new_messages(
    client: ServerClient, path: str, last: list[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Wait for messages after the last ones, and yield them; none after the longest wait."""
    # Dates are whole seconds, so the list begins with the messages of the last one's second.
    most = limits.PAGE_SIZE_MAX
    query = {
        "Wait": str(limits.LIST_WAIT_SECONDS_MAX),
        "MinCount": str(min(len(last) + 1, most)),
        "PageSize": str(most),
    }
    if last:
        query["After"] = last[0]["date_created"]
    known = {each["sid"] for each in last}
    for message in client.rows(path, "messages", query):
        if message["sid"] not in known:
            yield message


def _show(message: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(message))
        return
    is_sent = message["direction"] == "sent"
    peers = message["to"] if is_sent else [message["from"]]
    notes = []
    if message["group"] is not None:
        notes.append(f"group of {len(message['group'])}")
    if message["segments"] > 1:
        notes.append(f"{message['segments']} segments {message['encoding']}")
    if is_sent:
        notes.append(message["outcome"] or message["status"])
    elif message["status"] == "read":
        notes.append("read")
    note = f"  ({', '.join(notes)})" if notes else ""
    head = f"{message['date_created']}  {_ARROWS[message['direction']]} {' '.join(peers)}"
    click.echo(f"{head}  {printable(message['body'] or '')}".rstrip() + note)
    for each in message["media"]:
        name = printable(each["filename"] or "")
        click.echo(f"    {each['content_type']}  {each['size']} bytes  {name}  {each['url']}")


@command.command("set")
@click.argument("address")
@click.option("--behaviour", type=click.Choice(virtual_phone_store.BEHAVIOURS))
@click.option(
    "--error-code",
    type=int,
    help="The code of messages that it does not get, such as 30003, 30005 or 63024.",
)
@click.option(
    "--delay-ms",
    type=click.IntRange(0, limits.VIRTUAL_PHONE_DELAY_MS_MAX),
    help="The delay before each receipt.",
)
@click.option("--receipts", type=click.Choice(virtual_phone_store.RECEIPTS))
@click.option("--reads/--no-reads", default=None, help="Whether it reads what it gets.")
@click.option("--name", help="Its name.")
@server_options
@json_option
def set_(client: ServerClient, *, address: str, as_json: bool, **values: Any) -> None:
    """Set the behaviour of a phone; one that does not exist is created."""
    names = {
        "behaviour": "Behaviour",
        "error_code": "ErrorCode",
        "delay_ms": "DelayMs",
        "receipts": "Receipts",
        "reads": "Reads",
        "name": "Name",
    }
    given = {name: value for name, value in values.items() if value is not None}
    fields = [
        (names[name], str(value).lower() if isinstance(value, bool) else str(value))
        for name, value in given.items()
    ]
    try:
        phone = client.post(_path(address), fields)
    except ApiRefused as error:
        if error.status != _NOT_FOUND:
            raise
        client.post(_PHONES, [("Address", address)])
        phone = client.post(_path(address), fields)
    if as_json:
        click.echo(json.dumps(phone))
        return
    shown = ("behaviour", "error_code", "delay_ms", "receipts", "reads")
    click.echo(f"{phone['address']}  " + "  ".join(f"{name}={phone[name]}" for name in shown))


def _path(address: str) -> str:
    return f"{_PHONES}/{quote(address, safe='')}"
