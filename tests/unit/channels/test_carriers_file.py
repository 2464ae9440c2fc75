"""The carriers file: what it gives, and the line of each error."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import pytest

from parlour.channels import registry
from parlour.channels.carriers_file import ConfiguredCarrier, read_carriers_file, without_file
from parlour.channels.file_faults import CarriersFileError
from parlour.resources.carrier_numbers.store import (
    AutoCreationSettings,
    CarrierNumber,
    CarrierRoute,
    OptOutSettings,
)
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.channels.carriers_file import CarrierSettings

PLACE = "tests.unit.channels.fake_types"
CONTEXT: Any = "context"
AC, MG, IS = ("AC" + "1" * 32, "MG" + "2" * 32, "IS" + "3" * 32)


@pytest.fixture(autouse=True)
def types(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three types: fake, virtual, and some that cannot be used."""
    places = {
        "fake": f"{PLACE}:CARRIER_TYPE",
        "virtual": f"{PLACE}:VIRTUAL_TYPE",
        "smpp": "tests.unit.channels.no_such_module:CARRIER_TYPE",
        "hollow": f"{PLACE}:NO_OPTIONS",
    }
    sources = {name: registry.TypeSource(place, "tests") for name, place in places.items()}
    monkeypatch.setattr(registry, "type_sources", lambda: sources)
    monkeypatch.setattr(registry, "_BUILT_IN", {})


class CarriersFile:
    """A carriers file in a folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "carriers.toml"

    def read(self, text: str, **environment: str) -> CarrierSettings:
        self.path.write_text(textwrap.dedent(text))
        return read_carriers_file(self.path, environment)

    def faults(self, text: str, **environment: str) -> list[str]:
        """Return the errors, without the name of the file: "LINE: text"."""
        with pytest.raises(CarriersFileError) as error:
            self.read(text, **environment)
        start = f"{self.path}:"
        assert all(each.startswith(start) for each in error.value.faults)
        return [each.removeprefix(start).removesuffix(".") for each in error.value.faults]


@pytest.fixture
def file(tmp_path: Path) -> CarriersFile:
    return CarriersFile(tmp_path)


def options_of(carrier: ConfiguredCarrier) -> Any:
    return carrier.options


WHOLE = f"""
[carriers.sim]
type = "fake"
host = "smsc.example.com"
uses-tls = true
password = {{ env = "SIM_PASSWORD" }}
links = [{{ name = {{ file = "secret" }} }}, {{ env = "SIM", file = "x" }}]

[[routes]]
sender = "+15550100001"
carrier = "sim"
[[routes]]
prefix = "whatsapp:"
carrier = "sim"
[[routes]]
channel = "*"
carrier = "virtual"

