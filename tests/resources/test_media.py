"""Media over HTTP: upload, lookup and download, by the account and by users."""

from __future__ import annotations

import json
import re
from contextlib import closing

import pytest

from tests.resources.media_setup import FormPart, MediaClient, direct_url
from tests.support.client import Api
from tests.support.server import Server

DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
RECORD = (
    "sid account_sid service_sid channel_sid message_sid date_created date_upload_updated"
    " date_updated size content_type filename category author is_multipart_upstream url links"
).split()


@pytest.fixture(params=["account", "user"])
def media_client(
    request: pytest.FixtureRequest, server: Server, api: Api, service_sid: str
) -> MediaClient:
    """The media of a service, with a client of the account and one of a user."""
    if request.param == "account":
        return MediaClient.of_account(server, api, service_sid)
    return MediaClient.of_user(server, api, service_sid, "alice")


@pytest.fixture
def account(server: Server, api: Api, service_sid: str) -> MediaClient:
    """The media of a service, with a client of the account."""
    return MediaClient.of_account(server, api, service_sid)


@pytest.mark.promise("how-to/media.md", "An upload is answered with 201")
def test_an_upload_returns_the_record_that_the_sdk_reads(
    media_client: MediaClient, api: Api
) -> None:
    made = media_client.add(b"hello", "text/plain", Category="media", Filename="a b.txt")
    assert list(made) == RECORD
    url = f"{media_client.server.base_url}{media_client.path}/{made['sid']}"
    shown = {
        "account_sid": api.sid,
        "service_sid": media_client.service_sid,
        "channel_sid": None,
        "message_sid": None,
        "size": 5,
        "content_type": "text/plain",
        "filename": "a b.txt",
        "category": "media",
        "author": "alice" if "X-Twilio-Token" in media_client.credentials else None,
        "is_multipart_upstream": False,
        "url": url,
    }
    assert {name: made[name] for name in shown} == shown
    assert re.fullmatch("ME[0-9a-f]{32}", made["sid"])
    assert DATE.fullmatch(made["date_created"])
    assert made["date_created"] == made["date_updated"] == made["date_upload_updated"]
    assert made["links"]["content"] == f"{url}/Content"
    assert direct_url(made).startswith(f"{media_client.server.base_url}/media-direct/")


def test_an_uploaded_medium_is_found_and_downloaded(media_client: MediaClient) -> None:
    content = bytes(range(256)) * 40
    made = media_client.add(content, "application/x-thing", Filename="thing.bin")
    found = media_client.look(made["sid"]).expect(200)
    assert {**found, "links": None} == {**made, "links": None}
    assert (
        media_client.look(made["sid"].upper().replace("ME", "ME", 1)).expect(200)["sid"]
        == made["sid"]
    )
    for answer in (
        media_client.content(made["sid"]),
        media_client.direct(made),
        media_client.direct(found),
    ):
        assert (answer.status, answer.body) == (200, content)
        assert answer.headers["Content-Type"] == "application/x-thing"
        assert answer.headers["Content-Length"] == str(len(content))


@pytest.mark.parametrize("category", ["media", "body", "history"])
def test_a_category_is_stored(account: MediaClient, category: str) -> None:
    assert account.add(Category=category)["category"] == category


def test_omitted_parameters_have_defaults(account: MediaClient) -> None:
    made = account.upload(b"", None).expect(201)
    shown = (made["size"], made["content_type"], made["filename"], made["category"])
    assert shown == (0, "application/octet-stream", None, "media")
    assert account.direct(made).body == b""


def test_a_form_of_a_browser_is_an_upload_of_its_file(media_client: MediaClient) -> None:
    content = b"one\r\n--cu\r\n--cuT\r\n" * 9000
    parts = [
        FormPart.field("note", "not the file"),
        FormPart.file(content, "Größe.png", "image/png"),
        FormPart.field("after", "neither"),
    ]
    made = media_client.upload_form(parts, Category="history").expect(201)
    shown = (made["size"], made["content_type"], made["filename"], made["category"])
    assert shown == (len(content), "image/png", "Größe.png", "history")
    assert media_client.direct(made).body == content


