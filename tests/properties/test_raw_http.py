"""Requests that no client library sends, over raw sockets: rejected in shape, and harmless."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

import pytest

from parlour.vocabulary import limits
from tests.properties.error_assertions import CONVERSATIONS, count, refuses, refuses_connection
from tests.properties.raw_connection import RawConnection

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.client import ApiResponse
    from tests.support.server import Server

MULTIPART = "Content-Type: multipart/form-data; boundary=xyz"


# --- Contents of a form, a query and a path --------------------------------------------------

BROKEN = [b"%", b"%f", b"%zz", b"%u0041", b"a%", b"%ff", b"%C0%AF", b"%ED%A0%80", b"%F5%80%80%80"]
BROKEN += [b"%00", b"a%00b", b"\x00", b"\xff", b"caf\xe9"]


@pytest.mark.parametrize("text", BROKEN)
def test_form_in_invalid_utf8_is_rejected(connection: RawConnection, text: bytes) -> None:
    for body in (b"FriendlyName=" + text, text + b"=x", b"FriendlyName=x&Unknown=" + text):
        refuses(connection.exchange(connection.post(CONVERSATIONS, body)), 400)
    assert count(connection) == 0


@pytest.mark.parametrize("text", [each for each in BROKEN if each.isascii() and each != b"\x00"])
def test_query_and_path_in_invalid_utf8_are_rejected(
    connection: RawConnection, text: bytes
) -> None:
    encoded = text.decode()
    refuses(connection.exchange(connection.get(f"{CONVERSATIONS}?State={encoded}")), 400)
    refuses(connection.exchange(connection.get(f"{CONVERSATIONS}?{encoded}=x")), 400)
    error = refuses(connection.exchange(connection.get(f"{CONVERSATIONS}/{encoded}")), 404, 20404)
    assert encoded in error["message"]


@pytest.mark.parametrize("form", ["&", "&&&", "=", "=x", "a", "&=&", "a&b&c", "a=b=c"])
def test_odd_forms_have_no_known_parameters(connection: RawConnection, form: str) -> None:
    connection.exchange(connection.post(CONVERSATIONS, form.encode())).expect(201)


@pytest.mark.promise("FORM_KEYS_MAX", 400)
def test_ten_thousand_keys_are_rejected(connection: RawConnection) -> None:
    form = b"&".join(b"k%d=v" % number for number in range(10_000))
    refuses(connection.exchange(connection.post(CONVERSATIONS, form)), 400)
    refuses(connection.exchange(connection.get(f"{CONVERSATIONS}?{'&'.join(['a=1'] * 1001)}")), 400)
    connection.exchange(
        connection.post(CONVERSATIONS, b"&".join([b"k=v"] * limits.FORM_KEYS_MAX))
    ).expect(201)


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.promise("BODY_BYTES_MAX", 413)
def test_body_up_to_the_limit_is_read_and_a_longer_one_rejected(
    connection: RawConnection, again: Callable[[], RawConnection], chunked: bool
) -> None:
    def sent(size: int, by: RawConnection) -> bytes:
        body = b"Attributes=" + b"9" * (size - len(b"Attributes="))
        if not chunked:
            return by.post(CONVERSATIONS, body)
        head = by.head(
            f"POST {CONVERSATIONS} HTTP/1.1",
            "Content-Type: application/x-www-form-urlencoded",
            "Transfer-Encoding: chunked",
        )
        return head + b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"

    refuses(connection.exchange(sent(limits.BODY_BYTES_MAX, connection)), 400, 50303)
    for _ in range(5):
        other = again()
        refuses(other.exchange(sent(limits.BODY_BYTES_MAX + 1, other)), 413, 20413)
        assert other.is_closed()
    far_too_long = again()
    refuses(far_too_long.exchange(sent(5 * limits.BODY_BYTES_MAX, far_too_long)), 413, 20413)


@pytest.mark.promise("FORM_ESCAPES_MAX", 413)
@pytest.mark.promise("FORM_ESCAPES_WITH_PARTICIPANTS_MAX", 413)
def test_form_of_escapes_is_rejected_before_it_is_decoded(
    connection: RawConnection, again: Callable[[], RawConnection]
) -> None:
    escapes = b"%41" * (limits.FORM_ESCAPES_MAX + 1)
    refuses(
        connection.exchange(connection.post(CONVERSATIONS, b"FriendlyName=" + escapes)),
        413,
        20413,
    )
    # A form that names participants may have more.
    together = "/v1/ConversationWithParticipants"
    most = b"%41" * limits.FORM_ESCAPES_WITH_PARTICIPANTS_MAX
    for sent, answered in ((escapes, (400, 50003)), (most + b"%41", (413, 20413))):
        other = again()
        refuses(other.exchange(other.post(together, b"FriendlyName=" + sent)), *answered)


def test_the_largest_message_may_be_escaped_byte_by_byte(connection: RawConnection) -> None:
    sid = connection.make(CONVERSATIONS)["sid"]
    body = b"%C3%A9" * (limits.MESSAGE_BODY_BYTES_MAX // 2)
    attributes = b"%22" + b"%41" * (limits.MESSAGE_ATTRIBUTES_BYTES_MAX - 2) + b"%22"
    form = b"Body=" + body + b"&Attributes=" + attributes
    connection.exchange(connection.post(f"{CONVERSATIONS}/{sid}/Messages", form)).expect(201)


DEEP = ["[" * 2000 + "]" * 2000, '{"a":' * 600 + "1" + "}" * 600, "[" * 4000]


@pytest.mark.parametrize("text", [*DEEP, "9" * 4000, "1e999", "-1e-999", '"\\ud800"', "1" * 4096])
def test_deep_and_huge_json_is_stored_unchanged_or_rejected(
    connection: RawConnection, text: str
) -> None:
    sid = connection.make(CONVERSATIONS)["sid"]
    path = f"{CONVERSATIONS}/{sid}/Messages"
    answer = connection.exchange(connection.post(path, f"Attributes={text}".encode()))
    if answer.status == 201:
        assert answer.json["attributes"] == text
        shown = connection.exchange(connection.get(path)).expect(200)["messages"]
        assert [each["attributes"] for each in shown] == [text]
    else:
        refuses(answer, 400, 50304)


@pytest.mark.parametrize(
    "number", ["9" * 19, "9" * 400, "9" * 5000, "-1", "1e3", "0x10", "%D9%A3", ""]
)
def test_huge_and_odd_numbers_are_accepted_or_rejected(
    connection: RawConnection, number: str
) -> None:
    sid = connection.make(CONVERSATIONS)["sid"]
    alice = connection.make(f"{CONVERSATIONS}/{sid}/Participants", Identity="alice")
    path = f"{CONVERSATIONS}/{sid}/Participants/{alice['sid']}"
    answer = connection.exchange(connection.post(path, f"LastReadMessageIndex={number}".encode()))
    if answer.status != 200:
        refuses(answer, 400, 50421)
    for name in ("PageSize", "Page"):
        answer = connection.exchange(connection.get(f"{CONVERSATIONS}?{name}={number}"))
        if answer.status != 200:
            refuses(answer, 400)


# --- Page tokens ------------------------------------------------------------------------------


@pytest.fixture
def token(connection: RawConnection) -> str:
    for _ in range(3):
        connection.make(CONVERSATIONS)
    page = connection.exchange(connection.get(f"{CONVERSATIONS}?PageSize=1")).expect(200)
    found: str = page["meta"]["next_page_url"].partition("PageToken=")[2]
    connection.exchange(connection.get(f"{CONVERSATIONS}?PageToken={found}")).expect(200)
    return found


def test_page_token_is_valid_only_for_its_list(
    server: Server, connection: RawConnection, token: str
) -> None:
    sid = connection.make(CONVERSATIONS)["sid"]
    for path in (
        "/v1/Users",
        "/v1/Services",
        f"{CONVERSATIONS}/{sid}/Messages",
        f"{CONVERSATIONS}?State=active",
    ):
        joint = "&" if "?" in path else "?"
        error = refuses(connection.exchange(connection.get(f"{path}{joint}PageToken={token}")), 400)
        assert error["message"] == "Invalid PageToken."
    with RawConnection(server, server.make_account()) as stranger:
        refuses(stranger.exchange(stranger.get(f"{CONVERSATIONS}?PageToken={token}")), 400)


def test_modified_page_token_is_rejected(connection: RawConnection, token: str) -> None:
    dice = random.Random(1)
    touched = [token[:length] for length in range(len(token))]
    for place, letter in enumerate(token):
        other = dice.choice([each for each in "0aZ_-." if each != letter])
        touched.append(token[:place] + other + token[place + 1 :])
    touched += [token + "A", token + "=", token.lower(), token.upper(), token * 40, "PT", "%00"]
    for text in touched:
        refuses(connection.exchange(connection.get(f"{CONVERSATIONS}?PageToken={text}")), 400)


# --- Bodies and their lengths -----------------------------------------------------------------


def test_a_chunked_body_is_read(connection: RawConnection) -> None:
    head = connection.head(
        f"POST {CONVERSATIONS} HTTP/1.1",
        "Content-Type: application/x-www-form-urlencoded",
        "Transfer-Encoding: chunked",
    )
    chunks = b"8;x=y\r\nFriendly\r\n9\r\nName=a+b%\r\n2\r\n21\r\n0\r\nTrailer: x\r\n\r\n"
    for end in (1, 9, 30, len(head) + len(chunks)):
        whole = head + chunks
        made = (
            connection.exchange(whole[:-end], whole[-end:])
            if end < len(whole)
            else connection.exchange(whole)
        )
        assert made.expect(201)["friendly_name"] == "a b!"


LYING = {
    "a length and chunks": ["Content-Length: 3", "Transfer-Encoding: chunked"],
    "chunks and a length": ["Transfer-Encoding: chunked", "Content-Length: 3"],
    "two lengths": ["Content-Length: 3", "Content-Length: 4"],
    "a negative length": ["Content-Length: -3"],
    "a length with a sign": ["Content-Length: +3"],
    "a length in hex": ["Content-Length: 0x3"],
    "a length of many digits": ["Content-Length: " + "9" * 30],
    "chunks that are not last": ["Transfer-Encoding: chunked, identity"],
    "a space before the colon": ["Content-Length : 3"],
    "a header without a colon": ["Content-Length 3"],
    "a NUL in a header": ["X: a\x00b"],
    "a folded header": ["X: a\r\n b", "Content-Length: 3"],
}


@pytest.mark.parametrize("headers", LYING.values(), ids=LYING)
def test_ambiguous_request_framing_is_rejected(
    connection: RawConnection, again: Callable[[], RawConnection], headers: list[str]
) -> None:
    request = connection.head(f"POST {CONVERSATIONS} HTTP/1.1", *headers) + b"a=b\r\n0\r\n\r\n"
    refuses_connection(connection.exchange(request), 400)
    assert connection.is_closed()
    assert count(again()) == 0


@pytest.mark.parametrize(
    "chunk", [b"zz\r\n", b"-1\r\nx", b"ffffffffffffffffff\r\n", b"3\r\nabcdef\r\n"]
)
def test_broken_chunk_is_rejected(
    connection: RawConnection, again: Callable[[], RawConnection], chunk: bytes
) -> None:
    head = connection.head(f"POST {CONVERSATIONS} HTTP/1.1", "Transfer-Encoding: chunked")
    refuses_connection(connection.exchange(head, chunk), 400)
    assert count(again()) == 0


def test_body_longer_than_its_length_is_answered_first(
    connection: RawConnection, again: Callable[[], RawConnection]
) -> None:
    """The client must receive the created object; the remaining bytes are no request."""
    request = (
        connection.post(CONVERSATIONS, b"FriendlyName=x") + b"and more that was not announced\r\n"
    )
    connection.exchange(request).expect(201)
    refuses_connection(connection.answer(), 400)
    assert connection.is_closed()
    assert count(again()) == 1


def test_truncated_body_changes_nothing(
    connection: RawConnection, again: Callable[[], RawConnection]
) -> None:
    connection.send(connection.post(CONVERSATIONS, b"FriendlyName=x" * 9)[:-1])
    connection.socket.shutdown(1)
    assert connection.is_closed()
    assert count(again()) == 0


def test_expect_100_continue_gets_100_or_the_error(
    connection: RawConnection, again: Callable[[], RawConnection]
) -> None:
    whole = connection.post(CONVERSATIONS, b"FriendlyName=x", "Expect: 100-continue")
    head, body = whole[:-14], whole[-14:]
    assert connection.exchange(head).status == 100
    assert connection.exchange(body).expect(201)["friendly_name"] == "x"
    other = again()
    long = other.head(
        f"POST {CONVERSATIONS} HTTP/1.1", "Content-Length: 9999999", "Expect: 100-continue"
    )
    refuses(other.exchange(long), 413, 20413)
    stranger = again()
    stranger.authorization = "X: y"
    refuses(
        stranger.exchange(stranger.post(CONVERSATIONS, b"", "Expect: 100-continue")), 401, 20003
    )


@pytest.mark.parametrize(
    "kind", ["application/json", "text/plain", "application/xml", "x", "application/octet-stream"]
)
def test_body_of_another_type_is_rejected(connection: RawConnection, kind: str) -> None:
    sent = connection.head(
        f"POST {CONVERSATIONS} HTTP/1.1", f"Content-Type: {kind}", "Content-Length: 2"
    )
    refuses(connection.exchange(sent + b"{}"), 415)
    assert count(connection) == 0


def part(name: str, text: str) -> str:
    """Return one part of a multipart form."""
    return f'--xyz\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'


def multipart(connection: RawConnection, body: str, kind: str = MULTIPART) -> ApiResponse:
    """Return the response to a POST of a multipart form."""
    encoded = body.encode("utf-8", "surrogateescape")
    head = connection.head(
        f"POST {CONVERSATIONS} HTTP/1.1", kind, f"Content-Length: {len(encoded)}"
    )
    return connection.exchange(head + encoded)


def test_a_multipart_form_is_read(connection: RawConnection) -> None:
    body = part("FriendlyName", "Größe + %41") + part("Attributes", '{"a":1}') + "--xyz--\r\n"
    made = multipart(connection, body).expect(201)
    assert (made["friendly_name"], made["attributes"]) == ("Größe + %41", '{"a":1}')


@pytest.mark.parametrize(
    "body",
    [
        "",
        "--xyz",
        part("FriendlyName", "x"),
        part("FriendlyName", "\x00") + "--xyz--\r\n",
        part("FriendlyName", "\udcff") + "--xyz--\r\n",
        part("", "x") + "--xyz--\r\n",
        "--xyz\r\nContent-Disposition: form-data\r\n\r\nx\r\n--xyz--\r\n",
        "--xyz\r\n\r\nx\r\n--xyz--\r\n",
        "--xyz\r\n" + "X" * 20_000 + ": y\r\n\r\nx\r\n--xyz--\r\n",
        part("k", "v") * 10_000 + "--xyz--\r\n",
    ],
    ids=range(10),
)
def test_broken_multipart_form_is_rejected(connection: RawConnection, body: str) -> None:
    refuses(multipart(connection, body), 400)
    assert count(connection) == 0


def test_multipart_form_without_a_boundary_is_rejected(connection: RawConnection) -> None:
    refuses(multipart(connection, "--xyz--\r\n", "Content-Type: multipart/form-data"), 400)


# --- Methods and paths ------------------------------------------------------------------------


def test_head_is_get_without_a_body(connection: RawConnection) -> None:
    sid = connection.make(CONVERSATIONS)["sid"]
    for target, status in ((f"{CONVERSATIONS}/{sid}", 200), (f"{CONVERSATIONS}/no", 404)):
        got = connection.exchange(connection.get(target))
        connection.send(connection.get(target).replace(b"GET", b"HEAD", 1))
        head = connection.answer(to_head=True)
        assert (got.status, head.status) == (status, status)
        assert head.headers["Content-Length"] == got.headers["Content-Length"]
        assert set(head.headers) == set(got.headers)
    assert count(connection) == 1


@pytest.mark.parametrize("path", [CONVERSATIONS, f"{CONVERSATIONS}/x", "/v1/nowhere", "*"])
def test_options_needs_no_credentials(connection: RawConnection, path: str) -> None:
    connection.authorization = "Origin: https://example.com"
    answer = connection.exchange(
        connection.head(f"OPTIONS {path} HTTP/1.1", "Access-Control-Request-Method: POST")
    )
    assert answer.status == 204
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]


@pytest.mark.parametrize("method", ["PUT", "PATCH", "TRACE", "PROPFIND", "LOCK"])
def test_other_methods_are_not_allowed(connection: RawConnection, method: str) -> None:
    for target, offered in (
        (CONVERSATIONS, "GET, POST"),
        (f"{CONVERSATIONS}/x", "GET, POST, DELETE"),
    ):
        answer = connection.exchange(
            connection.head(f"{method} {target} HTTP/1.1", "Content-Length: 2") + b"{}"
        )
        refuses(answer, 405, 20004)
        assert answer.headers["Allow"] == offered
    assert count(connection) == 0


@pytest.mark.parametrize(
    "path",
    [
        "/v1/Conversations/",
        "/v1//Conversations",
        "//v1/Conversations",
        "/v1/./Conversations",
        "/v1/x/../Conversations",
        "/v1/conversations",
        "/v1/Conversations.json",
        "/v1/%43onversations",
        "/V1/Conversations",
        "/",
        "/v1",
        "/v1/",
        "/v2/Conversations",
        "/v1/Conversations;x",
        "/v1/Conversations/x/Participants/",
        "/v1/Conversations//Participants",
        "/healthz/",
    ],
)
def test_path_is_used_unchanged(connection: RawConnection, path: str) -> None:
    error = refuses(connection.exchange(connection.get(path)), 404, 20404)
    shown = path.removeprefix("/v1") or "/" if path.startswith("/v1") else path
    assert error["message"] == f"The requested resource {shown} was not found"


IDENTITIES = {
    "user@example.com": ["user@example.com", "user%40example.com", "user%40exam%70le.com"],
    "+15550001111": ["+15550001111", "%2B15550001111"],
    "a/b": ["a%2Fb", "a%2fb"],
    "100%": ["100%25"],
    "%41": ["%2541"],
    "a b": ["a%20b"],
    "Zoë": ["Zo%C3%AB", "Zo%c3%ab"],
    "a?b#c": ["a%3Fb%23c"],
    "..": ["..", "%2e%2e"],
    "a;b=c,d": ["a;b=c,d", "a%3Bb%3Dc%2Cd"],
    '{}|\\^`"<>': ["%7B%7D%7C%5C%5E%60%22%3C%3E", '{}|\\^`"<>'],
}


@pytest.mark.parametrize("identity", IDENTITIES)
def test_an_identity_in_a_path_is_decoded_once(connection: RawConnection, identity: str) -> None:
    encoded = "".join(f"%{byte:02X}" for byte in identity.encode())
    sid = connection.exchange(connection.post("/v1/Users", f"Identity={encoded}".encode())).expect(
        201
    )["sid"]
    for spelled in IDENTITIES[identity]:
        found = connection.exchange(connection.get(f"/v1/Users/{spelled}")).expect(200)
        assert (found["sid"], found["identity"]) == (sid, identity), spelled


def test_absolute_form_of_a_target_is_accepted(connection: RawConnection) -> None:
    connection.exchange(connection.get(f"http://{connection.host}{CONVERSATIONS}")).expect(200)


def test_no_request_content_is_copied_into_a_header(connection: RawConnection) -> None:
    answer = connection.exchange(connection.get(f"{CONVERSATIONS}/x%0d%0aSet-Cookie:%20a=b"))
    refuses(answer, 404, 20404)
    assert "Set-Cookie" not in answer.headers
    assert json.loads(answer.body)["message"].endswith("x%0d%0aSet-Cookie:%20a=b was not found")
