"""Access to media: uploaders, participants and the account only.

Each way to read a medium is tried each time: the lookup, the set, the content, and temporary URLs
issued before. A caller without access gets the response for a medium that never existed.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from parlour.protocol.media_urls import MediaLink, MediaUrls
from parlour.store.key_file import load_vault
from parlour.vocabulary.clock import SystemRandom
from parlour.vocabulary.scope import Scope
from tests.resources.media_setup import MediaClient, Medium, direct_url
from tests.resources.message_setup import rows
from tests.resources.settings_setup import new_account_api, new_service_api
from tests.support.polling import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.client import Api, ApiResponse
    from tests.support.server import Server

NEVER = "ME" + "0" * 32
# With several nodes, objects below a deleted service are removed after a delay.
PURGE_SECONDS_MAX = 15.0


@dataclass
class MediaConversation:
    """A separate service, with a conversation of alice and bob; carol is elsewhere."""

    server: Server
    account: Api
    service: Api
    service_sid: str
    conversation_sid: str

    def media_client(self, identity: str | None = None) -> MediaClient:
        """Return a client of the account or of one user for the media of the service."""
        if identity is None:
            return MediaClient.of_account(self.server, self.account, self.service_sid)
        return MediaClient.of_user(self.server, self.account, self.service_sid, identity)

    @property
    def path(self) -> str:
        """The path of the conversation."""
        return f"/Conversations/{self.conversation_sid}"

    def send(self, medium: Medium, **form: str) -> dict[str, Any]:
        """Send a message with a medium."""
        form = {"MediaSid": medium["sid"], **form}
        made: dict[str, Any] = self.service.post(f"{self.path}/Messages", form).expect(201)
        return made

    def remove_participant(self, identity: str) -> None:
        """Remove a participant."""
        self.service.delete(f"{self.path}/Participants/{identity}").expect(204)


@pytest.fixture
def media_conversation(server: Server) -> Iterator[MediaConversation]:
    """A separate in-process server for a test."""
    account = new_account_api(server)
    service = new_service_api(account)
    conversation = service.post("/Conversations", FriendlyName="room").expect(201)
    other = service.post("/Conversations", FriendlyName="other").expect(201)
    for sid, identity in (
        (conversation["sid"], "alice"),
        (conversation["sid"], "bob"),
        (other["sid"], "carol"),
    ):
        path = f"/Conversations/{sid}/Participants"
        service.post(path, Identity=identity).expect(201)
    yield MediaConversation(
        server, account, service, conversation["chat_service_sid"], conversation["sid"]
    )
    account.close()


def looks_like_never_made(media_client: MediaClient, sid: str) -> None:
    """Check that every response about a medium equals that for one which never existed."""
    for send_request in (media_client.look, media_client.content):
        there, never = send_request(sid), send_request(NEVER)
        assert there.status == never.status == 404
        assert there.body.replace(sid.encode(), b"") == never.body.replace(NEVER.encode(), b"")
        names = [sorted(answer.headers.keys()) for answer in (there, never)]
        assert names[0] == names[1]
    [found] = media_client.check_all([sid]).expect(200)
    assert found == {"code": 404, "media_record": {"sid": sid}}


def test_an_upload_is_its_uploaders_until_a_message_carries_it(
    media_conversation: MediaConversation,
) -> None:
    alice, bob = media_conversation.media_client("alice"), media_conversation.media_client("bob")
    medium = alice.add()
    assert alice.sees(medium["sid"])
    assert media_conversation.media_client().sees(medium["sid"])
    for other in (
        bob,
        media_conversation.media_client("carol"),
        media_conversation.media_client("nobody yet"),
    ):
        looks_like_never_made(other, medium["sid"])


def test_an_upload_of_the_account_is_for_no_user_until_it_is_sent(
    media_conversation: MediaConversation,
) -> None:
    medium = media_conversation.media_client().add()
    looks_like_never_made(media_conversation.media_client("alice"), medium["sid"])
    media_conversation.send(medium)
    assert media_conversation.media_client("alice").sees(medium["sid"])


def test_a_sent_medium_is_for_the_participants(media_conversation: MediaConversation) -> None:
    alice, bob, account = (
        media_conversation.media_client("alice"),
        media_conversation.media_client("bob"),
        media_conversation.media_client(),
    )
    medium = alice.add(b"for both", Filename="f.txt")
    message = media_conversation.send(medium, Author="alice")
    for media_client in (alice, bob, account):
        found = media_client.look(medium["sid"]).expect(200)
        assert (found["message_sid"], found["channel_sid"]) == (
            message["sid"],
            media_conversation.conversation_sid,
        )
        assert media_client.sees(medium["sid"])
        assert media_client.direct(found).body == b"for both"
    for other in (
        media_conversation.media_client("carol"),
        media_conversation.media_client("nobody yet"),
    ):
        looks_like_never_made(other, medium["sid"])


@pytest.mark.promise("reference/quirks.md", "a removed participant's URL answers 404")
def test_a_removed_participant_loses_access(
    media_conversation: MediaConversation,
) -> None:
    alice, bob = media_conversation.media_client("alice"), media_conversation.media_client("bob")
    medium = alice.add()
    media_conversation.send(medium)
    given_out = bob.look(medium["sid"]).expect(200)
    assert bob.direct(given_out).status == 200
    media_conversation.remove_participant("bob")
    looks_like_never_made(bob, medium["sid"])
    assert bob.direct(given_out).status == 404
    # Nor does the uploader after leaving.
    given_out = alice.look(medium["sid"]).expect(200)
    media_conversation.remove_participant("alice")
    looks_like_never_made(alice, medium["sid"])
    assert alice.direct(given_out).status == 404
    assert alice.direct(medium).status == 404
    assert media_conversation.media_client().sees(medium["sid"])


def test_an_uploaders_url_is_valid_while_they_participate(
    media_conversation: MediaConversation,
) -> None:
    alice = media_conversation.media_client("alice")
    medium = alice.add(b"mine")
    media_conversation.send(medium)
    assert alice.direct(medium).body == b"mine"


def test_urls_of_a_deleted_user_are_invalid(media_conversation: MediaConversation) -> None:
    alice = media_conversation.media_client("alice")
    medium = alice.add()
    assert alice.direct(medium).status == 200
    media_conversation.service.delete("/Users/alice").expect(204)
    assert alice.direct(medium).status == 404


@pytest.mark.parametrize("goes", ["message", "conversation", "service"])
def test_deleted_media_are_hidden_at_once_and_removed_from_disk_later(
    media_conversation: MediaConversation, goes: str
) -> None:
    shelves = [
        media_conversation.media_client("alice"),
        media_conversation.media_client("bob"),
        media_conversation.media_client(),
    ]
    medium = shelves[0].add()
    waiting = shelves[0].add()
    message = media_conversation.send(medium)
    urls = [media_client.look(medium["sid"]).expect(200) for media_client in shelves]
    assert files_of(media_conversation, medium)
    path = {
        "message": f"{media_conversation.path}/Messages/{message['sid']}",
        "conversation": media_conversation.path,
        "service": f"/v1/Services/{media_conversation.service_sid}",
    }[goes]
    media_conversation.service.delete(path).expect(204)
    for media_client, url in zip(shelves, urls, strict=True):
        assert media_client.direct(url).status == 404
        assert media_client.look(medium["sid"]).status == 404
    eventually(
        lambda: files_of(media_conversation, medium),
        lambda found: not found,
        seconds=PURGE_SECONDS_MAX,
    )
    sql = "SELECT COUNT(*) FROM media WHERE sid = ?"
    eventually(
        lambda: rows(media_conversation.server, sql, medium["sid"]),
        lambda found: found == [(0,)],
        seconds=PURGE_SECONDS_MAX,
    )
    if goes == "service":
        eventually(
            lambda: files_of(media_conversation, waiting),
            lambda found: not found,
            seconds=PURGE_SECONDS_MAX,
        )
    else:
        assert shelves[0].sees(waiting["sid"])


def files_of(media_conversation: MediaConversation, medium: Medium) -> list[str]:
    """Return the files of a medium, under any name."""
    folder = media_conversation.server.data_dir / "media"
    return [str(path) for path in folder.rglob(f"*{medium['sid']}*")]


# --- Other services and accounts ------------------------------------------------------------


def test_another_service_of_the_account_sees_nothing(media_conversation: MediaConversation) -> None:
    medium = media_conversation.media_client("alice").add()
    other = new_service_api(media_conversation.account)
    sid = other.get("/Configuration").expect(200)["chat_service_sid"]
    for media_client in (
        MediaClient.of_account(media_conversation.server, media_conversation.account, sid),
        MediaClient.of_user(media_conversation.server, media_conversation.account, sid, "alice"),
    ):
        looks_like_never_made(media_client, medium["sid"])
    conversation = other.post("/Conversations").expect(201)
    answer = other.post(f"/Conversations/{conversation['sid']}/Messages", MediaSid=medium["sid"])
    answer.refuses(400, 50507)


def test_another_account_sees_nothing(
    media_conversation: MediaConversation, server: Server
) -> None:
    medium = media_conversation.media_client("alice").add()
    twin = new_account_api(server)
    twin_service = new_service_api(twin)
    sid = twin_service.get("/Configuration").expect(200)["chat_service_sid"]
    looks_like_never_made(MediaClient.of_account(server, twin, sid), medium["sid"])
    looks_like_never_made(MediaClient.of_user(server, twin, sid, "alice"), medium["sid"])
    # Another account's service is not found either.
    foreign = MediaClient.of_account(server, twin, media_conversation.service_sid)
    looks_like_never_made(foreign, medium["sid"])
    there, never = foreign.upload(), MediaClient.of_account(server, twin, "IS" + "0" * 32).upload()
    assert there.status == never.status == 404
    twin.close()


# --- Temporary URLs -------------------------------------------------------------------------


@pytest.fixture
def urls(server: Server) -> MediaUrls:
    """Return the signer of the shared server's URLs."""
    return MediaUrls(load_vault(server.data_dir, SystemRandom()).media_url_key)


