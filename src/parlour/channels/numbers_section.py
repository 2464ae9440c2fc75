"""The section ``[[numbers]]`` of the carriers file: the addresses that this server owns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from parlour.protocol.addresses import parse_proxy_address
from parlour.protocol.egress_policy import EgressRefused
from parlour.protocol.signatures import prepare_url
from parlour.resources.carrier_numbers.store import (
    AutoCreationSettings,
    CarrierNumber,
    OptOutSettings,
    SeveralMedia,
)
from parlour.vocabulary import limits, sids
from parlour.vocabulary.redaction import Redacted

if TYPE_CHECKING:
    from parlour.channels.file_faults import FileFaults
    from parlour.channels.toml_lines import KeyPath

_DEFAULTS = OptOutSettings()


class _OptOutTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The words and answers of a number; missing ones are the defaults."""

    handled: bool = True
    stop_words: tuple[str, ...] = _DEFAULTS.stop_words
    start_words: tuple[str, ...] = _DEFAULTS.start_words
    help_words: tuple[str, ...] = _DEFAULTS.help_words
    stop_text: str = _DEFAULTS.stop_text
    start_text: str = _DEFAULTS.start_text
    help_text: str = _DEFAULTS.help_text


class _AutoCreationTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The conversations that messages of unknown senders create; their service."""

    service: str | None = None


class _NumberTable(Redacted, msgspec.Struct, frozen=True):
    """One table of ``[[numbers]]``: one address, or several with equal settings."""

    account: str
    address: str | None = None
    addresses: tuple[str, ...] | None = None
    messaging_service: str | None = None
    incoming_url: str | None = None
    incoming_method: Literal["GET", "POST"] = "POST"
    also_plain_webhook: bool = False
    opt_out: _OptOutTable = _OptOutTable()
    auto_creation: bool | _AutoCreationTable = False
    several_media: SeveralMedia = "first"
    loopback: bool = False


def read_numbers(tables: Any, faults: FileFaults) -> tuple[CarrierNumber, ...]:
    """Return the numbers of the file; errors are recorded."""
    if not isinstance(tables, list):
        faults.add(("numbers",), "numbers are an array of tables: write [[numbers]]")
        return ()
    found: dict[str, CarrierNumber] = {}
    first: dict[str, KeyPath] = {}
    for index, table in enumerate(tables):
        place: KeyPath = ("numbers", index)
        read = faults.convert(table, _NumberTable, place)
        if read is None:
            continue
        shared = _read_settings(read, place, faults)
        for inner, address in _addresses_of(read, place, faults):
            if address in found:
                line = faults.line_of(first[address])
                faults.add(inner, f"{address} is listed twice; the first is in line {line}")
            elif parse_proxy_address(address) is None:
                faults.add(inner, f"{address!r} is no address, such as +15550100001")
            first.setdefault(address, inner)
            found[address] = msgspec.structs.replace(shared, address=address)
    if len(found) > limits.CARRIER_NUMBERS_MAX:
        most = limits.CARRIER_NUMBERS_MAX
        faults.add(("numbers",), f"there are {len(found)} numbers, more than {most}")
    return tuple(found.values())


def _addresses_of(
    table: _NumberTable, place: KeyPath, faults: FileFaults
) -> list[tuple[KeyPath, str]]:
    """Return the addresses of a table, each with its place."""
    if (table.address is None) == (table.addresses is None):
        faults.add(place, "a number has exactly one of address and addresses")
        return []
    if table.address is not None:
        return [((*place, "address"), table.address)]
    return [((*place, "addresses", at), each) for at, each in enumerate(table.addresses or ())]


def _read_settings(table: _NumberTable, place: KeyPath, faults: FileFaults) -> CarrierNumber:
    """Return the settings of a table, without an address."""
    for key, prefix, sid in (
        ("account", sids.ACCOUNT, table.account),
        ("messaging_service", sids.MESSAGING_SERVICE, table.messaging_service),
    ):
        if sid is not None and not sids.is_sid(prefix, sid):
            faults.add((*place, key), f"{key}: must be {prefix} and 32 hexadecimal digits")
    if table.incoming_url is not None:
        _check_url(table.incoming_url, (*place, "incoming_url"), faults)
    elif table.also_plain_webhook:
        faults.add((*place, "also_plain_webhook"), "also_plain_webhook needs incoming_url")
    return CarrierNumber(
        address="",
        account_sid=table.account,
        messaging_service_sid=table.messaging_service,
        incoming_url=table.incoming_url,
        incoming_method=table.incoming_method,
        also_plain_webhook=table.also_plain_webhook,
        opt_out=_read_opt_out(table.opt_out, (*place, "opt_out"), faults),
        auto_creation=_read_auto_creation(table.auto_creation, (*place, "auto_creation"), faults),
        several_media=table.several_media,
        loopback=table.loopback,
    )


def _check_url(url: str, place: KeyPath, faults: FileFaults) -> None:
    try:
        prepare_url(url)
    except EgressRefused as error:
        faults.add(place, f"incoming_url: {error.reason.rstrip('.')}")
    if len(url) > limits.URL_CHARS_MAX:
        faults.add(place, f"incoming_url: longer than {limits.URL_CHARS_MAX} characters")


def _read_auto_creation(
    given: bool | _AutoCreationTable,
    place: KeyPath,
    faults: FileFaults,
) -> AutoCreationSettings | None:
    if isinstance(given, bool):
        return AutoCreationSettings() if given else None
    if given.service is not None and not sids.is_sid(sids.SERVICE, given.service):
        faults.add((*place, "service"), "service: must be IS and 32 hexadecimal digits")
    return AutoCreationSettings(given.service)


def _read_opt_out(table: _OptOutTable, place: KeyPath, faults: FileFaults) -> OptOutSettings:
    lists = {
        key: tuple(word.upper() for word in getattr(table, key))
        for key in ("stop_words", "start_words", "help_words")
    }
    seen: set[str] = set()
    for key, words in lists.items():
        if len(words) > limits.OPT_OUT_WORDS_MAX:
            faults.add((*place, key), f"{key}: more than {limits.OPT_OUT_WORDS_MAX} words")
        for word in words:
            if not 0 < len(word) <= limits.OPT_OUT_WORD_CHARS_MAX or word.split() != [word]:
                most = limits.OPT_OUT_WORD_CHARS_MAX
                faults.add(
                    (*place, key), f"{key}: {word!r} is not one word of 1 to {most} characters"
                )
            elif word in seen:
                faults.add((*place, key), f"{key}: {word} is listed twice")
            seen.add(word)
    texts = {key: getattr(table, key) for key in ("stop_text", "start_text", "help_text")}
    for key, text in texts.items():
        if len(text) > limits.OPT_OUT_TEXT_CHARS_MAX:
            most = limits.OPT_OUT_TEXT_CHARS_MAX
            faults.add((*place, key), f"{key}: longer than {most} characters")
    words_and_texts: dict[str, Any] = {**lists, **texts}
    return OptOutSettings(is_handled=table.handled, **words_and_texts)
