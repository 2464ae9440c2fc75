"""The test support modules: their guarantees to the tests that use them."""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from tests.support import machine_pressure, network_guard
from tests.support.client import Api
from tests.support.load_balancer import Balancer
from tests.support.polling import eventually
from tests.support.ports import ReservedPort
from tests.support.server import REPOSITORY, Server, ServerError

if TYPE_CHECKING:
    from pathlib import Path

# Reserved for documentation: no host responds there.
ELSEWHERE = "192.0.2.1"


@pytest.mark.parametrize("address", [(ELSEWHERE, 9), (ELSEWHERE, 0)])
def test_socket_outside_the_loopback_is_rejected_and_recorded(address: tuple[str, int]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        use = sock.bind if address[1] == 0 else sock.connect
        with pytest.raises(network_guard.SocketOutsideLoopbackError):
            use(address)
    assert len(network_guard.take_attempts()) == 1


def test_name_of_another_host_is_not_resolved() -> None:
    with pytest.raises(network_guard.SocketOutsideLoopbackError):
        socket.create_connection(("host.invalid", 80))
    assert len(network_guard.take_attempts()) == 1


def test_loopback_is_allowed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        with socket.create_connection(("localhost", port)) as sock:
            assert sock.getpeername()[1] == port
    assert network_guard.take_attempts() == []


def test_failed_start_shows_the_output(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="no-such-option"):
        Server(tmp_path / "data", args=["--no-such-option"]).start()


def test_a_server_does_not_outlive_a_test_process_that_is_killed(tmp_path: Path) -> None:
    program = (
        "import pathlib, sys, time; from tests.support.server import Server;"
        "server = Server(pathlib.Path(sys.argv[1]) / 'data').start();"
        "print(server.port, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], cwd=REPOSITORY, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        assert listens(port)
        process.kill()
    eventually(lambda: listens(port), lambda open_: not open_)


def test_reserved_port_is_exclusive_and_reusable() -> None:
    with ReservedPort() as reserved:
        others = [socket.create_server(("127.0.0.1", 0)) for _ in range(200)]
        with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
            stranger.bind(("127.0.0.1", reserved.number))
        for _ in range(3):
            assert not listens(reserved.number)
            with socket.create_server(("127.0.0.1", reserved.number)):
                assert listens(reserved.number)
        assert reserved.number not in [each.getsockname()[1] for each in others]
        for each in others:
            each.close()


def listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def test_a_killed_server_comes_back_on_its_port_with_its_data(fresh_server: Server) -> None:
    port = fresh_server.port
    account = fresh_server.make_account()
    fresh_server.kill()
    assert not fresh_server.is_healthy()
    fresh_server.start()
    assert fresh_server.port == port
    assert fresh_server.make_key(account[0])[0].startswith("SK")
    assert fresh_server.stop() == 0
    assert not fresh_server.is_healthy()


class PortHandler(BaseHTTPRequestHandler):
    """A node that responds with its port."""

    def do_GET(self) -> None:
        body = str(self.server.server_port).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def test_balancer_sends_each_request_to_the_next_available_node() -> None:
    nodes = [ThreadingHTTPServer(("127.0.0.1", 0), PortHandler) for _ in range(3)]
    for node in nodes:
        threading.Thread(target=node.serve_forever, args=(0.02,)).start()
    reserved = ReservedPort()
    balancer = Balancer(reserved.number)

    def asked() -> str:
        with closing(http.client.HTTPConnection("127.0.0.1", balancer.port, timeout=5)) as client:
            client.request("GET", "/")
            return client.getresponse().read().decode()

    try:
        balancer.start([node.server_port for node in nodes])
        ports = [asked() for _ in range(6)]
        assert ports[:3] == ports[3:]
        assert set(ports) == {str(node.server_port) for node in nodes}
        stopped = nodes.pop()
        stopped.shutdown()
        stopped.server_close()
        assert {asked() for _ in range(6)} == {str(node.server_port) for node in nodes}
        assert [taken.requests for taken in balancer.taken()] == [5, 5, 2]
    finally:
        balancer.kill()
        reserved.close()
        for node in nodes:
            node.shutdown()
            node.server_close()


class PortOfClient(BaseHTTPRequestHandler):
    """Responds with the client's port, and keeps the connection open."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = str(self.client_address[1]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def test_requests_of_one_client_share_a_connection_until_it_is_closed() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), PortOfClient) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,)).start()
        client = Api(f"http://127.0.0.1:{server.server_port}", None, None)
        try:
            ports = [client.get("/").text for _ in range(3)]
            client.close()
            assert client.get("/").text != ports[0]
        finally:
            client.close()
            server.shutdown()
    assert len(set(ports)) == 1


def test_stopwatch_excludes_load_of_the_machine_up_to_a_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, waited = [100.0], [7.0]
    monkeypatch.setattr(machine_pressure.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(machine_pressure, "_waited_seconds", lambda: waited[0])
    watch = machine_pressure.Stopwatch()
    now[0], waited[0] = 110.0, 13.0
    assert (watch.seconds, watch.seconds_at_least) == (10.0, 4.0)
    assert watch.is_over(4.0)
    assert not watch.is_over(4.5)
    now[0], waited[0] = 100.0 + machine_pressure.LOAD_SECONDS_MAX + 4.5, 100.0
    assert watch.seconds_at_least == 0
    assert watch.is_over(4.5)


def test_processor_time_does_not_exceed_wall_time() -> None:
    watch = machine_pressure.Stopwatch()
    assert 0 <= watch.seconds_at_least <= watch.seconds
