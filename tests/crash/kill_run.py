"""`kill -9` at random moments under concurrent writers, and a comparison of the final state."""

from __future__ import annotations

import http.client
import random
import sys
import time
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.checkers.atomicity_checker import violations
from tests.checkers.concurrent_writers import ConcurrentWriters, basic, exchange
from tests.checkers.expected_state import ExpectedState
from tests.checkers.observed_state import ObservedState, pages, read_everything
from tests.checkers.request_log import Line, RequestLog, Step, read_request_log
from tests.checkers.state_checker import describe, differences
from tests.checkers.workload import KnownObjects, Writer
from tests.support.client import Api
from tests.support.server_database import seed_push_binding

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.server import Server

WRITERS = 8
SETUP = -1
SHARED_CONVERSATIONS = 4
SHARED_MESSAGES = 3
PUSH_BINDINGS = 80
DIFFERENCES_SHOWN_MAX = 5
# Some kills happen during startup, most during work.
START_KILLS_SHARE = 0.15
START_SECONDS_MAX = 0.6
PHASE_SECONDS_MAX = 0.02
# A kill comes after this many responses, so that a slow machine does as much work as a fast one.
ANSWERS_MAX = 300
WORK_SECONDS_MAX = 3.0


@dataclass
class KillResult:
    """The result of a run of kills."""

    expected: ExpectedState
    observed: ObservedState
    lines: list[Line]
    found: list[str]
    restart_seconds: list[float] = field(default_factory=list)

    def report(self) -> str:
        """Return the metrics in one line."""
        slowest = max(self.restart_seconds, default=0.0)
        return (
            f"{self.expected.acknowledged} acknowledged, {self.expected.unanswered} unanswered, "
            f"{len(self.observed.objects)} objects kept, slowest start {slowest:.2f} s, "
            f"{len(self.found)} differences"
        )


def run_kills(server: Server, folder: Path, kills: int, seed: int) -> KillResult:
    """Run the writers while the server is killed `kills` times; then compare everything."""
    rng = random.Random(seed)
    request_log_path = folder / "requests.jsonl"
    restarts: list[float] = []
    with closing(RequestLog(request_log_path)) as request_log, server.start():
        world = set_up(server, request_log)
        writers = [Writer(number, seed, world) for number in range(WRITERS)]
        credentials = basic(server.account_sid, server.auth_token)
        concurrent_writers = ConcurrentWriters(
            writers, request_log, lambda: server.port, credentials
        )
        concurrent_writers.start()
        try:
            for number in range(1, kills + 1):
                concurrent_writers.wait_for(rng.randrange(ANSWERS_MAX), WORK_SECONDS_MAX)
                _kill(server, request_log, rng, number)
                restarts.append(_start(server, request_log))
                concurrent_writers.raise_failure()
            concurrent_writers.wait_for(ANSWERS_MAX, WORK_SECONDS_MAX)
        finally:
            concurrent_writers.stop()
        outcome = compare_states(server, request_log_path)
        outcome.restart_seconds = restarts
        # The last check reads the file itself, as a crash leaves it.
        server.kill()
        outcome.found += violations(server.data_dir, outcome.expected)
    print(f"{kills} kills, seed {seed}: {outcome.report()}", file=sys.stderr)
    return outcome


def compare_states(server: Server, request_log_path: Path) -> KillResult:
    """Compare the acknowledged state with the stored one."""
    lines = read_request_log(request_log_path)
    expected = ExpectedState(lines)
    api = Api(server.base_url, server.account_sid, server.auth_token)
    memberships = [
        (known.parents[-1], member.body)
        for known in expected.of("user_conversation")
        if (member := expected.known.get(("participant", known.sid))) is not None
    ]
    observed = read_everything(api, memberships)
    api.close()
    found = [describe(difference, lines) for difference in differences(expected, observed)]
    return KillResult(expected, observed, lines, found)


def describe_outcome(outcome: KillResult) -> str:
    """Return the first differences with their histories."""
    return "\n\n".join([outcome.report(), *outcome.found[:DIFFERENCES_SHOWN_MAX]])


def _kill(server: Server, request_log: RequestLog, rng: random.Random, number: int) -> None:
    """Kill the server at work, and sometimes again during its startup."""
    time.sleep(rng.uniform(0.0, PHASE_SECONDS_MAX))
    request_log.note(f"kill {number}")
    server.kill()
    if rng.random() < START_KILLS_SHARE:
        server._spawn()
        time.sleep(rng.uniform(0.0, START_SECONDS_MAX))
        request_log.note(f"kill {number}, while it started")
        server.kill()


def _start(server: Server, request_log: RequestLog) -> float:
    """Start the server; return the seconds until its first response."""
    begin = time.monotonic()
    server.start()
    request_log.note("the server is back")
    return time.monotonic() - begin


def set_up(
    server: Server, request_log: RequestLog, push_bindings: int = PUSH_BINDINGS
) -> KnownObjects:
    """Create the shared conversations with their first messages, all in the request log."""
    api = Api(server.base_url, server.account_sid, server.auth_token)
    service_sid = api.get("/Configuration").expect(200)["default_chat_service_sid"]
    roles = pages(api, f"/v1/Services/{service_sid}/Roles")
    api.close()
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    authorization = basic(server.account_sid, server.auth_token)

    def do(step: Step) -> str:
        number = request_log.record_request(SETUP, step)
        status, body = exchange(connection, step, authorization)
        request_log.record_response(number, status, body)
        assert status == 201, body
        assert body is not None
        return str(body["sid"])

    shared = [do(_conversation(number, service_sid)) for number in range(SHARED_CONVERSATIONS)]
    for sid in shared:
        for number in range(SHARED_MESSAGES):
            do(_message(number, sid, service_sid))
    connection.close()
    bindings = [
        _push_binding(server, request_log, service_sid, number) for number in range(push_bindings)
    ]
    return KnownObjects(
        service_sid,
        tuple(role["sid"] for role in roles if role["type"] == "conversation"),
        tuple(role["sid"] for role in roles if role["type"] == "service"),
        tuple(shared),
        tuple(bindings),
    )


def _push_binding(server: Server, request_log: RequestLog, service_sid: str, number: int) -> str:
    """Insert a push binding into the database; log the server's representation of it."""
    sid = seed_push_binding(server, server.account_sid, service_sid, f"owner {number}")
    step = Step(
        "seed_push_binding",
        "push_binding",
        "create",
        "",
        parents=(service_sid,),
        changes={"endpoint": f"owner {number}-endpoint"},
        statuses=(200,),
    )
    asked = request_log.record_request(SETUP, step)
    api = Api(server.base_url, server.account_sid, server.auth_token)
    shown = api.get(f"/v1/Services/{service_sid}/Bindings/{sid}")
    api.close()
    request_log.record_response(asked, shown.status, shown.json)
    return sid


def _conversation(number: int, service_sid: str) -> Step:
    name = f"shared {number}"
    return Step(
        "create_conversation",
        "conversation",
        "create",
        "/v1/Conversations",
        (("FriendlyName", name),),
        parents=(service_sid,),
        changes={"friendly_name": name, "state": "active"},
        statuses=(201,),
    )


def _message(number: int, sid: str, service_sid: str) -> Step:
    body = f"message {number} of {sid}"
    return Step(
        "create_message",
        "message",
        "create",
        f"/v1/Conversations/{sid}/Messages",
        (("Body", body),),
        parents=(sid, service_sid),
        changes={"body": body, "index": number, "author": "system"},
        statuses=(201,),
    )
