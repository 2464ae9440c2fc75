"""The server's OpenAPI description, extended with response schemas and names of samples."""

from __future__ import annotations

import re
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from parlour.cli.openapi import description
from parlour.vocabulary.errors import CATALOGUE, LOG_ONLY
from tests.conformance.response_schemas import LISTINGS, SHAPES, noun_of

if TYPE_CHECKING:
    from tests.conformance.sample_resources import SampleResources

NAMES_MAX = 6
_VARIABLE = re.compile(r"/([A-Za-z]+)/\{(\w+)\}")


def with_overlay(sample: SampleResources) -> dict[str, Any]:
    """Return the description with closed schemas; errors have codes of the catalogue."""
    # Some parts are created once and shared.
    described = deepcopy(description())
    for path, methods in described["paths"].items():
        for operation in methods.values():
            _describe_answers(operation, service_form="/Services/{ChatServiceSid}" in path)
            _name_what_exists(path, operation, sample)
    error = described["components"]["schemas"]["Error"]
    error["properties"]["code"] = {
        "enum": [code for code, entry in CATALOGUE.items() if entry.status != LOG_ONLY]
    }
    return described


def _describe_answers(operation: dict[str, Any], *, service_form: bool) -> None:
    noun = noun_of(operation["operationId"])
    shapes = [shape.schema(service_form=service_form) for shape in SHAPES[noun]]
    shown = {"anyOf": shapes} if len(shapes) > 1 else shapes[0]
    for status, answer in operation["responses"].items():
        if not status.startswith("2") or status == "204":
            continue
        content = answer["content"]["application/json"]
        if operation["operationId"].startswith("List"):
            rows = content["schema"]["properties"][LISTINGS[noun].key]
            rows["items"] = shown
        else:
            content["schema"] = shown


def _name_what_exists(path: str, operation: dict[str, Any], sample: SampleResources) -> None:
    """Most path variables name existing objects, so that more than 404 is tested."""
    kinds = {variable: kind for kind, variable in _VARIABLE.findall(path)}
    for parameter in operation["parameters"]:
        if parameter["in"] == "path":
            known = sample.some(kinds[parameter["name"]])[:NAMES_MAX]
            parameter["schema"] = {"anyOf": [{"enum": known}, parameter["schema"]]}
