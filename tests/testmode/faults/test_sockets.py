"""Faults of sockets and of commands of client SDKs, frame by frame."""

from __future__ import annotations

import contextlib
import json
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus

from tests.support.polling import eventually
from tests.support.twilsock_client import Socket, make_token, request_header

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.server import Server
    from tests.testmode.faults.conftest import FaultAccount


def _connected(server: Server, identity: str = "alice") -> Socket:
    socket = Socket.to(server)
    assert socket.init(make_token(server, identity)).header["status"]["code"] == 200
    return socket


@pytest.fixture
def alice(server: Server) -> Iterator[Socket]:
    """A connected client of Alice."""
    with _connected(server) as socket:
        yield socket


def _user(socket: Socket, identity: str = "alice") -> Any:
    """Send a command, and return its response: a user, who exists once connected."""
    return socket.send_request("GET", f"/Client/v2/Users/{identity}")


def _status_of_close(socket: Socket) -> tuple[int, str]:
    status = socket.closing_frame().header["status"]
    return status["code"], status["status"]


# --- Now ----------------------------------------------------------------------------------


def test_the_connections_of_a_user_are_closed_at_once_with_a_reason(
    account: FaultAccount, server: Server, alice: Socket
) -> None:
    with _connected(server) as second, _connected(server, "bob") as bob:
        fault = account.fault(Target="socket", Identity="alice", Close="SLOW_CONSUMER")

        assert _status_of_close(alice) == (308, "TOO_MANY_UPDATES")
        assert _status_of_close(second) == (308, "TOO_MANY_UPDATES")
        assert _user(bob).status == 200
        assert account.counters(fault) == {"matched": 2, "fired": 2, "left": 0}
    with _connected(server) as again:
        assert _user(again).status == 200


def test_so_many_connections_are_dropped_without_a_farewell(
    account: FaultAccount, server: Server, alice: Socket
) -> None:
    with ExitStack() as opened:
        sockets = [alice, *(opened.enter_context(_connected(server)) for _ in range(2))]
        fault = account.fault(Target="socket", Drop="true", Times=1)

        assert account.counters(fault)["fired"] == 1
        dropped = [each for each in sockets if _is_dropped(each)]
        assert len(dropped) == 1


def _is_dropped(socket: Socket) -> bool:
    try:
        return _user(socket).status != 200
    except ConnectionClosedError as error:
        return error.rcvd is None
    except ConnectionResetError:
        return True


def test_a_token_expires_with_a_warning_and_the_connection_ends(
    account: FaultAccount, alice: Socket
) -> None:
    account.fault(Target="socket", ExpireToken="true")

    warning = alice.receive()
    assert warning.header["client_update_type"] == "token_about_to_expire"
    assert _status_of_close(alice) == (410, "TOKEN_EXPIRED")


def test_frames_are_held_and_come_in_order(account: FaultAccount, alice: Socket) -> None:
    account.fault(Target="socket", HoldMs=150)

    began = time.monotonic()
    frames = [alice.send(request_header("GET", "/Client/v2/Users/alice")) for _ in range(3)]
    replies = [alice.receive().header["id"] for _ in frames]

    assert time.monotonic() - began >= 0.1
    assert sorted(replies) == sorted(frames)
    assert _user(alice).status == 200


def test_removed_faults_end_a_hold_and_drop_its_frames(
    account: FaultAccount, alice: Socket
) -> None:
    account.fault(Target="socket", HoldMs=60_000)
    alice.send(request_header("GET", "/Client/v2/Users/alice"))
    settled = account.own("POST", "/Settle", status=202, Timeout=1)
    assert any("outbox" in each for each in settled["waiting_for"])

    account.own("DELETE", "/Faults", status=204)

    assert _user(alice).status == 200
    assert alice.pending == []


# --- Connect ------------------------------------------------------------------------------


def test_a_new_connection_is_refused_with_the_reason_of_a_refusal(
    account: FaultAccount, server: Server
) -> None:
    account.fault(Target="socket", When="connect", Identity="carol", Close="TOKEN_EXPIRED")

    with Socket.to(server) as socket:
        reply = socket.init(make_token(server, "carol"))
    assert reply.header["status"]["code"] == 401
    assert reply.header["status"]["errorCode"] == 20104
    with _connected(server, "carol") as again:
        assert _user(again, "carol").status == 200


