"""``parlour listen``: the webhooks of a server, forwarded to a receiver on this machine.

The event feed is followed: each event that triggers webhooks is sent once to the receiver, as a
post-action webhook of the server would be. Nothing is configured on the server, and its own
webhooks are unchanged. A receiver that fails gets no second attempt.

Each request is signed for the URL of the receiver with the account's auth token, so that the
receiver verifies it as any other webhook. This command signs if it has the token; with the login of
an API key, it asks the server (``POST /WebhookSignatures``).
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import click

from parlour.cli import following
from parlour.cli.events import EVENTS
from parlour.cli.server_client import ServerClient, as_line, json_option, server_options
from parlour.vocabulary import event_names
from parlour.vocabulary.clock import SystemRandom

if TYPE_CHECKING:
    from parlour.egress.client import OutboundRequest, OutboundResponse

_SIGNATURES: Final = "/parlour/v1/WebhookSignatures"
_NAMES: Final = {each.lower(): each for each in event_names.POST_ACTION}
_SUCCESSES: Final = range(200, 300)


def _events(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> list[str]:
    """Return the names of events, which may be separated by commas."""
    names = [name for value in values for name in value.split(",") if name]
    for name in names:
        if name.lower() not in _NAMES:
            known = ", ".join(event_names.POST_ACTION)
            raise click.BadParameter(f"{name} is none of {known}")
    return [_NAMES[name.lower()] for name in names]


@click.command("listen")
@click.option("--forward-to", "receiver_url", required=True, help="The URL of the receiver.")
@click.option(
    "--events",
    multiple=True,
    callback=_events,
    help="Events to forward, separated by commas; by default all post-action events.",
)
@server_options
@json_option
def command(client: ServerClient, *, receiver_url: str, events: list[str], as_json: bool) -> None:
    """Forward post-action webhooks to a receiver, from now on until interrupted.

    Each event is sent at most once. Pre-action webhooks are not forwarded.
    """
    from parlour.protocol.egress_policy import EgressRefused  # noqa: PLC0415 - help needs none.
    from parlour.protocol.signatures import prepare_url  # noqa: PLC0415 - as above.

    try:
        signed_url = prepare_url(receiver_url).signed_url
    except EgressRefused as error:
        raise click.BadParameter(error.reason, param_hint="--forward-to") from error
    filters = [("EventType", each) for each in events]
    after = following.newest(client, EVENTS)
    click.echo(f"Forwarding to {signed_url}; press Ctrl-C to stop.", err=True)
    for event in following.rows(client, EVENTS, "events", filters, after=after, follow=True):
        if event["fires_webhooks"] and event["parameters"] is not None:
            _show(event, _forward(client, receiver_url, event), as_json=as_json)


def _forward(client: ServerClient, url: str, event: dict[str, Any]) -> dict[str, Any]:
    """Send one event; return the status of the response, or the error."""
    from parlour.egress.client import EgressFailed, EgressRefused  # noqa: PLC0415 - as above.

    request = _request(client, url, event)
    try:
        response = asyncio.run(_send(request))
    except EgressRefused as error:
        return {"status": None, "error": error.reason, "elapsed_ms": None}
    except EgressFailed as error:
        reason = f"{error.kind} {error.detail}".rstrip()
        return {"status": None, "error": reason, "elapsed_ms": None}
    return {"status": response.status, "error": None, "elapsed_ms": response.elapsed_ms}


def _request(client: ServerClient, url: str, event: dict[str, Any]) -> OutboundRequest:
    from parlour.delivery.webhook_request import make_request, new_token  # noqa: PLC0415 - above
    from parlour.protocol.signatures import HEADER  # noqa: PLC0415 - as above.

    parameters = event["parameters"] | {"RetryCount": "0"}
    has_token = client.login == event["account_sid"]
    request = make_request(
        "POST",
        url,
        parameters,
        auth_token=client.secret if has_token else "",
        token=new_token(SystemRandom()),
        account_sid=event["account_sid"],
    )
    if has_token:
        return request
    form = [("Url", url), ("Parameters", json.dumps(parameters))]
    signature = client.post(_SIGNATURES, form)["signature"]
    return replace(request, headers={**request.headers, HEADER: signature})


async def _send(request: OutboundRequest) -> OutboundResponse:
    from parlour.egress.client import Egress, EgressPolicy  # noqa: PLC0415 - as above.

    # The receiver is on this machine or in its network; other forbidden addresses stay forbidden.
    async with Egress(EgressPolicy(allow_private=True)) as egress:
        return await egress.send(request)


def _show(event: dict[str, Any], result: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        shown = {name: event[name] for name in ("cursor", "event_type", "subject_sid")}
        click.echo(as_line(shown | result))
        return
    outcome = f"failed: {result['error']}"
    if result["status"] is not None:
        note = "" if result["status"] in _SUCCESSES else "; it is not sent again"
        outcome = f"{result['status']} in {result['elapsed_ms']} ms{note}"
    click.echo(f"{event['date']}  {event['event_type']}  {event['subject_sid']}  {outcome}")