def refusals(media_conversation: MediaConversation, medium: Medium) -> list[str]:
    """URLs that differ slightly from the one of a record."""
    parts = urlsplit(direct_url(medium))
    url_query = dict(parse_qsl(parts.query))
    forged = [
        {**url_query, "Signature": "0" * 64},
        {**url_query, "Signature": url_query["Signature"].upper()},
        {**url_query, "Signature": url_query["Signature"][:-1]},
        {**url_query, "Signature": "ü" * 64},
        {**url_query, "Signature": ""},
        {**url_query, "Expires": str(int(url_query["Expires"]) + 1)},
        {**url_query, "Expires": url_query["Expires"] + "0"},
        {**url_query, "Expires": f" {url_query['Expires']}"},
        {**url_query, "Expires": "-1"},
        {**url_query, "Expires": "9" * 400},
        {**url_query, "User": "US" + "0" * 32},
        {**url_query, "User": "x"},
        {name: text for name, text in url_query.items() if name != "User"},
        {},
    ]
    paths = [f"{parts.path}?{urlencode(query)}" for query in forged]
    account, service, _ = parts.path.split("/")[2:]
    other = media_conversation.media_client("alice").add()["sid"]
    # The same query with another medium, existing or not, and with other names.
    paths += [
        f"{path}?{parts.query}"
        for path in (
            f"/media-direct/{account}/{service}/{other}",
            f"/media-direct/{account}/{service}/{NEVER}",
            f"/media-direct/{account}/IS{'0' * 32}/{medium['sid']}",
            f"/media-direct/AC{'0' * 32}/{service}/{medium['sid']}",
            f"/media-direct/{medium['sid']}",
            f"/media-direct/{account}/{service}/{medium['sid']}/Content",
            "/media-direct/",
        )
    ]
    return [*paths, f"{parts.path}?{parts.query}&x=%ff", f"{parts.path}?{parts.query}&Expires=1"]


