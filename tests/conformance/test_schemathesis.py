"""Schemathesis tests the server against its own description, with valid and invalid requests."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

from tests.conformance.database_checker import inconsistencies
from tests.conformance.openapi_overlay import with_overlay
from tests.conformance.sample_resources import SampleResources
from tests.conformance.test_bad_input import CASES_PER_OPERATION as INPUTS
from tests.conformance.test_bad_input import deletions_last
from tests.contract.operations import BY_ID, OPERATIONS
from tests.support.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

CASES_PER_OPERATION = {
    GenerationMode.POSITIVE: max(3, INPUTS // 3),
    GenerationMode.NEGATIVE: max(2, INPUTS // 4),
}
SHOWN_MAX = 10
CHECKED = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)

QUIET = settings(
    phases=[Phase.generate],
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def operations_of(sample: SampleResources) -> Iterator[Any]:
    """Yield the operations as Schemathesis has them, deletions last."""
    schema = schemathesis.openapi.from_dict(with_overlay(sample))
    known = {
        each.ok().definition.raw["operationId"]: each.ok() for each in schema.get_all_operations()
    }
    assert set(known) == set(BY_ID)
    for operation in deletions_last(OPERATIONS):
        yield known[operation.operation_id]


@pytest.mark.parametrize("mode", CASES_PER_OPERATION, ids=lambda mode: mode.value)
@pytest.mark.timeout(600)
def test_every_response_conforms_to_the_description(mode: GenerationMode) -> None:
    load_all_checks()
    checks = CHECKS.get_by_names(CHECKED)
    statuses: Counter[int] = Counter()
    found: list[str] = []
    with Server() as server, requests.Session() as session:
        sample = SampleResources(server)
        session.auth = (sample.api.sid or "", sample.api.token or "")
        session.trust_env = False
        for operation in operations_of(sample):

            @seed(f"{operation.label} {mode}")
            @settings(QUIET, max_examples=CASES_PER_OPERATION[mode])
            @given(operation.as_strategy(generation_mode=mode))
            def send_request(case: Any) -> None:
                response = case.call(base_url=server.base_url, session=session)
                statuses[response.status_code] += 1
                try:
                    case.validate_response(response, checks=checks)
                except Exception as failures:
                    found.append(str(failures))

            send_request()
        sample.api.close()
        assert server.stop() == 0
        half_written = inconsistencies(server.data_dir)

    print(f"{mode}: {dict(statuses)}")
    assert found == [], "\n\n".join(found[:SHOWN_MAX])
    assert half_written == []
    assert statuses.total() >= len(OPERATIONS) * CASES_PER_OPERATION[mode]
    if mode is GenerationMode.POSITIVE:
        assert (
            sum(count for status, count in statuses.items() if status < 300)
            > 6 * CASES_PER_OPERATION[mode]
        )
