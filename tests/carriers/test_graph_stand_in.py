"""pywa, an independent client, judges the stand-in, and the carrier's requests and parsers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pywa import errors as pywa_errors
from pywa import types as pywa_types
from pywa.types import templates as pywa_templates

from parlour.channels.carrier import Accepted, OutboundMedium, OutboundTemplate
from parlour.channels.whatsapp.callbacks import read_callback
from parlour.channels.whatsapp.options import OwnNumbers
from tests.carriers.graph_api import (
    NUMBER_ID,
    USER,
    USER_ID,
    GraphApi,
    GraphError,
    contact,
    message_value,
    signature,
    status_value,
    webhook,
)
from tests.carriers.whatsapp_setup import (
    OWN,
    PHONE,
    PNG,
    REFERENCE,
    on_stand_in,
    options_for,
    pywa_client,
    signed,
    whatsapp_message,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pywa import WhatsApp

    from parlour.channels.carrier import Callback


@pytest.fixture
def api() -> Iterator[GraphApi]:
    with GraphApi() as running:
        yield running


@pytest.fixture
def client(api: GraphApi) -> WhatsApp:
    return pywa_client(api)


def medium(content_type: str, filename: str | None = None) -> OutboundMedium:
    return OutboundMedium("ME" + "0" * 32, content_type, len(PNG), filename, "")


def template(types: dict[str, Any], variables: dict[str, str], name: str = "") -> OutboundTemplate:
    return OutboundTemplate("HX" + "0" * 32, "own", "en_US", types, variables, name)


REPLIES = {
    "body": "{{1}}?",
    "actions": [{"type": "QUICK_REPLY", "title": "Yes", "id": "yes-{{2}}"}, {"title": "No"}],
}
LIST = {"body": "Which?", "button": "Choose", "items": [{"id": "t", "item": "Tea"}]}
LINK = {"body": "Go", "actions": [{"type": "URL", "title": "Open", "url": "https://a.example/x"}]}
PLACE = {"latitude": 52.5, "longitude": 13.4, "label": "Café", "address": "Main St 5"}


def _buttons(client: WhatsApp) -> None:
    buttons = [
        pywa_types.Button(title="Yes", callback_data="yes-7"),
        pywa_types.Button(title="No", callback_data="No"),
    ]
    client.send_text(to=USER, text="Tea?", buttons=buttons)


def _list(client: WhatsApp) -> None:
    rows = [pywa_types.SectionRow(title="Tea", callback_data="t")]
    sections = pywa_types.SectionList(
        button_title="Choose", sections=[pywa_types.Section(title="", rows=rows)]
    )
    client.send_text(to=USER, text="Which?", buttons=sections)


def _link(client: WhatsApp) -> None:
    button = pywa_types.URLButton(title="Open", url="https://a.example/x")
    client.send_text(to=USER, text="Go", buttons=button)


def _place(client: WhatsApp) -> None:
    client.send_location(to=USER, latitude=52.5, longitude=13.4, name="Café", address="Main St 5")


# The same message by pywa and by the carrier.
SAME: list[tuple[Callable[[WhatsApp], object], dict[str, Any]]] = [
    (lambda wa: wa.send_text(to=USER, text="Hello"), {}),
    (
        lambda wa: wa.send_image(to=USER, image="000000000000001", caption="Hello"),
        {"media": (medium("image/png"),)},
    ),
    (
        lambda wa: wa.send_image(to=USER, image="000000000000001"),
        {"media": (medium("image/jpeg"),), "body": None},
    ),
    (
        lambda wa: wa.send_video(to=USER, video="000000000000001", caption="Hello"),
        {"media": (medium("video/mp4"),)},
    ),
    (
        lambda wa: wa.send_document(
            to=USER, document="000000000000001", caption="Hello", filename="a.pdf"
        ),
        {"media": (medium("application/pdf", "a.pdf"),)},
    ),
    (
        lambda wa: wa.send_audio(to=USER, audio="000000000000001"),
        {"media": (medium("audio/mpeg"),)},
    ),
    (_buttons, {"template": template({"twilio/quick-reply": REPLIES}, {"1": "Tea", "2": "7"})}),
    (_list, {"template": template({"twilio/list-picker": LIST}, {})}),
    (_link, {"template": template({"twilio/call-to-action": LINK}, {})}),
    (_place, {"template": template({"twilio/location": PLACE}, {})}),
]


def canonical(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message without what pywa and the carrier may write differently."""
    made = {name: value for name, value in message.items() if name != "biz_opaque_callback_data"}
    made["to"] = made["to"].lstrip("+")
    made.get("text", {}).pop("preview_url", None)
    for section in made.get("interactive", {}).get("action", {}).get("sections", ()):
        section.pop("title", None)
    return made