def test_a_set_is_looked_up_in_one_request(media_client: MediaClient) -> None:
    first, second = media_client.add(b"1"), media_client.add(b"22")
    never = "ME" + "0" * 32
    wanted = [second["sid"], never, "nonsense", first["sid"]]
    found = media_client.check_all(wanted).expect(200)
    assert [each["code"] for each in found] == [200, 404, 404, 200]
    assert [each["media_record"]["sid"] for each in found] == wanted
    assert found[1] == {"code": 404, "media_record": {"sid": never}}
    assert media_client.direct(found[0]["media_record"]).body == b"22"
    assert media_client.check_all([]).expect(200) == []


@pytest.mark.parametrize(
    "body", ["", "{", "[]", "{}", '{"command":"get"}', '{"command":"get","list":[1]}', "\xff"]
)
def test_a_set_that_is_none_is_refused(account: MediaClient, body: str) -> None:
    answer = account.send_request("POST", f"{account.path}Set", body.encode("latin-1"))
    answer.refuses(400, 20001)


def test_a_set_has_its_limit_and_one_command(account: MediaClient) -> None:
    sids = ["ME" + f"{number:032x}" for number in range(101)]
    assert len(account.check_all(sids[:100]).expect(200)) == 100
    account.check_all(sids).refuses(400, 20001)
    account.check_all([], command="delete").refuses(400, 20001)


@pytest.mark.parametrize(
    ("query", "content_type", "code"),
    [
        ({"Category": "other"}, "text/plain", 20001),
        ({"Category": ""}, "text/plain", 20001),
        ({"Filename": "x" * 256}, "text/plain", 20001),
        ({}, "text", 50511),
        ({}, "text/plain, text/html", 50511),
        ({}, "a/" + "b" * 254, 50511),
        ({}, "multipart/form-data", 20001),
        ({}, "multipart/form-data; boundary=", 20001),
        ({}, "multipart/form-data; boundary=cut", 20001),
        ({}, "multipart/form-data; boundary=" + "b" * 71, 20001),
    ],
)
@pytest.mark.promise("BOUNDARY_CHARS_MAX", 400)
def test_an_invalid_upload_is_rejected_and_leaves_nothing(
    account: MediaClient, query: dict[str, str], content_type: str, code: int
) -> None:
    before = files(account.server)
    account.upload(b"hello", content_type, **query).refuses(400, code)
    assert files(account.server) == before


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [FormPart.field("file", "no name")],
        [FormPart.file(b"1", "a"), FormPart.file(b"2", "b")],
        [FormPart(b"x", "Content-Disposition: nonsense")],
        [FormPart(b"x", "X-Other: 1")],
    ],
)
def test_a_form_without_exactly_one_file_is_refused(
    account: MediaClient, parts: list[FormPart]
) -> None:
    before = files(account.server)
    account.upload_form(parts).refuses(400, 20001)
    assert files(account.server) == before


def test_a_form_that_breaks_off_is_refused(account: MediaClient) -> None:
    body = FormPart.file(b"1" * 100_000, "a").written()
    before = files(account.server)
    for cut in (len(body) - 2, 5000, 40, 0):
        answer = account.upload(body[:cut], "multipart/form-data; boundary=cut")
        answer.refuses(400, 20001)
    assert files(account.server) == before


def files(server: Server) -> set[str]:
    """Return every existing file of a medium, stored or temporary."""
    found = (server.data_dir / "media").rglob("*")
    return {str(path) for path in found if path.is_file()}


# --- Callers ------------------------------------------------------------------------------


def test_without_credentials_nothing_is_accepted_or_returned(account: MediaClient) -> None:
    sid = account.add()["sid"]
    for method, path in (
        ("POST", account.path),
        ("POST", f"{account.path}Set"),
        ("GET", f"{account.path}/{sid}"),
        ("GET", f"{account.path}/{sid}/Content"),
        ("GET", f"{account.path}/ME{'0' * 32}"),
    ):
        account.send_bare(method, path).refuses(401, 20003)
        wrong = {"X-Twilio-Token": "a.b.c"}
        assert account.send_request(method, path, headers=wrong).status == 401


def test_a_token_is_valid_for_its_service_only(server: Server, api: Api, service_sid: str) -> None:
    default = api.get("/Configuration").expect(200)["default_chat_service_sid"]
    token = MediaClient.of_user(server, api, default, "alice").credentials
    elsewhere = MediaClient(server, service_sid, token)
    never = MediaClient(server, "IS" + "0" * 32, token)
    for media_client in (elsewhere, never):
        media_client.upload().refuses(404, 20404)
        media_client.look("ME" + "0" * 32).refuses(404, 20404)
        media_client.check_all([]).refuses(404, 20404)