@pytest.mark.parametrize("effect", [{"Close": "SERVER_STOPPING"}, {"Drop": "true"}])
def test_a_new_connection_is_accepted_and_then_ended(
    account: FaultAccount, server: Server, effect: dict[str, str]
) -> None:
    account.fault(Target="socket", When="connect", **effect)

    with Socket.to(server) as socket:
        token = make_token(server, "alice")
        if "Close" in effect:
            assert socket.init(token).header["status"]["code"] == 200
            assert _status_of_close(socket) == (308, "OFFLOAD")
        else:
            # The reply may arrive before the reset.
            with contextlib.suppress(ConnectionClosedError, ConnectionResetError):
                socket.init(token)
            assert _is_dropped(socket)


def test_an_upgrade_is_refused_with_503(account: FaultAccount, server: Server) -> None:
    fault = account.fault(Target="socket", Refuse=503, Scope="server", Skip=1)

    with _connected(server) as first, pytest.raises(InvalidStatus) as refused:
        Socket.to(server)
    assert refused.value.response.status_code == 503
    del first
    with _connected(server) as third:
        assert _user(third).status == 200
    assert account.counters(fault) == {"matched": 2, "fired": 1, "left": 0}


# --- Message ------------------------------------------------------------------------------


def test_the_second_request_of_a_client_ends_its_connection(
    account: FaultAccount, alice: Socket
) -> None:
    account.fault(Target="socket", When="message", Skip=1, Close="FAILED")

    assert _user(alice).status == 200
    alice.send(request_header("GET", "/Client/v2/Users/alice"))
    assert _status_of_close(alice) == (500, "INTERNAL_SERVER_ERROR")


def test_a_message_is_held_after_it_was_done(
    account: FaultAccount, server: Server, alice: Socket
) -> None:
    account.fault(Target="socket", When="message", Identity="alice", HoldMs=60_000)
    body = {"friendly_name": "of a held reply"}
    alice.send(request_header("POST", "/Client/v2/Conversations"), json.dumps(body).encode())

    def names() -> list[str]:
        listed = account.api.get("/Conversations").expect(200)["conversations"]
        return [each["friendly_name"] for each in listed]

    eventually(names, lambda found: "of a held reply" in found)


# --- Commands -----------------------------------------------------------------------------


def test_a_command_is_refused_before_and_answered_wrongly_after(
    account: FaultAccount, alice: Socket
) -> None:
    for phase in ("before", "after"):
        account.fault(
            Target="request",
            Operation="CreateConversation",
            Source="sdk",
            Identity="alice",
            Code=50063,
            RetryAfter=3,
            Phase=phase,
            Name="limited",
        )
    body = {"unique_name": "twice"}

    replies = [alice.send_request("POST", "/Client/v2/Conversations", body) for _ in range(3)]

    assert [each.status for each in replies] == [429, 429, 409]
    assert replies[0].body["code"] == 50063
    headers = replies[0].header["http_headers"]
    assert headers["parlour-fault"] == "limited"
    assert headers["retry-after"] == "3"


def test_a_dropped_command_was_done(account: FaultAccount, alice: Socket) -> None:
    account.fault(
        Target="request",
        Operation="CreateConversation",
        Source="sdk",
        Drop="true",
        Phase="after",
        Name="lost",
    )

    with pytest.raises((ConnectionClosed, ConnectionResetError)):
        alice.send_request("POST", "/Client/v2/Conversations", {"unique_name": "dropped"})

    account.api.get("/Conversations/dropped").expect(200)
    (found,) = account.own("GET", "/Requests?Source=sdk&PageSize=1")["requests"]
    assert (found["operation"], found["status"], found["fault"]) == (
        "CreateConversation",
        None,
        "lost",
    )


def test_a_fault_of_rest_leaves_commands_alone(account: FaultAccount, alice: Socket) -> None:
    of_rest = account.fault(Target="request", Source="rest", Times=0, Status=500)
    of_path = account.fault(Target="request", Path="/", Times=0, Status=500)

    assert _user(alice).status == 200
    assert account.counters(of_rest)["matched"] == 0
    assert account.counters(of_path)["matched"] == 0


def test_a_delayed_command_has_the_name_of_its_fault(account: FaultAccount, alice: Socket) -> None:
    account.fault(Target="request", Operation="FetchUser", DelayMs=60, Name="slow")

    began = time.monotonic()
    reply = _user(alice)

    assert time.monotonic() - began >= 0.06
    assert (reply.status, reply.header["http_headers"]["parlour-fault"]) == (200, "slow")


@pytest.fixture(autouse=True)
def _no_faults_left(account: FaultAccount) -> Iterator[None]:
    yield
    account.own("DELETE", "/Faults", status=204)
