"""The OpenAPI description of the server is complete and valid."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis

from parlour.cli.openapi import description, of_functions
from parlour.testmode.table import declared_operations
from tests.contract.operations import OPERATIONS
from tests.support.client import FORM_TYPE

if TYPE_CHECKING:
    from tests.support.server import Server


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    return description()


def by_id(described: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        operation["operationId"]: operation | {"method": method.upper(), "path": path}
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    }


def form_of(described: dict[str, Any], operation_id: str) -> dict[str, Any]:
    body = by_id(described)[operation_id]["requestBody"]
    schema: dict[str, Any] = body["content"][FORM_TYPE]["schema"]
    return schema


def test_description_has_the_103_operations_with_their_statuses(described: dict[str, Any]) -> None:
    found = {
        operation_id: (each["method"], each["path"], _successes(each))
        for operation_id, each in by_id(described).items()
    }
    assert found == {
        each.operation_id: (each.method, each.path, set(each.statuses)) for each in OPERATIONS
    }


def _successes(operation: dict[str, Any]) -> set[int]:
    return {int(status) for status in operation["responses"] if status.startswith("2")}


def test_description_is_valid(described: dict[str, Any]) -> None:
    schemathesis.openapi.from_dict(described).validate()


def test_each_operation_has_a_summary_and_error_responses(described: dict[str, Any]) -> None:
    for each in by_id(described).values():
        assert each["summary"].endswith("."), each["operationId"]
        refusal = each["responses"]["4XX"]["content"]["application/json"]["schema"]
        assert refusal == {"$ref": "#/components/schemas/Error"}


def test_every_variable_of_a_path_is_described(described: dict[str, Any]) -> None:
    for each in by_id(described).values():
        named = [known["name"] for known in each["parameters"] if known["in"] == "path"]
        assert [f"{{{name}}}" in each["path"] for name in named] == [True] * len(named)
        assert each["path"].count("{") == len(named)


def test_parameters_have_types_and_required_flags(described: dict[str, Any]) -> None:
    role = form_of(described, "CreateRole")
    assert sorted(role["required"]) == ["FriendlyName", "Permission", "Type"]
    assert role["properties"]["Permission"]["type"] == "array"
    assert role["properties"]["Type"]["enum"] == ["conversation", "service"]
    participant = form_of(described, "UpdateServiceConversationParticipant")["properties"]
    assert participant["DateCreated"] == {"type": "string", "format": "date-time"}
    index, cleared = participant["LastReadMessageIndex"]["anyOf"]
    assert (index["type"], index["minimum"], cleared) == ("integer", 0, {"enum": ["", "null"]})
    notifications = form_of(described, "UpdateServiceNotification")["properties"]
    assert notifications["LogEnabled"] == {"type": "boolean"}


def test_lists_are_paged_and_mutations_have_the_webhook_header(described: dict[str, Any]) -> None:
    for operation_id, each in by_id(described).items():
        names = {known["name"] for known in each["parameters"]}
        assert ({"PageSize", "Page", "PageToken"} <= names) == operation_id.startswith("List")
    fires = {
        operation_id
        for operation_id, each in by_id(described).items()
        if "X-Twilio-Webhook-Enabled" in {known["name"] for known in each["parameters"]}
    }
    # Create, update, delete of four resources, and one that is only created; in both forms.
    assert len(fires) == (4 * 3 + 1) * 2


def test_command_prints_the_description(server: Server, described: dict[str, Any]) -> None:
    assert json.loads(server.command("openapi", on_data=False)) == described
    functions = json.loads(server.command("openapi", "--functions", on_data=False))
    assert functions == of_functions()


def test_functions_of_the_server_and_of_test_mode_are_described() -> None:
    functions = of_functions()
    schemathesis.openapi.from_dict(functions).validate()

    found = by_id(functions)
    assert {each.operation_id for each in declared_operations()} <= found.keys()
    assert {"FetchServer", "ListRequest", "ListWebhookAttempt"} <= found.keys()
    assert all(each["summary"].endswith(".") for each in found.values())
    assert _successes(found["CreateClockAdvance"]) == {200, 202}
    advance = form_of(functions, "CreateClockAdvance")["properties"]
    assert set(advance) == {"By", "To", "Timeout", "Wait", "ClientGraceMs"}
    assert list(found["CreateSeed"]["requestBody"]["content"]) == [
        "application/json",
        "application/yaml",
    ]
    assert [each["name"] for each in found["FetchSeed"]["parameters"]] == ["Sids"]
    assert {"Wait", "MinCount"} < {each["name"] for each in found["ListEvent"]["parameters"]}