[[numbers]]
address = "+15550100001"
account = "{AC}"
messaging_service = "{MG}"
incoming_url = "http://10.0.0.1/in?x=1"
incoming_method = "GET"
also_plain_webhook = true
opt_out = {{ handled = false, stop_words = ["basta"], stop_text = "" }}
auto_creation = {{ service = "{IS}" }}
[[numbers]]
addresses = ["12345", "whatsapp:+15550100001"]
account = "{AC}"
auto_creation = true
"""


def test_a_whole_file_gives_carriers_routes_and_numbers(file: CarriersFile) -> None:
    (file.path.parent / "secret").write_text("from a file\n")
    found = file.read(
        WHOLE,
        SIM_PASSWORD="from a variable",
    )
    assert list(found.carriers) == ["sim", "virtual"]
    options = options_of(found.carriers["sim"])
    assert (options.host, options.port, options.uses_tls) == ("smsc.example.com", 2775, True)
    assert options.password == "from a variable"
    assert options.links == [{"name": "from a file"}, {"env": "SIM", "file": "x"}]
    assert found.routes == (
        CarrierRoute("sender", "+15550100001", "sim"),
        CarrierRoute("prefix", "whatsapp:", "sim"),
        CarrierRoute("channel", "*", "virtual"),
    )
    first, second, third = found.numbers
    assert first == CarrierNumber(
        "+15550100001",
        AC,
        MG,
        "http://10.0.0.1/in?x=1",
        "GET",
        also_plain_webhook=True,
        opt_out=OptOutSettings(is_handled=False, stop_words=("BASTA",), stop_text=""),
        auto_creation=AutoCreationSettings(IS),
    )
    assert second == CarrierNumber("12345", AC, auto_creation=AutoCreationSettings(None))
    assert third.address == "whatsapp:+15550100001"
    assert found.carriers["sim"].make(CONTEXT) == ("sim", options, CONTEXT)


def test_without_a_file_the_only_carrier_is_virtual() -> None:
    found = without_file()
    assert list(found.carriers) == ["virtual"]
    assert (found.routes, found.numbers, found.checksum) == ((), (), "")


def test_the_checksum_changes_with_routes_and_numbers_only(file: CarriersFile) -> None:
    one = file.read("[carriers.sim]\ntype = 'fake'\nhost = 'a'\n").checksum
    other = file.read("[carriers.sim]\ntype = 'fake'\nhost = 'b'\n").checksum
    routed = file.read("[[routes]]\nchannel = 'sms'\ncarrier = 'virtual'\n").checksum
    assert one == other != routed


SIM = '[carriers.sim]\ntype = "fake"\nhost = "a"\n'
CASES = {
    "syntax": ("a = 1\nb = \n", "2: not valid TOML: Invalid value; a text is in quotes"),
    "one bracket in place of two": (
        '[routes]\nprefix = "+1"\n[[routes]]\nchannel = "*"\n',
        (
            "3: not valid TOML: Cannot overwrite a value; it is there twice, or [[routes]] or "
            "[[numbers]] is written with single brackets"
        ),
    ),
    "a reference with a typo": (
        SIM + 'password = { environment = "SIM_PASSWORD" }\n',
        (
            "4: password: expected text, got a table; a reference is "
            '{ env = "NAME" } or { file = "PATH" }'
        ),
    ),
    "a section with a typo": (
        "\n[[route]]\n",
        "2: unknown section 'route'; allowed are [carriers.NAME], [[routes]] and [[numbers]]",
    ),
    "no type": (
        '[carriers.sim]\nhost = "a"\n',
        "1: carriers.sim: type is required, one of fake, virtual, smpp, hollow",
    ),
    "an unknown type": (
        '[carriers.sim]\nhost = "a"\ntype = "smp"\n',
        "3: unknown type 'smp'; the types are fake, virtual, smpp, hollow",
    ),
    "a missing extra": (
        '[carriers.sim]\n\ntype = "smpp"\n',
        "3: the type 'smpp' needs tests.unit.channels.no_such_module: pip install 'parlour[smpp]'",
    ),
    "a type without options": (
        '[carriers.sim]\ntype = "hollow"\n',
        (
            f"2: the type 'hollow' of tests ({PLACE}:NO_OPTIONS) has no options: a subclass of "
            "msgspec.Struct"
        ),
    ),
    "an unknown option": (
        SIM + 'hosts = "b"\n',
        "4: unknown key 'hosts'; allowed are host, port, password, uses-tls, links, limits",
    ),
    "a missing option": ('\n[carriers.sim]\ntype = "fake"\n', "2: carriers.sim: host is required"),
    "an option of another kind": (
        SIM + "\n# A comment.\nport = '2775'\n",
        "6: port: expected a whole number, got text",
    ),
    "a number instead of a switch": (
        SIM + "uses-tls = 1\n",
        "4: uses-tls: expected true or false, got a whole number",
    ),
    "a value inside an array": (
        SIM + 'links = [\n  { a = "b" },\n  5,\n]\n',
        "6: links[2]: expected a table, got a whole number",
    ),
    "a value inside a table": (
        SIM + "[carriers.sim.limits]\nday = 1\nhour = 'x'\n",
        "4: limits: expected a whole number, got text",
    ),
    "a variable that is not set": (
        SIM + 'password = { env = "SIM_PASSWORD" }\n',
        "4: password: the environment variable SIM_PASSWORD is not set",
    ),
    "a bad name": (
        '[carriers."Sim 1"]\ntype = "fake"\nhost = "a"\n',
        "1: the name 'Sim 1' is not 1 to 63 of a-z, 0-9, - and _",
    ),
    "the name of virtual phones": (
        '[carriers.virtual]\ntype = "fake"\nhost = "a"\n',
        "1: the name virtual belongs to the carrier of virtual phones: choose another",
    ),
    "a carrier that is no table": (
        "carriers = 5\n",
        "1: carriers are tables: write [carriers.NAME]",
    ),
    "routes that are no array": (
        '[routes]\ncarrier = "sim"\n',
        "1: routes are an array of tables: write [[routes]]",
    ),
    "a route to no carrier": (
        SIM + '[[routes]]\nchannel = "sms"\ncarrier = "sin"\n',
        "6: there is no carrier 'sin'; the carriers are sim, virtual",
    ),
    "a route of no sender": (
        SIM + '[[routes]]\ncarrier = "sim"\n',
        "4: a route has exactly one of sender, prefix and channel",
    ),
    "a route of two kinds": (
        SIM + '[[routes]]\ncarrier = "sim"\nprefix = "+1"\nchannel = "sms"\n',
        "4: a route has exactly one of sender, prefix and channel",
    ),
    "a sender that is no address": (
        SIM + '[[routes]]\ncarrier = "sim"\nsender = "1 555"\n',
        "6: sender: '1 555' is no address, such as +15550100001",
    ),
    "an unknown channel": (
        SIM + '[[routes]]\ncarrier = "sim"\nchannel = "mms"\n',
        (
            "6: unknown channel 'mms'; the channels are sms, whatsapp, messenger, rcs, gbm, apple, "
            "email and *"
        ),
    ),
    "an empty prefix": (
        SIM + '[[routes]]\ncarrier = "sim"\nprefix = ""\n',
        "6: prefix: must have 1 to 256 characters",
    ),
    "a channel that is not carried": (
        SIM + '[[routes]]\ncarrier = "sim"\nprefix = "rcs:"\n',
        "4: the carrier sim does not carry rcs, only sms, whatsapp",
    ),
    "a second route": (
        (
            '[[routes]]\ncarrier = "virtual"\nprefix = "+1"\n'
            '[[routes]]\ncarrier = "virtual"\nprefix = "+1"\n'
        ),
        "4: a second route of the prefix +1; the first is in line 1",
    ),
    "a number without an account": (
        '[[numbers]]\naddress = "+15550100001"\n',
        "1: numbers[1]: account is required",
    ),
    "a number without an address": (
        f'[[numbers]]\naccount = "{AC}"\n',
        "1: a number has exactly one of address and addresses",
    ),
    "a wrong address": (
        f'[[numbers]]\naddress = "0555"\n[[numbers]]\naccount = "{AC}"\naddress = "+0"\n',
        "1: numbers[1]: account is required",
        "5: '+0' is no address, such as +15550100001",
    ),
    "a wrong account": (
        '[[numbers]]\naddress = "+15550100001"\naccount = "me"\n',
        "3: account: must be AC and 32 hexadecimal digits",
    ),
    "a number twice": (
        f'[[numbers]]\naccount = "{AC}"\naddresses = [\n "+15550100001",\n "+15550100001"]\n',
        "5: +15550100001 is listed twice; the first is in line 4",
    ),
    "a wrong URL": (
        f'[[numbers]]\naccount = "{AC}"\naddress = "12345"\nincoming_url = "ftp://x"\n',
        "4: incoming_url: The URL is neither http nor https",
    ),
    "a URL without a scheme": (
        f'[[numbers]]\naccount = "{AC}"\naddress = "12345"\nincoming_url = "example.com"\n',
        "4: incoming_url: The URL is not an absolute URL",
    ),
    "a text in place of a switch or a table": (
        f'[[numbers]]\naccount = "{AC}"\naddress = "12345"\nauto_creation = "yes"\n',
        "4: auto_creation: expected true or false or a table, got text",
    ),
    "a number in place of an optional text": (
        f'[[numbers]]\naccount = "{AC}"\naddress = 12345\n',
        "3: address: expected text, got a whole number",
    ),
    "a plain webhook without a URL": (
        f'[[numbers]]\naccount = "{AC}"\naddress = "12345"\nalso_plain_webhook = true\n',
        "4: also_plain_webhook needs incoming_url",
    ),
    "a wrong method": (
        f'[[numbers]]\naccount = "{AC}"\naddress = "12345"\nincoming_method = "PUT"\n',
        "4: incoming_method: invalid enum value 'PUT'; allowed are GET, POST",
    ),
    "a wrong service": (
        f'[[numbers]]\naccount = "{AC}"\naddress = "12345"\nauto_creation = {{ service = "x" }}\n',
        "4: service: must be IS and 32 hexadecimal digits",
    ),
    "two words in one": (
        (
            f'[[numbers]]\naccount = "{AC}"\naddress = "12345"\n'
            '[numbers.opt_out]\nstop_words = ["STOP NOW"]\n'
        ),
        "5: stop_words: 'STOP NOW' is not one word of 1 to 32 characters",
    ),
    "a word in two lists": (
        (
            f'[[numbers]]\naccount = "{AC}"\naddress = "12345"\n'
            '[numbers.opt_out]\nstop_words = ["end"]\nhelp_words = ["END"]\n'
        ),
        "6: help_words: END is listed twice",
    ),
    "an unknown key of opt-outs": (
        f'[[numbers]]\naccount = "{AC}"\naddress = "12345"\n[numbers.opt_out]\nwords = []\n',
        "5: opt_out.words: unknown key",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_an_error_names_the_line_and_the_remedy(file: CarriersFile, name: str) -> None:
    text, *expected = CASES[name]
    found = file.faults(text)
    assert len(found) == len(expected)
    for fault, start in zip(found, expected, strict=True):
        assert fault.startswith(start)
        assert fault == start or start.endswith(": ")


def test_all_errors_are_reported_in_the_order_of_the_file(file: CarriersFile) -> None:
    number = f'[[numbers]]\naccount = "{AC}"\naddress = "x"\n'
    found = file.faults(number + "[carriers.a]\n" + '[[routes]]\ncarrier = "b"\n')
    assert [each.partition(":")[0] for each in found] == ["3", "4", "5"]


def test_many_errors_are_reported_up_to_a_limit(file: CarriersFile) -> None:
    text = f'[[numbers]]\naccount = "{AC}"\naddress = "x"\n' * 30
    with pytest.raises(CarriersFileError) as error:
        file.read(text)
    assert len(error.value.faults) == limits.CARRIERS_FILE_ERRORS_MAX + 1
    assert error.value.faults[-1] == f"{file.path}: 10 further errors."


def test_secrets_are_never_part_of_an_error(file: CarriersFile) -> None:
    (file.path.parent / "secret").write_text("hush")
    found = file.faults(
        SIM + 'port = { file = "secret" }\nlimits = { env = "HUSH" }\n', HUSH="hush"
    )
    assert found
    assert not any("hush" in each for each in found)


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "No such file"), (b"\xff", "codec can't decode")]
)
def test_a_secret_file_that_cannot_be_read_is_an_error(
    file: CarriersFile, content: bytes | None, reason: str
) -> None:
    path = file.path.parent / "secret"
    if content is not None:
        path.write_bytes(content)
    (fault,) = file.faults(SIM + 'password = { file = "secret" }\n')
    assert fault.startswith(f"4: password: the file {path} cannot be read: ")
    assert reason in fault


def test_a_file_that_is_missing_too_large_or_no_text_is_an_error(file: CarriersFile) -> None:
    for content, expected in (
        (None, "carriers.toml: No such file or directory."),
        (b"#" * (limits.CARRIERS_FILE_BYTES_MAX + 1), "carriers.toml: the file is larger than"),
        (b"a = 1\nb = '\xff'\n", "carriers.toml:2: the text is not UTF-8."),
    ):
        if content is not None:
            file.path.write_bytes(content)
        with pytest.raises(CarriersFileError) as error:
            read_carriers_file(file.path, {})
        assert expected in str(error.value)


@pytest.mark.parametrize(
    ("port", "reason"),
    [
        (1, "port 1 needs uses-tls."),
        (2, "the type 'fake' cannot be imported (No module named 'missing_library'): "),
    ],
)
def test_options_that_do_not_fit_together_are_reported_with_the_section(
    file: CarriersFile, port: int, reason: str
) -> None:
    found = file.read("\n" + SIM + f"port = {port}\n")
    with pytest.raises(CarriersFileError) as error:
        found.carriers["sim"].make(None)  # type: ignore[arg-type]
    assert str(error.value).startswith(f"{file.path}:2: carriers.sim: {reason}")


def test_too_many_carriers_routes_and_numbers_are_errors(
    file: CarriersFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CARRIERS_MAX", "CARRIER_ROUTES_MAX", "CARRIER_NUMBERS_MAX"):
        monkeypatch.setattr(limits, name, 1)
    monkeypatch.setattr(limits, "CARRIER_PREFIX_ROUTES_MAX", 0)
    route = '[[routes]]\ncarrier = "virtual"\n'
    assert file.faults(
        SIM
        + '[carriers.other]\ntype = "fake"\nhost = "b"\n'
        + f'{route}prefix = "+1"\n'
        + f'[[numbers]]\naccount = "{AC}"\naddresses = ["12345", "12346"]\n'
    ) == [
        "1: there are more than 1 carriers",
        "7: there are 1 routes by prefix, more than 0",
        "10: there are 2 numbers, more than 1",
    ]
    assert file.faults(f'{route}channel = "sms"\n{route}channel = "rcs"\n') == [
        "1: there are more than 1 routes"
    ]
