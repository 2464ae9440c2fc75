"""No ``repr`` of the options and settings of carriers shows a secret."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

import parlour.channels
from parlour.config import Settings
from parlour.protocol.signatures import prepare_url
from parlour.resources.carrier_numbers.store import CarrierNumber
from parlour.vocabulary.redaction import Redacted, is_secret_name, redacted_url

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "a secret of a test"
URL = f"https://user:{SECRET.replace(' ', '-')}@example.com/path?key={SECRET.replace(' ', '-')}"


def classes() -> Iterator[type[Any]]:
    """Every class of the package of carriers."""
    package = parlour.channels
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        for each in vars(importlib.import_module(module.name)).values():
            if inspect.isclass(each) and each.__module__ == module.name:
                yield each


def shown_fields(record: type[Any]) -> list[str]:
    """The names of the fields that the generated ``repr`` of a class shows; none if it has none."""
    if issubclass(record, msgspec.Struct):
        return list(record.__struct_fields__)
    if dataclasses.is_dataclass(record):
        return [each.name for each in dataclasses.fields(record) if each.repr]
    return list(getattr(record, "_fields", ()))


def with_secrets() -> list[type[Any]]:
    return [each for each in classes() if any(map(is_secret_name, shown_fields(each)))]


def instance_of(record: type[Any]) -> Any:
    """An instance whose secrets are set; ``repr`` needs no valid values of the others."""
    made = object.__new__(record)
    for name in shown_fields(record):
        msgspec.structs.force_setattr(made, name, SECRET if is_secret_name(name) else "x")
    return made


def test_the_options_of_each_carrier_with_secrets_are_found() -> None:
    found = {each.__name__ for each in with_secrets()}
    assert found >= {
        "CallbackKey",
        "EmailOptions",
        "HttpProviderOptions",
        "KannelOptions",
        "Relay",
        "SmppOptions",
        "WhatsappOptions",
    }


@pytest.mark.parametrize("record", with_secrets(), ids=lambda record: record.__name__)
def test_no_class_of_carriers_shows_a_secret(record: type[Any]) -> None:
    assert issubclass(record, Redacted), f"{record} has a secret: derive it from Redacted"
    text = repr(instance_of(record))
    assert SECRET not in text
    assert "'***'" in text
    assert all(f"{name}=" in text for name in shown_fields(record))


def test_a_class_that_is_not_redacted_is_found() -> None:
    class Forgotten(msgspec.Struct):
        signing_secret: str

    assert any(map(is_secret_name, shown_fields(Forgotten)))
    assert not issubclass(Forgotten, Redacted)


@pytest.mark.parametrize(
    "record",
    [
        each
        for each in classes()
        if any(name.endswith("incoming_url") for name in shown_fields(each))
    ],
)
def test_a_url_of_the_table_of_numbers_is_shown_without_its_secrets(record: type[Any]) -> None:
    made = object.__new__(record)
    for name in shown_fields(record):
        msgspec.structs.force_setattr(made, name, URL)
    assert "incoming_url='https://***@example.com/path?***'" in repr(made)


def test_the_number_the_settings_and_a_prepared_url_show_no_credentials() -> None:
    number = CarrierNumber("+15017122661", "AC", incoming_url=URL)
    assert redacted_url(URL) in repr(number)
    password = URL.split(":")[2].partition("@")[0]
    settings = Settings(
        database=URL, redis=URL, auth_token=SECRET, api_key_secret=SECRET, account_sid="AC"
    )
    for each in (number, settings, prepare_url(URL.partition("?")[0])):
        assert password not in repr(each)
        assert SECRET not in repr(each)


def test_an_empty_secret_is_shown_as_empty() -> None:
    class Options(Redacted, msgspec.Struct):
        password: str = ""

    assert repr(Options()).endswith("Options(password='')")
