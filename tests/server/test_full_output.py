"""A log that cannot be written stops neither requests nor the shutdown."""

from __future__ import annotations

from pathlib import Path

from tests.support.client import Api
from tests.support.server import Server

PROGRAM = Path(__file__).with_name("launch_with_full_output.py")


def test_requests_and_the_stop_go_on_while_no_log_can_be_written(tmp_path: Path) -> None:
    # A rejected login is logged, as is each request.
    server = Server(tmp_path / "data", args=("--request-log", "all"), program=(str(PROGRAM),))
    with server:
        api = Api(server.base_url, server.account_sid, server.auth_token)
        stranger = Api(server.base_url, server.account_sid, "wrong")
        for _ in range(3):
            api.post("/v1/Conversations").expect(201)
            stranger.get("/v1/Conversations").refuses(401, 20003)
        # Python itself exits with 120 if it cannot flush at exit.
        assert server.stop() in {0, 120}
