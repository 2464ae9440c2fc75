"""``parlour templates``: content templates of a running server, and their approval by hand."""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import quote

import click

from parlour.cli.server_client import ServerClient, json_option, printable, server_options
from parlour.vocabulary import limits

_TEMPLATES: Final = "/parlour/v1/ContentTemplates"
_STATUSES: Final = ("unsubmitted", "pending", "approved", "rejected")


@click.group("templates")
def command() -> None:
    """Content templates: list them, approve or reject them for WhatsApp."""


@command.command("list")
@click.option("--status", type=click.Choice(_STATUSES), help="Only templates with this approval.")
@server_options
@json_option
def list_(client: ServerClient, *, status: str | None, as_json: bool) -> None:
    """List the templates of the account with the state of their approval."""
    for template in client.rows(_TEMPLATES, "content_templates"):
        if status in {None, template["approval"]["status"]}:
            _show(template, as_json=as_json)


@command.command("approve")
@click.argument("sid")
@server_options
@json_option
def approve(client: ServerClient, *, sid: str, as_json: bool) -> None:
    """Approve a template whose approval was requested."""
    _show(client.post(_path(sid), [("ApprovalStatus", "approved")]), as_json=as_json)


@command.command("reject")
@click.argument("sid")
@click.option(
    "--reason",
    default="",
    help=f"Shown to the program; at most {limits.REJECTION_REASON_CHARS_MAX} characters.",
)
@server_options
@json_option
def reject(client: ServerClient, *, sid: str, reason: str, as_json: bool) -> None:
    """Reject a template whose approval was requested."""
    fields = [("ApprovalStatus", "rejected")]
    fields += [("RejectionReason", reason)] if reason else []
    _show(client.post(_path(sid), fields), as_json=as_json)


def _path(sid: str) -> str:
    return f"{_TEMPLATES}/{quote(sid, safe='')}"


def _show(template: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(template))
        return
    approval = template["approval"]
    name, reason = printable(template["friendly_name"]), printable(approval["rejection_reason"])
    click.echo(f"{template['sid']}  {approval['status']:11}  {name}  {reason}".rstrip())
