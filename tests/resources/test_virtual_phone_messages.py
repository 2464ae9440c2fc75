"""Messages of virtual phones over REST: what phones send, show and read."""

from __future__ import annotations

import http.server
import re
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tests.resources.settings_setup import new_account_api

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.client import Api
    from tests.support.server import Server

OWN = "+15005550006"
PHONE = "+15558675310"
WHATSAPP = f"whatsapp:{PHONE}"
MESSAGES = f"/VirtualPhones/{PHONE}/Messages"
MEMBERS = (
    "sid direction from to group body media encoding segments status error_code conversation_sid"
    " message_sid participant_sid outcome reason date_created"
).split()
CAT = b"\x89PNG of a cat"


@pytest.fixture
def own(server: Server) -> Iterator[Api]:
    """An account with its phones, below Parlour's own version."""
    api = new_account_api(server)
    yield api.under("/parlour/v1")
    api.close()


def bind(own: Api, *pairs: tuple[str, str]) -> str:
    """Create a conversation with participants of these addresses and proxies; return its SID."""
    api = own.under("/v1")
    sid: str = api.post("/Conversations", FriendlyName="Bound").expect(201)["sid"]
    for address, proxy in pairs:
        form = {"MessagingBinding.Address": address, "MessagingBinding.ProxyAddress": proxy}
        api.post(f"/Conversations/{sid}/Participants", form).expect(201)
    return sid


def multipart(fields: list[tuple[str, str]], files: list[tuple[str, str, bytes]]) -> dict[str, Any]:
    """Return body and headers of a multipart form; files have a name, a type and content."""
    boundary = "a-boundary-of-tests"
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'.encode()
        for name, text in fields
    ]
    for name, kind, content in files:
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="Media"; filename="{name}"\r\n'
            f"Content-Type: {kind}\r\n\r\n"
        )
        parts.append(head.encode() + content + b"\r\n")
    body = b"".join(parts) + f"--{boundary}--\r\n".encode()
    return {
        "body": body,
        "headers": {"Content-Type": f"multipart/form-data; boundary={boundary}"},
    }


class _Pictures(http.server.BaseHTTPRequestHandler):
    """Serves a picture under every path but /missing."""

    def do_GET(self) -> None:
        """Send the picture."""
        self.send_response(404 if self.path == "/missing" else 200)
        self.send_header("Content-Type", "image/png")
        self.send_header("Content-Length", str(len(CAT)))
        self.end_headers()
        self.wfile.write(CAT)

    def log_message(self, *args: object) -> None:
        """Log no requests."""