@pytest.mark.parametrize(("by_pywa", "changes"), SAME)
def test_the_carrier_writes_the_same_message_as_pywa(
    api: GraphApi,
    client: WhatsApp,
    by_pywa: Callable[[WhatsApp], object],
    changes: dict[str, Any],
) -> None:
    outcome = on_stand_in(api, lambda carrier: carrier.send(whatsapp_message(**changes)))
    assert outcome == Accepted(("wamid.00000001",))
    by_pywa(client)
    ours, theirs = api.messages
    assert canonical(ours) == canonical(theirs)
    assert ours["biz_opaque_callback_data"] == REFERENCE


BODY_AND_BUTTONS = [
    pywa_templates.BodyText.params("Tea"),
    pywa_templates.QuickReplyButton.params(index=0, callback_data="yes-7"),
    pywa_templates.QuickReplyButton.params(index=1, callback_data="No"),
]
NAMED = {"body": "Hello {{name}}, {{ n }} left of {{name}}"}
SHOP = {
    "body": "Hi {{2}}, {{1}}",
    "header_text": "Sale",
    "media": ["https://cdn.example/{{3}}.mp4?v=1"],
    "actions": [
        {"type": "URL", "title": "Open", "url": "https://shop.example/o/{{4}}"},
        {"type": "PHONE_NUMBER", "title": "Call", "phone": "+15558675310"},
        {"type": "COPY_CODE", "title": "Copy", "code": "{{5}}"},
    ],
}
FILM = {"type": "video", "video": {"link": "https://cdn.example/film.mp4?v=1"}}
TEMPLATES = [
    ({"twilio/text": {"body": "Hello"}}, {}, 0, []),
    ({"twilio/quick-reply": REPLIES}, {"1": "Tea", "2": "7"}, 1, BODY_AND_BUTTONS),
    (
        {"twilio/text": NAMED},
        {"name": "Ada", "n": "3"},
        2,
        [pywa_templates.BodyText.params(name="Ada", n="3")],
    ),
    (
        {"twilio/text": {"body": "ignored"}, "whatsapp/card": SHOP},
        {"1": "one", "2": "two", "3": "film", "4": "9?x", "5": "SAVE"},
        2,
        [
            # As a dict: pywa's own parameters of media in headers raise a TypeError.
            {"type": "HEADER", "parameters": [FILM]},
            pywa_templates.BodyText.params("one", "two"),
            pywa_templates.URLButton.params(url_variable="9?x", index=0),
            pywa_templates.CopyCodeButton.params(coupon_code="SAVE", index=2),
        ],
    ),
    (
        {"whatsapp/authentication": {"actions": []}},
        {"1": "123456"},
        1,
        [
            pywa_templates.AuthenticationBody.params(otp="123456"),
            pywa_templates.CopyCodeOTPButton.params(otp="123456"),
        ],
    ),
]


