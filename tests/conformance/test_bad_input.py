"""Thousands of requests, valid and invalid: no 5xx, no malformed response, no partial change."""

from __future__ import annotations

import os
import re
import shlex
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.checkers.atomicity_checker import databases
from tests.conformance.database_checker import RULES, inconsistencies
from tests.conformance.request_builder import WAYS, WELL_FORMED, BuiltRequest, requests
from tests.conformance.response_checker import faults
from tests.conformance.sample_resources import SampleResources
from tests.contract.operations import OPERATIONS, DescribedOperation, operation_of
from tests.support.server import Server

CASES_PER_OPERATION = int(os.environ.get("PARLOUR_INPUTS", "8"))
SHOWN_MAX = 20

QUIET = settings(
    max_examples=CASES_PER_OPERATION,
    phases=[Phase.generate],
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


class BadInputRun:
    """Many requests against the sample resources; their number, and invalid responses."""

    def __init__(self, sample: SampleResources, way: str, number: int) -> None:
        """Send no requests yet; `number` is the first random seed."""
        self.sample = sample
        self.way = way
        self.number = number
        self.cases = 0
        self.succeeded = 0
        self.reached: set[str] = set()
        self.found: list[str] = []

    def send_requests(self, operation: DescribedOperation) -> None:
        """Send the configured number of requests for an operation, and check each."""

        @seed(f"{self.number} {operation.operation_id} {self.way}")
        @QUIET
        @given(requests(operation, self.way, self.sample))
        def send_request(request: BuiltRequest) -> None:
            self._send_request(request)

        send_request()

    def _send_request(self, request: BuiltRequest) -> None:
        answer = self.sample.api.request(
            request.method, request.target, body=request.body, headers=request.headers
        )
        path = request.target.partition("?")[0]
        operation = operation_of(request.method, path)
        base_url = self.sample.server.base_url
        wrong = faults(operation and operation.operation_id, base_url, request.target, answer)
        if answer.status >= 500:
            wrong.append(f"{answer.status}")
        self.found += [
            f"{each}\n  {self._shown(request)}\n  {answer.body[:300]!r}" for each in wrong
        ]
        self.cases += 1
        if answer.status < 300 and operation is not None:
            self.succeeded += 1
            self.reached.add(operation.operation_id)
        self.sample.learn(request.method, path, answer)

    def _shown(self, request: BuiltRequest) -> str:
        """Return the request as a command line."""
        command = ["curl", "-u", "$SID:$TOKEN", "-X", request.method]
        for name, value in request.headers.items():
            command += ["-H", f"{name}: {value}"]
        if request.body is not None:
            command += ["--data-raw", request.body.decode("latin-1")[:2_000]]
        return shlex.join([*command, self.sample.server.base_url + request.target])


def deletions_last(operations: tuple[DescribedOperation, ...]) -> list[DescribedOperation]:
    """Return the operations with deletions last, so that earlier ones have objects."""

    def lateness(operation: DescribedOperation) -> tuple[int, bool]:
        path = operation.path.replace("/Services/{ChatServiceSid}", "")
        # The short form has only objects of the default service.
        is_service_form = path != operation.path
        if operation.method != "DELETE":
            return 0, False
        if operation.operation_id == "DeleteService":
            return 9, False
        # Deletion through the user also deletes the participant.
        is_of_user = "UserConversation" in operation.operation_id
        return 1 if is_of_user else 8 - path.count("/"), is_service_form

    return sorted(operations, key=lateness)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.replace(" ", "-").replace(",", ""))
@pytest.mark.timeout(600)
def test_any_input_of_every_operation_gives_a_valid_response(way: str) -> None:
    number = int(os.environ.get("PARLOUR_SEED", "1"))
    with Server() as server:
        run = BadInputRun(SampleResources(server), way, number)
        for operation in deletions_last(OPERATIONS):
            run.send_requests(operation)
        run.sample.api.close()
        assert server.stop() == 0
        half_written = inconsistencies(server.data_dir)
        log = server.log_path.read_text()

    print(f"{way}: {run.cases} cases, {run.succeeded} succeeded")
    assert run.found == [], "\n".join(run.found[:SHOWN_MAX])
    assert half_written == []
    assert '"event": "unhandled_exception"' not in log
    assert "Traceback" not in log
    assert run.cases >= len(OPERATIONS) * CASES_PER_OPERATION
    if way == WELL_FORMED:
        # Otherwise little but lookups would have been tested.
        assert run.succeeded > run.cases / 2
        assert {each.operation_id for each in OPERATIONS} - run.reached == set()


def test_numbers_of_cases_are_sufficient_here_and_in_the_gate() -> None:
    makefile = Path(__file__).parents[2] / "Makefile"
    in_the_gate = re.search(r"PARLOUR_INPUTS=(\d+)", makefile.read_text())
    assert in_the_gate is not None
    assert len(OPERATIONS) * CASES_PER_OPERATION * len(WAYS) >= 3_000
    assert len(OPERATIONS) * int(in_the_gate[1]) * len(WAYS) >= 10_000


def test_partial_rows_are_reported(tmp_path: Path) -> None:
    """The check can fail: it reports damage that no request can cause."""
    server = Server(tmp_path / "data").start()
    sample = SampleResources(server)
    sample.api.close()
    server.stop()
    assert inconsistencies(server.data_dir) == []
    damage = {
        "a participant whose role is no conversation role of its service": (
            "UPDATE participant SET role_sid = 'RL' WHERE role_sid IS NOT NULL"
        ),
        "a default role that is not there": (
            "UPDATE service_configuration SET default_conversation_role_sid = 'RL'"
        ),
        "a message number that would be given again": (
            "UPDATE conversation SET next_message_index = 0"
        ),
        "a pair held by no open participant, or not held": "UPDATE participant SET holds_pair = 0",
        "a receipt without its message": "DELETE FROM message",
        "an account whose default service is not there": "DELETE FROM service",
    }
    assert set(damage) <= set(RULES)
    (path,) = databases(server.data_dir)
    for rule, statement in damage.items():
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(statement)
        assert any(each.startswith(rule) for each in inconsistencies(server.data_dir)), rule
