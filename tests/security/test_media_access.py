"""Media are visible to their uploaders and to the participants of their conversation only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.resources.media_setup import MediaClient, direct_url

if TYPE_CHECKING:
    from tests.resources.media_setup import Medium
    from tests.support.client import Api, ApiResponse
    from tests.support.server import Server

NEVER = "f" * 32
SECRET = b"what only the two of them know"
STRANGERS = ("another identity", "another service", "another account", "removed")


@pytest.fixture
def place(api: Api) -> Api:
    """Return a new service."""
    return api.service(api.post("/Services", FriendlyName="Theirs").expect(201)["sid"])


@pytest.fixture
def medium(server: Server, api: Api, place: Api) -> Medium:
    """A medium that alice sent to bob and eve."""
    service_sid = place.prefix.rsplit("/", 1)[-1]
    path = "/Conversations/" + place.post("/Conversations", UniqueName="talk").expect(201)["sid"]
    for identity in ("alice", "bob", "eve"):
        place.post(f"{path}/Participants", Identity=identity).expect(201)
    made = MediaClient.of_user(server, api, service_sid, "alice").add(SECRET, Filename="secret.txt")
    form = {"Author": "alice", "MediaSid": made["sid"]}
    place.post(f"{path}/Messages", form).expect(201)
    return made


@pytest.fixture(params=STRANGERS)
def strangers(
    request: pytest.FixtureRequest, server: Server, api: Api, foreign_api: Api, medium: Medium
) -> list[MediaClient]:
    """The ways in which a user who is no participant may request a medium."""
    theirs = medium["service_sid"]
    if request.param == "another identity":
        return [MediaClient.of_user(server, api, theirs, "mallory")]
    if request.param == "removed":
        api.service(theirs).delete("/Conversations/talk/Participants/eve").expect(204)
        return [MediaClient.of_user(server, api, theirs, "eve")]
    account = api if request.param == "another service" else foreign_api
    other = account.post("/Services", FriendlyName="Elsewhere").expect(201)["sid"]
    user = MediaClient.of_user(server, account, other, "alice")
    shelves = [user, MediaClient(server, theirs, user.credentials)]
    whole = MediaClient.of_account(server, account, other)
    # The account itself sees its media, in their service.
    shelves.append(whole)
    if request.param == "another account":
        shelves.append(MediaClient(server, theirs, whole.credentials))
    return shelves


def comparable(answer: ApiResponse, sid: str) -> tuple[int, str]:
    """Return status and body, without the requested sid."""
    assert SECRET not in answer.body
    assert b"secret.txt" not in answer.body
    return answer.status, answer.text.replace(sid, "")


def test_a_medium_looks_like_one_that_was_never_made(
    medium: Medium, strangers: list[MediaClient]
) -> None:
    sid, never = medium["sid"], "ME" + NEVER
    for media_client in strangers:
        for way in (
            media_client.look,
            media_client.content,
            lambda each, at=media_client: at.check_all([each]),
        ):
            assert comparable(way(sid), sid) == comparable(way(never), never)
        for answer in (media_client.look(sid), media_client.content(sid)):
            assert answer.status in {401, 403, 404}


def test_participants_see_it_until_they_are_none(
    server: Server, api: Api, place: Api, medium: Medium
) -> None:
    service_sid = place.prefix.rsplit("/", 1)[-1]
    eve = MediaClient.of_user(server, api, service_sid, "eve")
    assert eve.sees(medium["sid"])
    assert eve.content(medium["sid"]).body == SECRET
    place.delete("/Conversations/talk/Participants/eve").expect(204)
    assert not eve.sees(medium["sid"])
    assert MediaClient.of_user(server, api, service_sid, "bob").sees(medium["sid"])


def test_unsent_media_are_visible_to_the_uploader_only(
    server: Server, api: Api, place: Api
) -> None:
    service_sid = place.prefix.rsplit("/", 1)[-1]
    alice, bob = (MediaClient.of_user(server, api, service_sid, name) for name in ("alice", "bob"))
    made = alice.add(SECRET)
    assert alice.sees(made["sid"])
    assert not bob.sees(made["sid"])


def test_a_temporary_url_is_valid_for_its_medium_only(
    server: Server, api: Api, place: Api, medium: Medium
) -> None:
    service_sid = place.prefix.rsplit("/", 1)[-1]
    alice = MediaClient.of_user(server, api, service_sid, "alice")
    other = alice.add(b"another secret")
    url = direct_url(medium)
    assert alice.send_bare("GET", url).body == SECRET
    path, _, query = url.partition("?")
    assert query
    changed = [
        url.replace(medium["sid"], other["sid"]),
        path,
        *(url[:at] + ("0" if url[at] != "0" else "1") + url[at + 1 :] for at in places(url)),
        url[:-1],
    ]
    for each in changed:
        if each != url:
            answer = alice.send_bare("GET", each)
            assert answer.status in {400, 401, 403, 404}, each
            assert SECRET not in answer.body
            assert b"another secret" not in answer.body


def places(url: str) -> range:
    """Every character of the signed text and of the signature."""
    return range(url.index("?") + 1, len(url))
