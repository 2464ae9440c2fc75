"""Virtual phones: created, listed, changed and deleted over REST."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tests.resources.settings_setup import changes, new_account_api, refuses

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.client import Api
    from tests.support.server import Server

PATH = "/VirtualPhones"
NUMBER = "+15558675310"
WHATSAPP = f"whatsapp:{NUMBER}"


@pytest.fixture
def own(server: Server) -> Iterator[Api]:
    """An account with its phones, below Parlour's own version."""
    api = new_account_api(server)
    yield api.under("/parlour/v1")
    api.close()


def add(own: Api, address: str = NUMBER, **form: str) -> dict[str, Any]:
    made: dict[str, Any] = own.post(PATH, {"Address": address, **form}).expect(201)
    return made


def test_a_new_phone_has_every_member_in_order_and_the_defaults(own: Api) -> None:
    made = add(own, Name="Ada's phone")
    url = f"{own.base_url}/parlour/v1/VirtualPhones/%2B15558675310"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", made["date_created"])
    assert list(made.items()) == [
        ("address", NUMBER),
        ("channel", "sms"),
        ("name", "Ada's phone"),
        ("behaviour", "deliver"),
        ("delay_ms", 0),
        ("error_code", 30005),
        ("receipts", "normal"),
        ("reads", False),
        ("date_created", made["date_created"]),
        ("date_updated", made["date_created"]),
        ("url", url),
        ("links", {"messages": f"{url}/Messages"}),
    ]
    assert own.get(made["url"]).expect(200) == made
    assert own.get(made["links"]["messages"]).expect(200)["messages"] == []


@pytest.mark.parametrize("address", [NUMBER, WHATSAPP, "rcs:agent_1", "ada@example.com"])
def test_a_path_takes_an_address_raw_or_percent_encoded(own: Api, address: str) -> None:
    phone = add(own, address)
    for written in (address, quote(address, safe="")):
        assert own.get(f"{PATH}/{written}").expect(200) == phone
        phone = own.post(f"{PATH}/{written}", DelayMs=0).expect(200)
        assert phone["address"] == address


def test_the_default_error_code_of_whatsapp_is_its_own(own: Api) -> None:
    assert add(own, WHATSAPP)["error_code"] == 63024


@pytest.mark.parametrize(
    ("form", "status", "code"),
    [
        ({}, 400, 20001),
        ({"Address": ""}, 400, 20001),
        ({"Address": "5550100"}, 400, 50407),
        ({"Address": "whatsapp:5550100"}, 400, 50407),
        ({"Address": NUMBER, "Name": "n" * 65}, 400, 20001),
        ({"Address": "+1" + "5" * 300}, 400, 50407),
    ],
)
def test_a_creation_with_an_invalid_value_is_refused(
    own: Api, form: dict[str, str], status: int, code: int
) -> None:
    own.post(PATH, form).refuses(status, code)
    assert own.get(PATH).expect(200)["virtual_phones"] == []


def test_a_second_phone_with_the_same_address_is_refused(own: Api) -> None:
    add(own)
    own.post(PATH, Address=NUMBER).refuses(409, 20409)


def test_two_accounts_with_the_same_address_have_two_phones(own: Api, server: Server) -> None:
    other = new_account_api(server).under("/parlour/v1")
    add(own, Name="mine")
    other.get(f"{PATH}/{NUMBER}").refuses(404, 20404)
    add(other, Name="theirs")
    other.delete(f"{PATH}/{NUMBER}").expect(204)
    assert own.get(f"{PATH}/{NUMBER}").expect(200)["name"] == "mine"
    other.close()


def test_phones_are_listed_by_last_activity_in_pages_and_by_channel(own: Api) -> None:
    for address in (NUMBER, WHATSAPP, "+15558675311"):
        add(own, address)
    own.post(f"{PATH}/{NUMBER}", Reads="true").expect(200)

    def addresses(page: dict[str, Any]) -> list[str]:
        return [each["address"] for each in page["virtual_phones"]]

    order = [NUMBER, "+15558675311", WHATSAPP]
    assert addresses(own.get(PATH).expect(200)) == order
    first = own.get(PATH, PageSize=2).expect(200)
    assert addresses(first) == order[:2]
    second = own.get(first["meta"]["next_page_url"]).expect(200)
    assert addresses(second) == order[2:]
    assert addresses(own.get(second["meta"]["previous_page_url"]).expect(200)) == order[:2]
    assert addresses(own.get(PATH, Channel="whatsapp").expect(200)) == [WHATSAPP]
    own.get(PATH, Channel="pigeon").refuses(400, 20001)


@pytest.mark.parametrize(
    ("name", "value", "member", "shown"),
    [
        ("Behaviour", "undeliverable", "behaviour", "undeliverable"),
        ("Behaviour", "REJECT", "behaviour", "reject"),
        ("Behaviour", "silent", "behaviour", "silent"),
        ("Behaviour", "off", "behaviour", "off"),
        ("ErrorCode", "30003", "error_code", 30003),
        ("ErrorCode", "63016", "error_code", 63016),
        ("DelayMs", "60000", "delay_ms", 60000),
        ("Receipts", "duplicate", "receipts", "duplicate"),
        ("Receipts", "early", "receipts", "early"),
        ("Receipts", "reversed", "receipts", "reversed"),
        ("Reads", "true", "reads", True),
        ("Name", "Desk", "name", "Desk"),
    ],
)
def test_an_update_changes_one_member(
    own: Api, name: str, value: str, member: str, shown: str | int
) -> None:
    changes(own, add(own)["url"], {name: value}, **{member: shown})


def test_an_empty_error_code_resets_it_to_the_default(own: Api) -> None:
    url = add(own)["url"]
    own.post(url, ErrorCode="30003").expect(200)
    assert own.post(url, ErrorCode="").expect(200)["error_code"] == 30005


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Behaviour", "explode"),
        ("ErrorCode", "20404"),
        ("ErrorCode", "many"),
        ("DelayMs", "60001"),
        ("DelayMs", "-1"),
        ("Receipts", "late"),
        ("Reads", "perhaps"),
        ("Name", "n" * 65),
    ],
)
def test_an_update_with_an_invalid_value_is_refused(
    server: Server, own: Api, name: str, value: str
) -> None:
    refuses(server, own, add(own)["url"], {name: value}, 20001)


def test_a_deleted_phone_is_gone(own: Api) -> None:
    url = add(own)["url"]
    own.delete(url).expect(204)
    own.get(url).refuses(404, 20404)
    own.post(url, Name="x").refuses(404, 20404)
    own.delete(url).refuses(404, 20404)
    own.get(f"{url}/Messages").refuses(404, 20404)
    add(own)
