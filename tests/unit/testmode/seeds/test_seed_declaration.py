"""The declaration of seeds: complete, and the schema that is made from it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest

from parlour.operations.parameters import NoParameters, field_parsers
from parlour.resources.conversations.parameters import CreateConversation
from parlour.testmode.seeds.checker import check_document
from parlour.testmode.seeds.declaration import ROOT
from parlour.testmode.seeds.schema import seed_schema
from tests.testmode.seeds.documents import example, full

if TYPE_CHECKING:
    from collections.abc import Iterator

    from parlour.testmode.seeds.keys import Section, SeedKey

# Parameters of the API that seeds leave out: templates, uploads, and references by SID.
NOT_IN_SEEDS = {
    "ContentSid",
    "ContentVariables",
    "MediaSid",
    "MessagingBinding.Type",
    "State",
    "DefaultChatServiceSid",
    "RoleSid",
    "DefaultConversationCreatorRoleSid",
    "DefaultConversationRoleSid",
    "DefaultChatServiceRoleSid",
    "AutoCreation.ConversationServiceSid",
}


def sections(section: Section, path: str = "") -> Iterator[tuple[str, Section]]:
    """Yield each section with its path."""
    yield path, section
    for key in section.keys:
        if key.section is not None:
            yield from sections(key.section, f"{path}.{key.name}".lstrip("."))


def used_keys(section: Section, value: Any, path: str = "") -> Iterator[str]:
    """Yield the path of each key that a document has."""
    for each in value if isinstance(value, list) else [value]:
        for name, inner in each.items():
            key = section.by_name[name]
            yield f"{path}.{name}".lstrip(".")
            is_short = key.name == "receipts" and isinstance(inner, dict)
            if key.section is not None and not is_short:
                yield from used_keys(key.section, inner, f"{path}.{name}".lstrip("."))


EVERY_KEY = [
    f"{path}.{key.name}".lstrip(".") for path, section in sections(ROOT) for key in section.keys
]


def every_key() -> list[tuple[str, SeedKey, Section]]:
    """Return all keys with their paths and sections."""
    return [
        (f"{path}.{key.name}", key, section)
        for path, section in sections(ROOT)
        for key in section.keys
    ]


def test_the_full_document_has_every_key() -> None:
    assert set(used_keys(ROOT, full())) == set(EVERY_KEY)


def test_each_wire_name_is_a_parameter_of_the_api() -> None:
    for path, key, section in every_key():
        parameters = key.parameters or section.parameters
        if key.wire_name and parameters is not NoParameters:
            assert key.wire_name in field_parsers(parameters), path


def test_each_parameter_of_the_api_has_a_key() -> None:
    declared: dict[type, set[str]] = {}
    for _, key, section in every_key():
        if key.wire_name:
            declared.setdefault(key.parameters or section.parameters, set()).add(key.wire_name)
    for parameters, names in declared.items():
        missing = set(field_parsers(parameters)) - names - NOT_IN_SEEDS  # type: ignore[arg-type]
        assert not missing - _of_other_operations(parameters), parameters

    assert CreateConversation in declared
    assert dataclasses.is_dataclass(CreateConversation)


def _of_other_operations(parameters: type) -> set[str]:
    """Return parameters of an update that the creation has set already: the name of a phone."""
    return {"Name"} if parameters.__name__ == "UpdateVirtualPhone" else set()


# --- Schema -----------------------------------------------------------------------------


@pytest.mark.parametrize("document", [example(), full()])
def test_the_schema_accepts_seeds(document: dict[str, Any]) -> None:
    validator = jsonschema_rs.validator_for(seed_schema())

    assert [str(error) for error in validator.iter_errors(document)] == []
    check_document(document)


@pytest.mark.parametrize(
    "change",
    [
        {"parlour": 2},
        {"unknown": 1},
        {"users": [{"identity": 1}]},
        {"users": [{"friendly_name": "no identity"}]},
        {"users": [{"identity": "a", "sid": "US1"}]},
        {"conversations": [{"state": "open"}]},
        {"conversations": [{"messages": [{"receipts": {"seen": "all"}}]}]},
        {"clock": "yesterday"},
        {"fires": "yes"},
    ],
)
def test_the_schema_and_the_checks_reject_the_same_mistakes(change: dict[str, Any]) -> None:
    document = {"parlour": 1} | change

    assert not jsonschema_rs.validator_for(seed_schema()).is_valid(document)
    with pytest.raises(Exception, match="20001"):
        check_document(document)