def test_an_upload_makes_its_uploader_a_user(server: Server, api: Api, service_sid: str) -> None:
    MediaClient.of_user(server, api, service_sid, "brand new").add()
    found = api.service(service_sid).get("/Users/brand%20new").expect(200)
    assert found["identity"] == "brand new"


# --- Methods and browsers -----------------------------------------------------------------


def test_other_methods_get_an_allow_header(account: MediaClient) -> None:
    sid = account.add()["sid"]
    for method, path, allowed in (
        ("GET", account.path, "POST"),
        ("DELETE", account.path, "POST"),
        ("GET", f"{account.path}Set", "POST"),
        ("POST", f"{account.path}/{sid}", "GET, HEAD"),
        ("PUT", f"{account.path}/{sid}/Content", "GET, HEAD"),
    ):
        answer = account.send_request(method, path)
        answer.refuses(405, 20004)
        assert answer.headers["Allow"] == allowed


def test_any_web_page_may_send_requests_without_credentials(account: MediaClient) -> None:
    made = account.add()
    origin = {"Origin": "https://app.example.test"}
    asking = {
        **origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x-twilio-token",
    }
    answers = [
        account.send_bare("OPTIONS", account.path, headers=asking),
        account.send_bare("OPTIONS", f"{account.path}/{made['sid']}", headers=asking),
        account.send_bare("OPTIONS", f"{account.path}Set", headers=asking),
        account.send_bare("OPTIONS", direct_url(made), headers=asking),
        account.send_request("POST", account.path, b"x", headers=origin),
        account.look(made["sid"], headers=origin),
        account.look("ME" + "0" * 32, headers=origin),
        account.send_bare("GET", account.path, headers=origin),
        account.direct(made, **origin),
        account.send_bare("GET", direct_url(made)[:-1] + "x", headers=origin),
    ]
    assert [answer.status for answer in answers[:4]] == [204] * 4
    for answer in answers:
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in answer.headers
        allowed = {
            each.strip() for each in answer.headers["Access-Control-Allow-Headers"].split(",")
        }
        assert {"X-Twilio-Token", "Content-Type"} <= allowed
        assert {"GET", "POST"} <= set(answer.headers["Access-Control-Allow-Methods"].split(", "))


def test_media_responses_are_json_that_the_sdk_reads(account: MediaClient) -> None:
    made = account.upload()
    for answer in (made, account.look(made.json["sid"]), account.look("ME1")):
        assert answer.headers["Content-Type"].startswith("application/json")
        assert json.loads(answer.body)


# --- Settings and logs --------------------------------------------------------------------


@pytest.mark.slow
def test_temporary_urls_may_have_a_host_name_of_their_own() -> None:
    args = ("--public-url", "https://chat.example.test/", "--media-url", "https://m.example.test/")
    with Server(args=args) as server, closing(api_of(server)) as api:
        sid = api.get("/Configuration").expect(200)["default_chat_service_sid"]
        account = MediaClient.of_account(server, api, sid)
        made = account.add(b"elsewhere")
        assert made["url"].startswith("https://chat.example.test/v1/Services/")
        assert direct_url(made).startswith("https://m.example.test/media-direct/")
        assert account.direct(made).body == b"elsewhere"


@pytest.mark.slow
def test_the_log_has_no_names_bytes_or_signatures() -> None:
    with Server(env={"PARLOUR_REQUEST_LOG": "all"}) as server, closing(api_of(server)) as api:
        sid = api.get("/Configuration").expect(200)["default_chat_service_sid"]
        user = MediaClient.of_user(server, api, sid, "canary-identity")
        made = user.add(b"canary-bytes", Filename="canary-name")
        user.direct(made)
        user.send_bare("GET", f"{direct_url(made)}canary")
        user.look(made["sid"])
        logged = server.log_path.read_text()
    assert '"operation_id": "FetchMediaDirect"' in logged
    for secret in (
        "canary",
        made["sid"],
        direct_url(made)[-64:],
        user.credentials["X-Twilio-Token"],
    ):
        assert secret not in logged


def api_of(server: Server) -> Api:
    return Api(server.base_url, server.account_sid, server.auth_token)