@contextmanager
def picture_server() -> Iterator[str]:
    """Yield the URL of a server of pictures."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Pictures) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_text_of_a_bound_phone_is_added_to_its_conversation(own: Api) -> None:
    conversation_sid = bind(own, (PHONE, OWN))
    sent = own.post(MESSAGES, To=OWN, Body="Hi €").expect(201)
    assert list(sent) == MEMBERS
    assert re.fullmatch("SM[0-9a-f]{32}", sent["sid"])
    assert (sent["direction"], sent["from"], sent["to"], sent["group"]) == (
        "sent",
        PHONE,
        [OWN],
        None,
    )
    assert (sent["body"], sent["encoding"], sent["segments"]) == ("Hi €", "GSM-7", 1)
    assert (sent["status"], sent["error_code"], sent["media"]) == ("sent", None, [])
    assert (sent["outcome"], sent["reason"]) == ("conversation", None)
    assert sent["conversation_sid"] == conversation_sid
    # The response comes after the message was added.
    path = f"/Conversations/{conversation_sid}/Messages/{sent['message_sid']}"
    message = own.under("/v1").get(path).expect(200)
    assert (message["author"], message["body"]) == (PHONE, "Hi €")
    assert message["participant_sid"] == sent["participant_sid"]
    assert own.get(MESSAGES).expect(200)["messages"] == [sent]
    # The phone exists because it sent.
    assert own.get(f"/VirtualPhones/{PHONE}").expect(200)["address"] == PHONE


def test_a_text_that_no_conversation_takes_is_dropped_with_the_reason_in_words(own: Api) -> None:
    sent = own.post(MESSAGES, To=OWN, Body="Hi").expect(201)
    assert (sent["outcome"], sent["conversation_sid"]) == ("dropped", None)
    assert OWN in sent["reason"]
    assert PHONE in sent["reason"]


def test_a_text_to_a_configured_address_creates_a_conversation(own: Api) -> None:
    form = {"AutoCreation.Enabled": "true", "AutoCreation.Type": "default"}
    own.under("/v1").post(
        "/Configuration/Addresses", {"Type": "sms", "Address": OWN, **form}
    ).expect(201)
    sent = own.post(MESSAGES, To=OWN, Body="Hi").expect(201)
    assert sent["outcome"] == "auto_created"
    assert sent["conversation_sid"].startswith("CH")


def test_files_are_stored_at_the_phone_and_in_the_conversation(own: Api) -> None:
    conversation_sid = bind(own, (PHONE, OWN))
    form = multipart(
        [("To", OWN), ("Body", "A cat")],
        [("cat.png", "image/png", CAT), ("note.txt", "text/plain", b"meow")],
    )
    sent = own.post(MESSAGES, **form).expect(201)
    assert re.fullmatch("MM[0-9a-f]{32}", sent["sid"])
    assert (sent["encoding"], sent["segments"]) == (None, 1)
    shown = [(each["content_type"], each["size"], each["filename"]) for each in sent["media"]]
    assert shown == [("image/png", len(CAT), "cat.png"), ("text/plain", 4, "note.txt")]
    messages = own.under("/v1").get(f"/Conversations/{conversation_sid}/Messages").expect(200)
    [message] = messages["messages"]
    assert [each["size"] for each in message["media"]] == [len(CAT), 4]
    # The phone's own copy survives the conversation.
    own.under("/v1").delete(f"/Conversations/{conversation_sid}").expect(204)
    url = sent["media"][0]["url"]
    answer = own.get(url)
    assert answer.body == CAT
    assert answer.headers["content-type"] == "image/png"
    own.get(url.replace(sent["media"][0]["url"][-4:], "0000")).refuses(404, 20404)


def test_the_media_of_another_account_are_not_found(own: Api, server: Server) -> None:
    sent = own.post(MESSAGES, **multipart([("To", OWN)], [("a.png", "image/png", CAT)])).expect(201)
    other = new_account_api(server)
    other.get(sent["media"][0]["url"]).refuses(404, 20404)
    own.signed(None, None).get(sent["media"][0]["url"]).refuses(401, 20003)
    other.close()


def test_media_are_fetched_from_a_url(own: Api) -> None:
    with picture_server() as root:
        url = f"{root}/pictures/cat%20photo.png"
        sent = own.post(MESSAGES, To=OWN, MediaUrl=[url]).expect(201)
    [medium] = sent["media"]
    assert medium["filename"] == "cat photo.png"
    assert medium["content_type"] == "image/png"
    assert own.get(medium["url"]).body == CAT


def test_a_url_that_answers_with_an_error_is_refused(own: Api) -> None:
    with picture_server() as root:
        own.post(MESSAGES, To=OWN, MediaUrl=f"{root}/missing").refuses(400, 20001)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"Body": "Hi"}, 20001),
        ({"To": OWN}, 20001),
        ({"To": OWN, "Body": ""}, 20001),
        ({"To": "15005550006", "Body": "Hi"}, 20001),
        ({"To": f"whatsapp:{OWN}", "Body": "Hi"}, 20001),
        ({"To": PHONE, "Body": "Hi"}, 20001),
        ({"To": [OWN, OWN], "Body": "Hi"}, 20001),
        ({"To": [OWN, "+442071838750"], "Body": "Hi"}, 20001),
        ({"To": [f"+1500555{number:04}" for number in range(2000, 2010)], "Body": "Hi"}, 20001),
        ({"To": OWN, "Body": "x" * 1601}, 20001),
        ({"To": OWN, "Body": "Hi", "ProfileName": "Ada"}, 20001),
        ({"To": OWN, "MediaUrl": "ftp://example.com/x"}, 20001),
        ({"To": OWN, "MediaUrl": "http://127.0.0.1:9/nowhere"}, 20001),
        ({"To": OWN, "MediaUrl": ["http://127.0.0.1:9/x"] * 11}, 20001),
    ],
)
def test_an_invalid_message_is_refused_and_not_stored(
    own: Api, fields: dict[str, Any], code: int
) -> None:
    own.post(MESSAGES, fields).refuses(400, code)
    own.get(f"/VirtualPhones/{PHONE}").refuses(404, 20404)


def test_a_path_that_is_no_address_is_not_found(own: Api) -> None:
    refused = own.post("/VirtualPhones/nobody/Messages", To=OWN, Body="Hi").refuses(404, 20404)
    assert refused["message"].startswith("nobody is no address of a phone, such as +15550100")


def test_other_methods_of_the_messages_are_named_in_the_refusal(own: Api) -> None:
    answer = own.delete(MESSAGES)
    answer.refuses(405, 20004)
    assert answer.headers["allow"] == "GET, POST"


@pytest.mark.parametrize("size", [2 * 1024 * 1024 + 1, 17 * 1024 * 1024])
def test_a_file_that_is_too_large_is_refused_and_leaves_no_phone(own: Api, size: int) -> None:
    form = multipart([("To", OWN)], [("big.png", "image/png", b"x" * size)])
    own.post(MESSAGES, **form).refuses(413, 50512)
    own.get(f"/VirtualPhones/{PHONE}").refuses(404, 20404)


def test_whatsapp_takes_a_larger_file_than_sms(own: Api) -> None:
    content = b"x" * (2 * 1024 * 1024 + 1)
    form = multipart([("To", f"whatsapp:{OWN}")], [("big.png", "image/png", content)])
    sent = own.post(f"/VirtualPhones/{quote(WHATSAPP, safe='')}/Messages", **form).expect(201)
    assert sent["sid"].startswith("WA")
    assert sent["media"][0]["size"] == len(content)


@pytest.mark.parametrize(
    ("files", "status", "code"),
    [
        ([("a", "image/png", b"x")] * 11, 400, 20001),
        ([("a", "no type", b"x")], 400, 50511),
    ],
)
def test_invalid_files_are_refused(
    own: Api, files: list[tuple[str, str, bytes]], status: int, code: int
) -> None:
    own.post(MESSAGES, **multipart([("To", OWN)], files)).refuses(status, code)


def test_other_bodies_are_refused(own: Api) -> None:
    headers = {"Content-Type": "application/json"}
    own.post(MESSAGES, body="{}", headers=headers).refuses(415, 20001)
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    own.post(MESSAGES, body="--y\r\n", headers=headers).refuses(400, 20001)
    own.signed(None, None).post(MESSAGES, To=OWN, Body="Hi").refuses(401, 20003)


def test_messages_are_filtered_and_paged_oldest_first(own: Api) -> None:
    for number, receiver in enumerate((OWN, "+15005550007", OWN)):
        own.post(MESSAGES, To=receiver, Body=str(number)).expect(201)

    def bodies(**query: Any) -> list[str]:
        return [each["body"] for each in own.get(MESSAGES, **query).expect(200)["messages"]]

    assert bodies() == ["0", "1", "2"]
    assert bodies(To=OWN) == ["0", "2"]
    assert bodies(To="+150055500") == bodies(To="%") == []
    assert bodies(Direction="received") == []
    assert bodies(From=PHONE, Direction="sent") == ["0", "1", "2"]
    assert bodies(From=OWN) == []
    assert bodies(After="2020-01-01T00:00:00Z") == ["0", "1", "2"]
    assert bodies(After="2099-01-01T00:00:00Z") == []
    first = own.get(MESSAGES, PageSize=2).expect(200)
    second = own.get(first["meta"]["next_page_url"]).expect(200)
    assert [each["body"] for each in second["messages"]] == ["2"]
    own.get(MESSAGES, Direction="sideways").refuses(400, 20001)
    own.get(MESSAGES, After="yesterday").refuses(400, 20001)


def test_a_message_that_a_phone_sent_cannot_be_read(own: Api) -> None:
    sent = own.post(MESSAGES, To=OWN, Body="Hi").expect(201)
    own.post(f"{MESSAGES}/{sent['sid']}", Status="read").refuses(400, 20001)
    own.post(f"{MESSAGES}/{sent['sid']}", Status="eaten").refuses(400, 20001)
    own.post(f"{MESSAGES}/{sent['sid']}").refuses(400, 20001)
    own.post(f"{MESSAGES}/SM{'0' * 32}", Status="read").refuses(404, 20404)


def test_a_deleted_phone_keeps_the_messages_of_conversations(own: Api) -> None:
    conversation_sid = bind(own, (PHONE, OWN))
    sent = own.post(MESSAGES, To=OWN, Body="Hi").expect(201)
    own.delete(f"/VirtualPhones/{PHONE}").expect(204)
    own.get(MESSAGES).refuses(404, 20404)
    path = f"/Conversations/{conversation_sid}/Messages/{sent['message_sid']}"
    own.under("/v1").get(path).expect(200)


def test_a_group_text_reaches_the_phones_of_the_other_members(own: Api) -> None:
    other = "+15558675311"
    sent = own.post(MESSAGES, {"To": [OWN, other], "Body": "All"}).expect(201)
    members = sorted([OWN, PHONE, other])
    assert sent["sid"].startswith("MM")
    assert (sent["to"], sent["group"]) == ([OWN, other], members)
    [received] = own.get(f"/VirtualPhones/{other}/Messages").expect(200)["messages"]
    assert (received["sid"], received["from"], received["group"]) == (sent["sid"], PHONE, members)
    assert (received["direction"], received["status"]) == ("received", "delivered")
