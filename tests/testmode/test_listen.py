"""`parlour listen`: the webhooks of a server at a receiver on this machine, each at most once."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest

from parlour.protocol import signatures
from tests.support.server import Server
from tests.testmode.command_runs import EMBEDDED, NO_ACCOUNT, CommandRuns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click.testing import Result


class LocalReceiver:
    """A receiver of webhooks: it answers with these statuses, one after the other."""

    def __init__(self, *statuses: int) -> None:
        self.requests: list[tuple[dict[str, str], dict[str, str]]] = []
        answers = list(statuses)

        class LocalHandler(BaseHTTPRequestHandler):
            """Records the form and the headers of a request."""

            def do_POST(handler) -> None:  # noqa: N805 - as the library names it.
                length = int(handler.headers["Content-Length"])
                form = dict(parse_qsl(handler.rfile.read(length).decode(), keep_blank_values=True))
                self.requests.append((form, dict(handler.headers)))
                handler.send_response(answers.pop(0))
                handler.send_header("Content-Length", "0")
                handler.end_headers()

            def log_message(handler, *_: object) -> None:  # noqa: N805 - as above.
                """Print nothing."""

        self._server = HTTPServer(("127.0.0.1", 0), LocalHandler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook?of=test"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandRuns]:
    """Commands that use one server in test mode."""
    data = tmp_path_factory.mktemp("listen") / "data"
    with Server(data, NO_ACCOUNT | EMBEDDED, args=("--test",)) as running:
        runs = CommandRuns(running)
        yield runs
        runs.api.close()


def listen(
    commands: CommandRuns,
    monkeypatch: pytest.MonkeyPatch,
    events: list[tuple[str, dict[str, str]]],
    *arguments: str,
    count: int,
) -> tuple[Result, list[str]]:
    """Listen, make these changes once it does, and interrupt it after so many lines."""
    shown: list[str] = []
    senders: list[threading.Thread] = []

    class EnoughForwardedError(Exception):
        """The interrupt of the terminal."""

    def change() -> None:
        for path, form in events:
            commands.api.post(path, form).expect(201)

    def show(text: str, **_: Any) -> None:
        shown.append(text)
        if len(shown) == 1:  # It listens.
            senders.append(threading.Thread(target=change))
            senders[0].start()
        if len(shown) == count + 1:
            raise EnoughForwardedError

    with monkeypatch.context() as patched:
        patched.setattr("parlour.cli.listen.click.echo", show)
        result = commands.run("listen", *arguments)
    for sender in senders:
        sender.join()
    assert isinstance(result.exception, EnoughForwardedError), result.output
    return result, shown[1:]


def of(event: str, **form: str) -> tuple[str, dict[str, str]]:
    return "/parlour/v1/Triggers", {"EventType": event, **form}


def test_webhooks_arrive_signed_as_from_the_server_and_once(
    commands: CommandRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver = LocalReceiver(200, 500, 200)
    silent = ("/v1/Conversations", {"FriendlyName": "without webhooks"})
    changes = [
        silent,
        of("onMessageAdded", Body="Grüße & more", Identity="alice"),
        of("onUserAdded", Identity="bob"),
        of("onConversationAdded"),
    ]
    try:
        _, shown = listen(commands, monkeypatch, changes, "--forward-to", receiver.url, count=3)
    finally:
        receiver.close()
    forms = [form for form, _ in receiver.requests]
    assert [form["EventType"] for form in forms] == [
        "onMessageAdded",
        "onUserAdded",
        "onConversationAdded",
    ]
    assert (forms[0]["Body"], forms[0]["RetryCount"]) == ("Grüße & more", "0")
    token = str(commands.environment["PARLOUR_AUTH_TOKEN"])
    for form, headers in receiver.requests:
        signature = headers[signatures.HEADER]
        assert signatures.is_signed(token, receiver.url, signature, form.items())
        assert headers["User-Agent"] == "TwilioProxy/1.1"
    assert [line.split()[3] for line in shown] == ["200", "500", "200"]
    assert [line.endswith("; it is not sent again") for line in shown] == [False, True, False]


def test_the_server_signs_for_the_login_of_an_api_key(
    commands: CommandRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver = LocalReceiver(200)
    sid, secret = commands.api_key
    login = ("--account", sid, "--token", secret)
    try:
        _, [line] = listen(
            commands,
            monkeypatch,
            [of("onMessageAdded", Body="Grüße & more")],
            *("--forward-to", receiver.url, *login),
            count=1,
        )
    finally:
        receiver.close()
    assert line.split()[3] == "200"
    [(form, headers)] = receiver.requests
    token = str(commands.environment["PARLOUR_AUTH_TOKEN"])
    signature = headers[signatures.HEADER]
    assert signatures.is_signed(token, receiver.url, signature, form.items())


def test_events_are_selected_and_a_receiver_that_is_off_is_shown(
    commands: CommandRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver = LocalReceiver()
    receiver.close()
    _, [line] = listen(
        commands,
        monkeypatch,
        [of("onConversationAdded"), of("onUserAdded")],
        *("--forward-to", receiver.url, "--events", "onMessageAdded,onuseradded"),
        count=1,
    )
    assert " onUserAdded " in line
    assert "failed: connect" in line


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (("--forward-to", "ftp://127.0.0.1/hook"), "The URL is neither http nor https."),
        (("--forward-to", "http://127.0.0.1/", "--events", "onTea"), "onTea is none of onMessage"),
        ((), "--forward-to"),
    ],
)
def test_wrong_options_are_refused(
    commands: CommandRuns, options: tuple[str, ...], error: str
) -> None:
    result = commands.run("listen", *options)
    assert (result.exit_code, error in result.stderr) == (2, True), result.stderr