@pytest.mark.parametrize(("types", "variables", "count", "params"), TEMPLATES)
def test_the_carrier_writes_the_same_template_as_pywa(
    api: GraphApi,
    client: WhatsApp,
    types: dict[str, Any],
    variables: dict[str, str],
    count: int,
    params: list[Any],
) -> None:
    api.templates["tea_time", "en_US"] = count
    sent = whatsapp_message(template=template(types, variables, "tea_time"), body="ignored")
    outcome = on_stand_in(api, lambda carrier: carrier.send(sent))
    assert outcome == Accepted(("wamid.00000001",))
    language = pywa_templates.TemplateLanguage.ENGLISH_US
    client.send_template(to=USER, name="tea_time", language=language, params=params)
    ours, theirs = ([*map(canonical, api.messages)][number]["template"] for number in (0, 1))
    assert (ours["name"], ours["language"]) == (theirs["name"], theirs["language"])
    assert _components(ours) == _components(theirs)


def _components(template: dict[str, Any]) -> list[dict[str, Any]]:
    """Return components in the spelling of one client: case and index are free."""
    found = []
    for each in template.get("components", []):
        named = {**each, "type": each["type"].lower()}
        if "index" in named:
            named["index"] = int(named["index"])
            named["sub_type"] = named["sub_type"].lower()
        parameters = [
            {**one, "type": str(one["type"]).lower()} for one in named.pop("parameters", [])
        ]
        found.append({**named, "parameters": parameters})
    return found


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (131047, pywa_errors.ReEngagementMessage),
        (131026, pywa_errors.MessageUndeliverable),
        (132001, pywa_errors.TemplateNotExists),
        (132000, pywa_errors.TemplateParamCountMismatch),
        (131056, pywa_errors.TooManyMessages),
    ],
)
def test_pywa_reads_the_errors_of_the_stand_in(
    api: GraphApi, client: WhatsApp, code: int, error: type[Exception]
) -> None:
    api.planned.append(GraphError(400, code))
    with pytest.raises(error):
        client.send_text(to=USER, text="Hello")


def test_pywa_downloads_the_media_of_the_stand_in_and_so_does_the_carrier(
    api: GraphApi, client: WhatsApp
) -> None:
    uploaded = client.upload_media(media=PNG, mime_type="image/png", filename="a.png")
    assert client.get_media_url(uploaded.id).sha256
    assert client.get_media_bytes(client.get_media_url(uploaded.id).url) == PNG
    assert on_stand_in(api, lambda carrier: carrier.read_medium(uploaded.id)) == PNG


# --- Webhooks ------------------------------------------------------------------------------


def parsed(body: bytes) -> Callback:
    options = options_for()
    return read_callback(signed(body), options, OwnNumbers(options))


def by_pywa(client: WhatsApp, body: bytes) -> Any:
    """Return the update that pywa makes of a webhook, whose signature it has checked."""
    assert client.webhook_update_validator(body, signature(body)) is None
    assert client.webhook_update_validator(body, signature(body, "other")) == ("Forbidden", 403)
    seen: list[Any] = []
    client.on_message(lambda _client, update: seen.append(update))
    client.on_message_status(lambda _client, update: seen.append(update))
    client.on_callback_button(lambda _client, update: seen.append(update))
    client.on_callback_selection(lambda _client, update: seen.append(update))
    assert client.webhook_update_handler(body) == ("ok", 200)
    (update,) = seen
    return update


@pytest.mark.parametrize("status", ["sent", "delivered", "read"])
def test_a_status_means_the_same_to_pywa(client: WhatsApp, status: str) -> None:
    body = webhook(status_value(status, biz_opaque_callback_data=REFERENCE))
    update = by_pywa(client, body)
    (report,) = parsed(body).reports
    assert update.status.value == report.status == status
    assert update.tracker == report.reference == REFERENCE
    assert report.provider_id is None


