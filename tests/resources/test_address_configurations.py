"""Address configurations: the effect of a stranger's message to a configured address."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from parlour.vocabulary.event_names import SCOPED_FILTERS
from tests.resources.participant_setup import DATE
from tests.resources.settings_setup import (
    NOWHERE,
    changes,
    logged_events,
    new_account_api,
    new_service_api,
    refuses,
)
from tests.support.phone_numbers import phone_number

if TYPE_CHECKING:
    from tests.support.client import Api
    from tests.support.server import Server

PATH = "/Configuration/Addresses"
HOOK = "https://example.com/new"
FLOW = "FW" + "0" * 31 + "a"
NOTHING = {
    "enabled": False,
    "type": "default",
    "conversation_service_sid": None,
    "webhook_url": None,
    "webhook_method": None,
    "webhook_filters": None,
    "studio_flow_sid": None,
    "studio_retry_count": None,
    "binding_name": None,
}


def make(api: Api, **form: Any) -> dict[str, Any]:
    given = {"Type": "sms", "Address": phone_number(), **form}
    made: dict[str, Any] = api.post(PATH, given).expect(201)
    return made


def creation(**members: Any) -> dict[str, Any]:
    """Return the form of members of AutoCreation."""
    return {f"AutoCreation.{name}": value for name, value in members.items()}


@pytest.mark.channel("C19")
def test_a_configuration_is_shown_as_it_was_made(api: Api, server: Server) -> None:
    address = phone_number()
    form = {"Type": "SMS", "Address": address, "FriendlyName": "Desk", "AddressCountry": "ca"}
    answer = api.post(PATH, form)
    made = answer.expect(201)
    assert list(made) == [
        "account_sid",
        "sid",
        "address",
        "type",
        "friendly_name",
        "address_country",
        "auto_creation",
        "date_created",
        "date_updated",
        "url",
    ]
    assert made["account_sid"] == api.sid
    assert re.fullmatch("IG[0-9a-f]{32}", made["sid"])
    assert (made["address"], made["type"]) == (address, "sms")
    assert (made["friendly_name"], made["address_country"]) == ("Desk", "CA")
    assert made["auto_creation"] == NOTHING
    assert DATE.fullmatch(made["date_created"])
    assert made["date_updated"] == made["date_created"]
    assert made["url"] == f"{api.base_url}/v1/Configuration/Addresses/{made['sid']}"
    assert logged_events(server, made["account_sid"])[-1] == ("accountChanged", made["sid"])
    for key in (made["sid"], "IG" + made["sid"][2:].upper(), address, f"%2B{address[1:]}"):
        assert api.get(f"{PATH}/{key}").body == answer.body


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("sms", "12345"),
        ("whatsapp", "whatsapp:+15017122669"),
        ("messenger", "messenger:1234567890"),
        ("gbm", "gbm:agent"),
        ("email", "help.desk@example.com"),
        ("rcs", "rcs:agent_one"),
        ("apple", "urn:mbid:AQAAYx"),
        ("chat", "the front desk"),
    ],
)
def test_an_address_belongs_to_its_type(api: Api, kind: str, address: str) -> None:
    for other in ("sms", "whatsapp", "messenger", "gbm", "email", "rcs", "apple"):
        if other != kind:
            api.post(PATH, Type=other, Address=address).refuses(400, 20001)
    made = make(api, Type=kind, Address=address)
    assert (made["type"], made["address"]) == (kind, address)
    assert api.get(f"{PATH}/{address}").expect(200)["sid"] == made["sid"]
    assert made["sid"] in {
        each["sid"] for each in api.get(PATH, Type=kind).expect(200)["address_configurations"]
    }
    api.delete(f"{PATH}/{address}").expect(204)


def test_a_webhook_rule_has_a_method_at_once(api: Api) -> None:
    made = make(api, **creation(Enabled="true", Type="webhook", WebhookUrl=HOOK))
    rule = {**NOTHING, "enabled": True, "type": "webhook", "webhook_url": HOOK}
    assert made["auto_creation"] == {**rule, "webhook_method": "POST"}
    names = sorted(SCOPED_FILTERS)
    form = creation(WebhookMethod="get", WebhookFilters=[*names, *names])
    shown = {**rule, "webhook_method": "GET", "webhook_filters": names}
    path = f"{PATH}/{made['sid']}"
    changes(api, path, form, auto_creation=shown)
    changes(api, path, creation(WebhookFilters=""), auto_creation={**shown, "webhook_filters": []})


@pytest.mark.channel("C20")
def test_an_enabled_rule_needs_the_webhook_or_flow_of_its_type(api: Api) -> None:
    made = make(api, **creation(Type="webhook"))
    path = f"{PATH}/{made['sid']}"
    api.post(path, creation(Enabled="true")).refuses(400, 20001)
    api.post(path, creation(Enabled="true", Type="studio")).refuses(400, 20001)
    api.post(path, creation(Enabled="true", Type="default")).expect(200)
    api.post(path, creation(Type="studio", StudioFlowSid=FLOW)).expect(200)
    api.post(path, creation(StudioFlowSid="")).refuses(400, 20001)


def test_another_type_drops_fields_of_the_old_one(api: Api) -> None:
    made = make(api, FriendlyName="Desk", **creation(Type="webhook", WebhookUrl=HOOK))
    path = f"{PATH}/{made['address']}"
    studio = {**NOTHING, "type": "studio", "studio_flow_sid": FLOW, "studio_retry_count": 3}
    form = creation(Type="Studio", StudioFlowSid=FLOW, StudioRetryCount="3")
    assert changes(api, path, form, auto_creation=studio)["friendly_name"] == "Desk"
    changes(api, path, creation(WebhookUrl=HOOK))
    cleared = {**studio, "studio_flow_sid": None, "studio_retry_count": None}
    form = creation(StudioFlowSid="", StudioRetryCount="")
    changes(api, path, form, auto_creation=cleared)
    enabled = {**NOTHING, "enabled": True}
    changes(api, path, creation(Type="default", Enabled="TRUE"), auto_creation=enabled)


def test_immutable_fields_do_not_change(api: Api) -> None:
    made = make(api, FriendlyName="Desk", AddressCountry="US")
    form = {"Type": "whatsapp", "Address": phone_number(), "AddressCountry": "CA"}
    changes(api, f"{PATH}/{made['sid']}", form)
    changes(api, f"{PATH}/{made['sid']}", {"FriendlyName": ""}, friendly_name=None)


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"FriendlyName": "x" * 257}, 50003),
        (creation(Enabled="1"), 20001),
        (creation(Type="flow"), 20001),
        (creation(ConversationServiceSid="IS1"), 20001),
        (creation(ConversationServiceSid=NOWHERE["IS"]), 50050),
        (creation(WebhookUrl="example.com"), 50369),
        (creation(WebhookUrl=HOOK + "x" * 512), 50372),
        (creation(WebhookMethod="PUT"), 50055),
        (creation(WebhookFilters=["onMessageAdded", "onUserAdded"]), 50365),
        (creation(WebhookFilters=["onMessageAdded"] * 65), 50365),
        (creation(StudioFlowSid="FW1"), 50367),
        (creation(StudioRetryCount="4"), 50065),
        (creation(StudioRetryCount="-1"), 50065),
        (creation(StudioRetryCount="many"), 50065),
    ],
)
def test_a_bad_value_is_refused(api: Api, server: Server, form: dict[str, Any], code: int) -> None:
    address = phone_number()
    api.post(PATH, {"Type": "sms", "Address": address, **form}).refuses(400, code)
    api.get(f"{PATH}/{address}").refuses(404, 20404)
    refuses(server, api, f"{PATH}/{make(api)['sid']}", form, code)


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"Type": "sms"}, "Missing required parameter Address in the post body"),
        ({"Address": "+15017122661"}, "Missing required parameter Type in the post body"),
        ({"Type": "sms", "Address": ""}, "Missing required parameter Address in the post body"),
        ({"Type": "fax", "Address": "+15017122661"}, "Invalid Type."),
        ({"Type": "chat", "Address": "x" * 257}, "Invalid Address."),
        (
            {"Type": "sms", "Address": "+15017122661", "AddressCountry": "USA"},
            "Invalid AddressCountry.",
        ),
        (
            {"Type": "sms", "Address": "+15017122661", "AddressCountry": ""},
            "Invalid AddressCountry.",
        ),
    ],
)
def test_a_bad_address_is_refused(api: Api, form: dict[str, str], message: str) -> None:
    assert api.post(PATH, form).refuses(400, 20001)["message"] == message


@pytest.mark.channel("C20")
def test_an_address_has_one_configuration_in_its_account(api: Api, foreign_api: Api) -> None:
    made = make(api)
    api.post(PATH, Type="sms", Address=made["address"]).refuses(409, 20409)
    other = foreign_api.post(PATH, Type="sms", Address=made["address"]).expect(201)
    foreign_api.get(f"{PATH}/{made['sid']}").refuses(404, 20404)
    assert foreign_api.get(f"{PATH}/{made['address']}").expect(200)["sid"] == other["sid"]
    api.delete(f"{PATH}/{made['sid']}").expect(204)
    assert api.post(PATH, Type="sms", Address=made["address"]).expect(201)["sid"] != made["sid"]


def test_one_of_many_parallel_requests_gets_the_address(api: Api) -> None:
    address = phone_number()
    with ThreadPoolExecutor(8) as threads:
        sent = [threads.submit(api.post, PATH, Type="sms", Address=address) for _ in range(8)]
        statuses = sorted(each.result().status for each in sent)
    assert statuses == [201] + [409] * 7


def test_a_restricted_account_configures_its_own_addresses_only(server: Server) -> None:
    own = new_account_api(server)
    ours, other = phone_number(), phone_number()
    server.set_numbers(str(own.sid), ours)
    own.post(PATH, Type="sms", Address=other).refuses(409, 20409)
    own.post(PATH, Type="sms", Address=ours).expect(201)


def test_a_list_is_in_the_order_of_creation(server: Server) -> None:
    own = new_account_api(server)
    texts = [make(own), make(own)]
    number = f"whatsapp:{phone_number()}"
    chat = make(own, Type="whatsapp", Address=number)
    sids = [each["sid"] for each in (*texts, chat)]
    page = own.get(f"{PATH}?PageSize=1000").expect(200)
    assert (page["meta"]["page_size"], page["meta"]["key"]) == (50, "address_configurations")
    assert [each["sid"] for each in page["address_configurations"]] == sids
    first = own.get(f"{PATH}?Type=sms&PageSize=1").expect(200)
    assert "Type=sms&PageSize=1" in first["meta"]["next_page_url"]
    rest = own.get(first["meta"]["next_page_url"]).expect(200)
    assert [each["sid"] for each in rest["address_configurations"]] == [sids[1]]
    assert rest["meta"]["next_page_url"] is None
    assert own.get(f"{PATH}?Type=email").expect(200)["address_configurations"] == []
    own.get(f"{PATH}?Type=fax").refuses(400, 20001)


def test_a_deleted_configuration_is_not_found(api: Api, server: Server) -> None:
    made = make(api)
    path = f"{PATH}/{made['address']}"
    api.delete(path).expect(204)
    assert logged_events(server, str(api.sid))[-1] == ("accountChanged", made["sid"])
    for answer in (
        api.get(path),
        api.delete(path),
        api.post(path),
        api.get(f"{PATH}/{made['sid']}"),
    ):
        answer.refuses(404, 20404)
    api.get(f"{PATH}/{NOWHERE['IG']}").refuses(404, 20404)


def test_a_deleted_service_leaves_its_addresses_to_the_default_one(
    api: Api, server: Server
) -> None:
    service, other = new_service_api(api), new_service_api(api)
    sid, other_sid = (each.prefix.rpartition("/")[2] for each in (service, other))
    rule = creation(Type="webhook", WebhookUrl=f"{HOOK}?sid={sid}", Enabled="true")
    held = make(api, **rule, **creation(ConversationServiceSid=sid))
    assert held["auto_creation"]["conversation_service_sid"] == sid
    elsewhere = make(api, **rule, **creation(ConversationServiceSid=other_sid))
    api.delete(f"/Services/{sid}").expect(204)
    shown = api.get(f"{PATH}/{held['sid']}").expect(200)
    assert shown["auto_creation"] == {**held["auto_creation"], "conversation_service_sid": None}
    assert api.get(f"{PATH}/{elsewhere['sid']}").expect(200) == elsewhere
    assert ("accountChanged", held["sid"]) in logged_events(server, str(api.sid))[-2:]
