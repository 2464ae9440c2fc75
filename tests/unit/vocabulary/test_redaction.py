"""No ``repr`` of a struct or dataclass shows a secret."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

import parlour
from parlour.config import Settings
from parlour.protocol.signatures import prepare_url
from parlour.resources.carrier_numbers.store import CarrierNumber
from parlour.vocabulary.redaction import Redacted, redacted_url

if TYPE_CHECKING:
    from collections.abc import Iterator

# A field with one of these words in its name is hidden, or below with the reason why not.
WORDS = {"token", "tokens", "secret", "secrets", "password", "key", "keys", "credentials", "auth"}
PUBLIC_FIELDS = {
    "sids and names of keys": {
        "api_key_sid",
        "key_fingerprint",
        "key_name",
        "key_sid",
    },
    "whether a parameter is a secret": {"_Field.secret"},
    "whether a setting is a secret, whose value is None": {"ShownSetting.is_secret"},
    "ends of tokens": {"ConnectedClient.token_expires_ms"},
    "paths of files with keys": {"listen_key_file", "tls_key"},
    "keys of rows, of positions in lists, and of maps": {
        "Change.key",
        "Dropped.key",
        "EffectiveConfiguration.key",
        "Item.key",
        "ItemCursor.key",
        "PagePosition.key",
        "Section.keys",
        "WebhookTarget.key",
        "_Stored.key",
        "fold_key",
        "list_key",
        "target_key",
        "VirtualPhone.token",
    },
    "tokens that let receivers recognise a repetition": {
        "PreActionAttempt.token",
        "WebhookDelivery.token",
        "_PreActionCall.token",
        "idempotency_key",
    },
    "flags, names and functions": {
        "SettingDescription.secret",
        "ActionSettings.marks_tokens",
        "access_tokens",
        "auth_token_of",
        "expire_token",
        "holds_key",
        "needs_auth_token",
        "token_clock",
        "token_fields",
    },
    "objects whose repr shows no secret": {"CachedLogins.secrets", "CertificatePair.key"},
}

SECRET = "a secret of a test"
URL = f"https://user:{SECRET.replace(' ', '-')}@example.com/path?key={SECRET.replace(' ', '-')}"


def classes() -> Iterator[type[Any]]:
    """Every class of the package."""
    for module in pkgutil.walk_packages(parlour.__path__, f"{parlour.__name__}."):
        if module.name.endswith("__main__"):
            continue
        for each in vars(importlib.import_module(module.name)).values():
            if inspect.isclass(each) and each.__module__ == module.name:
                yield each


def fields_of(record: type[Any]) -> list[str]:
    """The names of the fields of a struct, dataclass or named tuple."""
    if issubclass(record, msgspec.Struct):
        return list(record.__struct_fields__)
    if dataclasses.is_dataclass(record):
        return [each.name for each in dataclasses.fields(record)]
    return list(getattr(record, "_fields", ())) if issubclass(record, tuple) else []


def is_public(record: type[Any], name: str) -> bool:
    return any(
        not {name, f"{record.__name__}.{name}"}.isdisjoint(each) for each in PUBLIC_FIELDS.values()
    )


def secret_fields(record: type[Any]) -> set[str]:
    """The fields of a class that its ``repr`` has to hide."""
    named = {each for each in fields_of(record) if not WORDS.isdisjoint(each.split("_"))}
    declared: frozenset[str] = getattr(record, "secret_fields", frozenset())
    return {each for each in named if not is_public(record, each)} | declared


def with_secrets() -> list[type[Any]]:
    return [each for each in classes() if secret_fields(each)]


def instance_of(record: type[Any], secrets: dict[str, str]) -> Any:
    """An instance with these fields; ``repr`` needs no valid values of the others."""
    values = {name: secrets.get(name, "x") for name in fields_of(record)}
    if issubclass(record, tuple):
        return tuple.__new__(record, values.values())
    if issubclass(record, msgspec.Struct) and not issubclass(record, Redacted):
        return record(**values)
    made = object.__new__(record)  # Without the checks of ``__post_init__``.
    for name, value in values.items():
        if isinstance(made, msgspec.Struct):
            msgspec.structs.force_setattr(made, name, value)
        else:
            object.__setattr__(made, name, value)
    return made


def test_classes_with_secrets_are_found() -> None:
    found = {each.__name__ for each in with_secrets()}
    assert found >= {
        "CallbackKey",
        "CreateCredential",
        "CredentialSecrets",
        "EmailOptions",
        "HttpProviderOptions",
        "IssuedToken",
        "KannelOptions",
        "LoginSecret",
        "NewKey",
        "PreparedUrl",
        "Relay",
        "Session",
        "Settings",
        "SmppOptions",
        "UpdateCredential",
        "WhatsappOptions",
    }


@pytest.mark.parametrize("record", with_secrets(), ids=lambda record: record.__name__)
def test_no_class_shows_a_secret(record: type[Any]) -> None:
    made = instance_of(record, dict.fromkeys(secret_fields(record), SECRET))
    text = repr(made)
    assert SECRET not in text, f"derive {record} from Redacted, or add the field to PUBLIC_FIELDS"
    if isinstance(made, Redacted):
        assert "'***'" in text
        assert all(f"{name}=" in text for name in fields_of(record))


def test_each_public_field_is_needed() -> None:
    found = set()
    for record in classes():
        for name in fields_of(record):
            if not WORDS.isdisjoint(name.split("_")):
                found |= {name, f"{record.__name__}.{name}"}
    unneeded = {each for names in PUBLIC_FIELDS.values() for each in names if each not in found}
    assert not unneeded


@pytest.mark.parametrize("base", [msgspec.Struct, Redacted, object])
def test_a_class_that_shows_a_secret_is_found(base: type[Any]) -> None:
    class Forgotten(base):  # type: ignore[misc]
        signing_secret: str

    record = Forgotten if base is msgspec.Struct else dataclasses.dataclass(Forgotten)
    assert secret_fields(record) == {"signing_secret"}
    assert SECRET in repr(instance_of(record, {"signing_secret": SECRET}))


@pytest.mark.parametrize(
    "record",
    [each for each in classes() if any(name.endswith("incoming_url") for name in fields_of(each))],
)
def test_a_url_of_the_table_of_numbers_is_shown_without_its_secrets(record: type[Any]) -> None:
    made = instance_of(record, dict.fromkeys(fields_of(record), URL))
    assert "incoming_url='https://***@example.com/path?***'" in repr(made)


def test_the_number_the_settings_and_a_prepared_url_show_no_credentials() -> None:
    number = CarrierNumber("+15017122661", "AC", incoming_url=URL)
    assert redacted_url(URL) in repr(number)
    password = URL.split(":")[2].partition("@")[0]
    settings = Settings(
        database=URL, redis=URL, auth_token=SECRET, api_key_secret=SECRET, account_sid="AC"
    )
    for each in (number, settings, prepare_url(URL)):
        assert password not in repr(each)
        assert SECRET not in repr(each)


def test_an_empty_secret_is_shown_as_empty() -> None:
    class Options(Redacted, msgspec.Struct):
        password: str = ""

    assert repr(Options()).endswith("Options(password='')")