def test_a_failure_means_the_same_to_pywa(client: WhatsApp) -> None:
    error = {
        "code": 131047,
        "title": "Re-engagement message",
        "message": "Re-engagement message",
        "error_data": {"details": "More than 24 hours have passed"},
    }
    body = webhook(status_value("failed", errors=[error]))
    update = by_pywa(client, body)
    assert isinstance(update.error, pywa_errors.ReEngagementMessage)
    (report,) = parsed(body).reports
    assert (report.status, report.error_code) == ("undelivered", 63016)
    assert report.provider_id == update.id == "wamid.00000001"
    assert report.detail == "131047: More than 24 hours have passed"


MEDIUM = {"id": "1234567890", "mime_type": "image/jpeg", "sha256": "aGk=", "caption": "Look"}
INBOUND: list[tuple[str, Any, Callable[[Any], str | None]]] = [
    ("text", {"body": "Hello"}, lambda update: update.text),
    ("image", MEDIUM, lambda update: update.caption),
    ("document", {**MEDIUM, "filename": "a.pdf"}, lambda update: update.caption),
    ("sticker", {"id": "1", "mime_type": "image/webp", "sha256": "x", "animated": False}, None),
    ("audio", {"id": "1", "mime_type": "audio/ogg; codecs=opus", "sha256": "x"}, None),
    ("reaction", {"message_id": "wamid.1", "emoji": "👍"}, lambda up: up.reaction.emoji),
    (
        "interactive",
        {"type": "button_reply", "button_reply": {"id": "y", "title": "Yes"}},
        lambda update: update.title,
    ),
    (
        "interactive",
        {"type": "list_reply", "list_reply": {"id": "t", "title": "Tea", "description": "d"}},
        lambda update: update.title,
    ),
    ("button", {"text": "Yes", "payload": "y"}, lambda update: update.title),
]


@pytest.mark.parametrize(("type_", "content", "text_of"), INBOUND)
def test_an_inbound_message_means_the_same_to_pywa(
    client: WhatsApp, type_: str, content: Any, text_of: Callable[[Any], str | None] | None
) -> None:
    replied = {"from": "15017122661", "id": "wamid.00000001"}
    body = webhook(message_value(type_, content, context=replied))
    update = by_pywa(client, body)
    (message,) = parsed(body).inbound
    assert (message.sender, message.receiver) == (PHONE, OWN)
    assert message.provider_id == update.id
    assert message.sender == f"whatsapp:+{update.from_user.wa_id}"
    assert message.profile_name == update.from_user.name == "Ada"
    assert message.body == (None if text_of is None else text_of(update))
    assert message.metadata is not None
    assert message.metadata["context"]["UserId"] == USER_ID
    if type_ in {"image", "document", "sticker", "audio"}:
        assert message.media[0].location == update.media.id
        expected = update.media.mime_type.partition(";")[0]
        assert message.media[0].content_type == expected
    if type_ == "document":
        assert message.media[0].filename == update.media.filename == "a.pdf"


def test_a_location_means_the_same_to_pywa(client: WhatsApp) -> None:
    place = {"latitude": 52.5, "longitude": 13.4, "name": "Café", "address": "Main St 5"}
    body = webhook(message_value("location", place))
    update = by_pywa(client, body)
    (message,) = parsed(body).inbound
    assert message.metadata is not None
    context = message.metadata["context"]
    assert float(context["Latitude"]) == update.location.latitude
    assert message.body == "Café\nMain St 5\n52.5, 13.4"


def test_a_user_without_a_number_means_the_same_to_pywa(client: WhatsApp) -> None:
    sender = contact(with_number=False)
    value = message_value("text", {"body": "Hi"}, sender=sender)
    del value["messages"][0]["from"]
    update = by_pywa(client, webhook(value))
    (message,) = parsed(webhook(value)).inbound
    assert update.from_user.bsuid == USER_ID
    assert message.sender == f"whatsapp:{update.from_user.bsuid}"


def test_the_number_that_pywa_sends_from_is_the_one_of_the_stand_in(client: WhatsApp) -> None:
    number = client.get_business_phone_number(phone_id=NUMBER_ID)
    assert number.display_phone_number == "+1 501-712-2661"
