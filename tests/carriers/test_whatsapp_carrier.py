"""The WhatsApp carrier against the stand-in: outcomes of submissions, media, checks, options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from parlour.channels.carrier import (
    Accepted,
    CarrierUnavailable,
    OutboundMedium,
    OutboundTemplate,
    Rejected,
)
from parlour.channels.carriers_file import read_carriers_file
from parlour.channels.registry import load_type
from parlour.channels.whatsapp.carrier import CARRIER_TYPE
from parlour.channels.whatsapp.error_codes import map_code
from parlour.channels.whatsapp.options import WhatsappOptions
from parlour.channels.whatsapp.upload import build_upload
from parlour.vocabulary import limits
from parlour.vocabulary.error_catalogue import CATALOGUE
from tests.carriers.graph_api import NUMBER_ID, TOKEN, GraphApi, GraphError
from tests.carriers.whatsapp_setup import (
    OWN,
    PNG,
    carrier_with,
    on_stand_in,
    options_for,
    whatsapp_message,
)
from tests.support.server import REPOSITORY
from tests.support.zero_random import ZeroRandom

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from parlour.channels.carrier import OutboundMessage


@pytest.fixture
def api() -> Iterator[GraphApi]:
    with GraphApi() as running:
        yield running


def send(api: GraphApi, message: OutboundMessage | None = None, **changes: Any) -> Any:
    made = message or whatsapp_message()
    return on_stand_in(api, lambda carrier: carrier.send(made), **changes)


def picture(**changes: Any) -> OutboundMedium:
    given = {"sid": "ME1", "content_type": "image/png", "size": len(PNG), "filename": "a.png"}
    return OutboundMedium(**{**given, "url": "", **changes})


# carriers.md, section 3.7.
MAPPED = {
    63016: (131047,),
    63024: (131026, 131021),
    63033: (131050,),
    63032: (131049, 130472),
    63005: (131051, 999_999, 100, None, "131047"),
    63019: (131052, 131053),
    63028: (132000,),
    63027: (132001,),
    63021: (132005, 132007, 132012),
    63013: (132015, 132016, 368, 131031),
    63018: (130429, 131056, 80007),
    63026: (131048,),
    63001: (190, 0, 10),
    63012: (131000, 131016),
}


@pytest.mark.parametrize(
    ("graph_code", "code"), [(each, code) for code, group in MAPPED.items() for each in group]
)
def test_a_code_of_the_cloud_api_has_a_code_of_ours(graph_code: object, code: int) -> None:
    assert map_code(graph_code) == code


def test_each_code_of_the_carrier_is_documented() -> None:
    assert set(MAPPED) <= set(CATALOGUE)


@pytest.mark.parametrize(
    ("graph_code", "code"), [(131047, 63016), (132001, 63027), (131026, 63024), (100, 63005)]
)
def test_an_error_at_submission_rejects_the_message_for_good(
    api: GraphApi, graph_code: int, code: int
) -> None:
    api.planned.append(GraphError(400, graph_code, "The reason"))
    assert send(api) == Rejected(code, f"{graph_code}: The reason")
    assert api.messages == []


@pytest.mark.parametrize(
    ("error", "code", "seconds"),
    [
        (GraphError(429, 130429), 63018, limits.CARRIER_RETRY_SECONDS),
        (GraphError(400, 131056, Retry_After="6"), 63018, 6),
        (GraphError(429, None, "slow down", Retry_After="2"), 63018, 2),
        (GraphError(500, 131016), 63012, limits.CARRIER_RETRY_SECONDS),
        (GraphError(401, 190), 63001, limits.CARRIER_RETRY_SECONDS),
        (GraphError(403, None, "<html>"), 63001, limits.CARRIER_RETRY_SECONDS),
        (
            GraphError(429, 80007, Retry_After="999999"),
            63018,
            limits.CARRIER_RETRY_SECONDS_MAX,
        ),
    ],
)
def test_a_transient_error_is_retried_and_marks_the_link_as_down(
    api: GraphApi, error: GraphError, code: int, seconds: float
) -> None:
    api.planned.append(error)

    async def act(carrier: Any) -> Any:
        return await carrier.send(whatsapp_message()), carrier.links()

    outcome, (link,) = on_stand_in(api, act)
    assert (outcome.code, outcome.retry_after_seconds) == (code, seconds)
    assert not link.is_up


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_server_error_without_a_code_leaves_the_outcome_unknown(
    api: GraphApi, status: int
) -> None:
    api.planned.append(GraphError(status, None, "<html>Bad gateway</html>"))
    with pytest.raises(CarrierUnavailable):
        send(api)


def test_an_api_that_cannot_be_reached_leaves_the_message_queued(api: GraphApi) -> None:
    with pytest.raises(CarrierUnavailable):
        send(api, base_url="http://127.0.0.1:1")


def test_the_token_is_in_a_header_only(api: GraphApi) -> None:
    assert isinstance(send(api), Accepted)
    (request,) = api.requests
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert TOKEN not in request.path
    assert TOKEN.encode() not in request.body


def test_a_sender_without_an_id_fails_with_63007(api: GraphApi) -> None:
    outcome = send(api, whatsapp_message(sender="whatsapp:+19999999999"))
    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.retry_after_seconds) == (63007, None)
    assert api.requests == []


@pytest.mark.channel("C40")
def test_a_recipient_without_a_number_is_named_by_the_id(api: GraphApi) -> None:
    assert isinstance(send(api, whatsapp_message(recipients=("whatsapp:US.13491",))), Accepted)
    (message,) = api.messages
    assert message["recipient"] == "US.13491"
    assert "to" not in message


# --- Media -----------------------------------------------------------------------------------


def test_a_medium_is_uploaded_as_it_is_and_its_text_is_the_caption(api: GraphApi) -> None:
    assert isinstance(send(api, whatsapp_message(media=(picture(),))), Accepted)
    assert api.media["000000000000001"] == ("image/png", PNG)
    (message,) = api.messages
    assert message["image"] == {"id": "000000000000001", "caption": "Hello"}


def test_with_media_by_link_a_medium_is_not_uploaded(api: GraphApi) -> None:
    medium = picture(url="https://chat.example.com/signed")
    assert isinstance(send(api, whatsapp_message(media=(medium,)), media="link"), Accepted)
    assert api.messages[0]["image"]["link"] == "https://chat.example.com/signed"
    assert api.media == {}


def test_without_a_public_url_a_medium_is_uploaded_all_the_same(api: GraphApi) -> None:
    assert isinstance(send(api, whatsapp_message(media=(picture(),)), media="link"), Accepted)
    assert "id" in api.messages[0]["image"]


@pytest.mark.channel("C39")
@pytest.mark.parametrize(
    ("content_type", "kind", "caption"),
    [
        ("image/png", "image", "Hello"),
        ("image/jpeg; q=1", "image", "Hello"),
        ("image/gif", "document", "Hello"),
        ("video/mp4", "video", "Hello"),
        ("application/pdf", "document", "Hello"),
        ("audio/mpeg", "audio", None),
        ("audio/amr", "audio", None),
    ],
)
def test_an_audio_file_drops_the_text_and_other_media_have_it_as_caption(
    api: GraphApi, content_type: str, kind: str, caption: str | None
) -> None:
    medium = picture(content_type=content_type)
    assert isinstance(send(api, whatsapp_message(media=(medium,))), Accepted)
    (message,) = api.messages
    assert message["type"] == kind
    assert message[kind].get("caption") == caption


def test_a_message_has_one_medium_and_no_rendered_content(api: GraphApi) -> None:
    rendered = picture(content_type="application/x-vnd.rich", category="body")
    media = (rendered, picture(), picture(sid="ME2"))
    assert isinstance(send(api, whatsapp_message(media=media)), Accepted)
    assert [content_type for content_type, _ in api.media.values()] == ["image/png"]
    assert len(api.messages) == 1


def test_a_caption_that_is_too_long_fails_with_21617(api: GraphApi) -> None:
    text = "x" * (limits.WHATSAPP_CAPTION_CHARS_MAX + 1)
    outcome = send(api, whatsapp_message(media=(picture(),), body=text))
    assert isinstance(outcome, Rejected)
    assert outcome.code == 21617
    assert isinstance(send(api, whatsapp_message(media=(picture(),), body=text[1:])), Accepted)


def test_a_medium_that_is_too_large_fails_with_11751(api: GraphApi) -> None:
    medium = picture(size=limits.WHATSAPP_UPLOAD_BYTES_MAX + 1)
    outcome = send(api, whatsapp_message(media=(medium,)))
    assert isinstance(outcome, Rejected)
    assert outcome.code == 11751
    assert api.requests == []


def test_a_rejected_upload_rejects_the_message(api: GraphApi) -> None:
    api.planned.append(GraphError(400, 131053, "Bad file"))
    outcome = send(api, whatsapp_message(media=(picture(),)))
    assert outcome == Rejected(63019, "131053: Bad file")


def test_no_filename_or_type_adds_a_header_or_a_part_to_an_upload() -> None:
    hostile = picture(filename='a"\r\nX-Evil: 1\r\n\r\n--b', content_type="image/png\r\nX-Evil: 1")
    _, body = build_upload(hostile, b"", ZeroRandom())
    assert b"\r\nX-Evil" not in body
    assert b'filename="a_X-Evil: 1--b"' in body


def test_a_medium_on_another_host_is_not_requested(api: GraphApi) -> None:
    api.media["7"] = ("image/png", PNG)
    api.media_url = "http://localhost:1/files/7"
    with pytest.raises(CarrierUnavailable, match="not in media_hosts"):
        on_stand_in(api, lambda carrier: carrier.read_medium("7"))
    assert len(api.requests) == 1


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/x",
        "http://lookaside.fbsbx.com/x",
        "https://user:secret@lookaside.fbsbx.com/x",
        "https://lookaside.fbsbx.com.evil.example/x",
        "https://lookaside.fbsbx.com:8443/x",
        "file:///etc/passwd",
        "//lookaside.fbsbx.com/x",
    ],
)
def test_the_token_goes_only_to_listed_hosts_over_tls(url: str) -> None:
    carrier = carrier_with(None, options_for())
    with pytest.raises(CarrierUnavailable):
        carrier._medium_url(url)
    assert carrier._medium_url("https://lookaside.fbsbx.com/x?y=1").host.name


@pytest.mark.parametrize("location", ["", "../me", "7/../8", "7?x=1", "a" * 129, "7 "])
def test_a_malformed_id_of_a_medium_is_not_requested(api: GraphApi, location: str) -> None:
    with pytest.raises(CarrierUnavailable, match="malformed"):
        on_stand_in(api, lambda carrier: carrier.read_medium(location))
    assert api.requests == []


def test_a_medium_with_another_digest_or_too_many_bytes_is_not_stored(api: GraphApi) -> None:
    api.media["7"] = ("image/png", b"x" * limits.INBOUND_MEDIA_BYTES_MAX)
    content = on_stand_in(api, lambda carrier: carrier.read_medium("7"))
    assert len(content) == limits.INBOUND_MEDIA_BYTES_MAX
    api.media["8"] = ("image/png", b"x" * (limits.INBOUND_MEDIA_BYTES_MAX + 1))
    with pytest.raises(CarrierUnavailable, match="too large"):
        on_stand_in(api, lambda carrier: carrier.read_medium("8"))
    api.wrong_digest = True
    with pytest.raises(CarrierUnavailable, match="digest"):
        on_stand_in(api, lambda carrier: carrier.read_medium("7"))


def test_an_unknown_medium_is_unavailable(api: GraphApi) -> None:
    with pytest.raises(CarrierUnavailable, match="status 400"):
        on_stand_in(api, lambda carrier: carrier.read_medium("12"))


# --- Templates ---------------------------------------------------------------------------------


def template(name: str, types: dict[str, Any], **variables: str) -> OutboundTemplate:
    return OutboundTemplate("HX1", "own", "en", types, variables, name)


TEXT = {"twilio/text": {"body": "Hello {{1}}"}}


def test_an_unknown_template_fails_with_63027_and_a_wrong_count_with_63028(api: GraphApi) -> None:
    unknown = whatsapp_message(template=template("other", TEXT, **{"1": "Ada"}))
    outcome = send(api, unknown)
    assert isinstance(outcome, Rejected)
    assert outcome.code == 63027
    api.templates["greeting", "en"] = 2
    outcome = send(api, whatsapp_message(template=template("greeting", TEXT, **{"1": "Ada"})))
    assert isinstance(outcome, Rejected)
    assert outcome.code == 63028


def test_a_language_is_written_as_whatsapp_writes_it(api: GraphApi) -> None:
    api.templates["greeting", "pt_BR"] = 1
    made = OutboundTemplate("HX1", "own", "pt-BR", TEXT, {"1": "Ada"}, "greeting")
    assert isinstance(send(api, whatsapp_message(template=made)), Accepted)


def test_a_variable_without_a_value_fails_with_63028_before_a_request(api: GraphApi) -> None:
    for variables in ({}, {"1": ""}):
        outcome = send(api, whatsapp_message(template=template("greeting", TEXT, **variables)))
        assert isinstance(outcome, Rejected)
        assert outcome.code == 63028
    assert api.requests == []


@pytest.mark.parametrize(
    "types",
    [
        TEXT,
        {"twilio/quick-reply": {"body": "x", "actions": [{"title": str(n)} for n in range(4)]}},
        {"twilio/call-to-action": {"body": "x", "actions": []}},
        {"twilio/list-picker": {"body": "x", "items": []}},
        {"twilio/location": {"label": "nowhere"}},
        {"twilio/card": {"title": "x"}},
        {"twilio/carousel": {"body": "x", "cards": []}},
        {},
    ],
)
def test_a_variant_that_whatsapp_cannot_show_is_sent_as_its_text(
    api: GraphApi, types: dict[str, Any]
) -> None:
    assert isinstance(send(api, whatsapp_message(template=template("", types))), Accepted)
    assert api.messages[0]["text"] == {"body": "Hello"}


def test_a_card_is_a_medium_with_buttons(api: GraphApi) -> None:
    card = {
        "title": "{{1}}",
        "subtitle": "Today",
        "media": ["https://a.example/{{1}}.png"],
        "actions": [{"type": "QUICK_REPLY", "title": "Buy", "id": "b"}],
    }
    sent = whatsapp_message(template=template("", {"twilio/card": card}, **{"1": "tea"}))
    assert isinstance(send(api, sent), Accepted)
    interactive = api.messages[0]["interactive"]
    assert interactive["header"] == {
        "type": "image",
        "image": {"link": "https://a.example/tea.png"},
    }
    assert interactive["body"] == {"text": "tea"}
    assert interactive["footer"] == {"text": "Today"}


# --- Options and check ---------------------------------------------------------------------------


def test_the_registry_knows_the_type() -> None:
    assert load_type("whatsapp") is CARRIER_TYPE


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"phone_numbers": {}}, "at least one"),
        ({"phone_numbers": {"15017122661": "1"}}, "is not a number"),
        ({"phone_numbers": {"+15017122661": "1a"}}, "has to be digits"),
        ({"phone_numbers": {"+15017122661": "1", "+15017122662": "1"}}, "once"),
        ({"phone_numbers": {"+15017122661": "1", "whatsapp:+15017122661": "2"}}, "once"),
        ({"access_token": ""}, "access_token"),
        ({"access_token": "a\r\nX: 1"}, "access_token"),
        ({"app_secret": ""}, "app_secret"),
        ({"verify_token": "with space"}, "verify_token"),
        ({"base_url": "ftp://graph.example"}, "base_url"),
        ({"base_url": "https://a:b@graph.example"}, "base_url"),
        ({"base_url": "https://graph.example?x=1"}, "base_url"),
        ({"version": "25"}, "version"),
        ({"version": "v25.0/../x"}, "version"),
    ],
)
def test_options_that_do_not_fit_are_refused_with_their_name(
    changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        carrier_with(None, options_for(**changes))


def test_the_check_compares_each_number_with_its_id(api: GraphApi) -> None:
    numbers = {"+15017122661": NUMBER_ID, "+15017122662": "42"}
    good, bad = on_stand_in(api, lambda carrier: carrier.check(), phone_numbers=numbers)
    assert (good.name, good.is_up) == ("whatsapp:+15017122661", True)
    assert (bad.name, bad.is_up, bad.detail) == ("whatsapp:+15017122662", False, "status 400")
    (swapped,) = on_stand_in(
        api, lambda carrier: carrier.check(), phone_numbers={"+15017122662": NUMBER_ID}
    )
    assert not swapped.is_up
    assert "+1 501-712-2661" in swapped.detail
    (unreached,) = on_stand_in(api, lambda carrier: carrier.check(), base_url="http://127.0.0.1:1")
    assert not unreached.is_up


def test_the_example_of_the_page_is_a_valid_carriers_file(tmp_path: Path) -> None:
    page = (REPOSITORY / "docs" / "how-to" / "connect-whatsapp.md").read_text()
    path = tmp_path / "carriers.toml"
    path.write_text(page.partition("```toml\n")[2].partition("```")[0])
    names = ("WHATSAPP_TOKEN", "WHATSAPP_APP_SECRET", "WHATSAPP_VERIFY_TOKEN")
    settings = read_carriers_file(path, dict.fromkeys(names, "a-secret"))
    configured = settings.carriers["whatsapp"]
    assert configured.options == options_for(
        access_token="a-secret", app_secret="a-secret", verify_token="a-secret"
    )
    assert isinstance(configured.options, WhatsappOptions)
    assert carrier_with(None, configured.options).concurrency == 20
    assert settings.find_carrier("whatsapp", OWN) == "whatsapp"
    assert [each.address for each in settings.numbers] == [OWN]