@pytest.mark.promise("reference/quirks.md", "A forged or expired one answers 403")
def test_a_forged_url_confirms_nothing(media_conversation: MediaConversation) -> None:
    medium = media_conversation.media_client("alice").add()
    answers = [
        media_conversation.media_client().send_bare("GET", path)
        for path in refusals(media_conversation, medium)
    ]
    assert {(answer.status, answer.body) for answer in answers} == {(403, answers[0].body)}
    answers[0].refuses(403, 20403)
    assert media_conversation.media_client().direct(medium).status == 200


def test_a_url_ends(media_conversation: MediaConversation, urls: MediaUrls) -> None:
    medium = media_conversation.media_client("alice").add()
    url_query = dict(parse_qsl(urlsplit(direct_url(medium)).query))
    scope = Scope(medium["account_sid"], medium["service_sid"])

    def send_request(seconds: int) -> ApiResponse:
        link = MediaLink(
            scope, medium["sid"], url_query["User"], int(url_query["Expires"]) + seconds
        )
        return media_conversation.media_client().send_bare("GET", urls.sign(link))

    assert send_request(0).status == 200
    send_request(-400).refuses(403, 20403)
    link = MediaLink(scope, NEVER, url_query["User"], int(url_query["Expires"]) - 400)
    expired_of_nothing = media_conversation.media_client().send_bare("GET", urls.sign(link))
    assert expired_of_nothing.body == send_request(-400).body


def test_a_signature_of_another_key_is_rejected(media_conversation: MediaConversation) -> None:
    medium = media_conversation.media_client("alice").add()
    url_query = dict(parse_qsl(urlsplit(direct_url(medium)).query))
    scope = Scope(medium["account_sid"], medium["service_sid"])
    link = MediaLink(scope, medium["sid"], url_query["User"], int(url_query["Expires"]))
    forged = MediaUrls(hmac.digest(b"guessed", b"media-url", hashlib.sha256)).sign(link)
    media_conversation.media_client().send_bare("GET", forged).refuses(403, 20403)


def test_credentials_do_not_help_a_bad_url(media_conversation: MediaConversation) -> None:
    medium = media_conversation.media_client().add()
    path = urlsplit(direct_url(medium)).path
    media_conversation.media_client().send_request("GET", path).refuses(403, 20403)


@pytest.mark.parametrize("status", ["suspended", "closed"])
def test_a_url_of_an_inactive_account_is_rejected(
    media_conversation: MediaConversation, status: str
) -> None:
    shelves = [media_conversation.media_client(), media_conversation.media_client("alice")]
    media = [media_client.add() for media_client in shelves]
    media_conversation.server.command(
        "account", "status", str(media_conversation.account.sid), status
    )
    for media_client, medium in zip(shelves, media, strict=True):
        assert media_client.direct(medium).status == 404
    # A login is cached for a second; a token is verified each time.
    shelves[1].look(media[1]["sid"]).refuses(403, 20005)
