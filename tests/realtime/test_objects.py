"""Realtime objects as a client opens them: shapes, pages, and access."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.realtime.sample_conversation import SampleConversation, connected

if TYPE_CHECKING:
    from tests.support.client import Api
    from tests.support.server import Server
    from tests.support.twilsock_client import Socket


def items(socket: Socket, kind: str, name: str, **params: str) -> tuple[list[Any], dict[str, Any]]:
    """Return the items of a page, and its metadata."""
    answer = socket.send_request("GET", f"/v3/{kind}/{name}/Items", params=params)
    assert answer.status == 200, answer
    return answer.body["items"], answer.body["meta"]


def test_a_conversation_is_a_document_with_all_that_the_client_reads(
    server: Server, api: Api
) -> None:
    sample = SampleConversation.made(
        api, FriendlyName="Support", UniqueName="support-9", Attributes='{"a": 1}'
    )
    sample.add_message("one")
    sample.add_message("two")
    with connected(server, "alice") as socket:
        document = socket.open("Documents", f"{sample.sid}.channel")
        assert document["unique_name"] == f"{sample.sid}.channel"
        assert document["sid"].startswith("ET")
        data = document["data"]
        assert data["sid"] == sample.sid
        assert data["friendlyName"] == "Support"
        assert data["uniqueName"] == "support-9"
        assert data["attributes"] == '{"a": 1}'
        assert data["createdBy"] == "system"
        assert data["state"]["current"] == "active"
        assert data["messages"] == f"{sample.sid}.messages"
        assert data["roster"] == f"{sample.sid}.roster"
        assert data["lastMessage"]["index"] == 1
        assert data["dateCreated"].endswith("Z")
        by_sid = socket.open("Documents", document["sid"])
        assert by_sid == document | {
            "last_event_id": by_sid["last_event_id"],
            "revision": by_sid["revision"],
        }


def test_the_roster_lists_the_participants(server: Server, api: Api) -> None:
    sample = SampleConversation.made(api)
    api.post(
        f"{sample.path}/Participants",
        **{
            "MessagingBinding.Address": "+15005550100",
            "MessagingBinding.ProxyAddress": "+15005550999",
        },
    ).expect(201)
    with connected(server, "alice") as socket:
        found, meta = items(socket, "Maps", f"{sample.sid}.roster", Order="asc", PageSize="50")
        assert [each["key"] for each in found] == sorted(each["key"] for each in found)
        assert meta["next_token"] is None
        assert meta["previous_token"] is None
        by_identity = {each["data"]["identity"]: each["data"] for each in found}
        assert set(by_identity) == {"alice", "bob", None}
        assert by_identity[None]["type"] == "sms"
        bob_sid = api.get("/Users/bob").expect(200)["sid"]
        assert by_identity["bob"]["userInfo"] == f"{bob_sid}.info"
        assert by_identity["bob"]["type"] == "chat"
        assert by_identity["bob"]["attributes"] == "{}"


def test_user_info_is_a_map_of_properties(server: Server, api: Api) -> None:
    api.post("/Users", Identity="named", FriendlyName="Name").expect(201)
    sid = api.get("/Users/named").expect(200)["sid"]
    with connected(server, "alice") as socket:
        answer = socket.send_request("GET", f"/v3/Maps/{sid}.info", params={"Include": "items"})
        shown = {each["key"]: each["data"] for each in answer.body["items"]}
        assert shown == {"friendlyName": {"value": "Name"}, "attributes": {"value": "{}"}}
        found, _ = items(socket, "Maps", f"{sid}.info", Key="friendlyName")
        assert found[0]["data"] == {"value": "Name"}
        assert items(socket, "Maps", f"{sid}.info", Key="nothing")[0] == []


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_of_messages_meet_without_gap_or_overlap(
    server: Server, api: Api, order: str
) -> None:
    sample = SampleConversation.made(api)
    messages = [sample.add_message(f"message {number}") for number in range(25)]
    for deleted in (0, 7, 13, 24):
        api.delete(f"{sample.path}/Messages/{messages[deleted]['sid']}").expect(204)
    expected = [number for number in range(25) if number not in {0, 7, 13, 24}]
    if order == "desc":
        expected.reverse()
    with connected(server, "alice") as socket:
        name = f"{sample.sid}.messages"
        found, meta = items(socket, "Lists", name, Order=order, PageSize="10")
        assert meta["previous_token"] is None
        pages = [found]
        while meta["next_token"]:
            found, meta = items(socket, "Lists", name, PageToken=meta["next_token"])
            pages.append(found)
            assert meta["previous_token"] is not None
        assert [each["index"] for page in pages for each in page] == expected
        assert [len(page) for page in pages] == [10, 10, 1]
        back = []
        while meta["previous_token"]:
            found, meta = items(socket, "Lists", name, PageToken=meta["previous_token"])
            back = found + back
            assert meta["next_token"] is not None
        assert [each["index"] for each in back] == expected[:20]


def test_from_is_inclusive_and_need_not_exist(server: Server, api: Api) -> None:
    sample = SampleConversation.made(api)
    messages = [sample.add_message(str(number)) for number in range(6)]
    api.delete(f"{sample.path}/Messages/{messages[3]['sid']}").expect(204)
    with connected(server, "alice") as socket:
        name = f"{sample.sid}.messages"

        def indexes(**params: str) -> list[int]:
            return [each["index"] for each in items(socket, "Lists", name, **params)[0]]

        assert indexes(From="2", Order="asc", PageSize="10") == [2, 4, 5]
        assert indexes(From="3", Order="asc", PageSize="10") == [4, 5]
        assert indexes(From="3", Order="desc", PageSize="10") == [2, 1, 0]
        assert indexes(From="99", Order="asc") == []
        assert indexes(From="-1", Order="desc") == []
        _, meta = items(socket, "Lists", name, From="99", Order="asc")
        assert meta["previous_token"] is not None
        _, meta = items(socket, "Lists", name, From="0", Order="asc", PageSize="2")
        assert meta["previous_token"] is None
        assert indexes(Index="4") == [4]
        assert indexes(Index="3") == []


@pytest.mark.parametrize(
    "params",
    [
        {"PageSize": "0"},
        {"PageSize": "x"},
        {"PageSize": "-1"},
        {"Order": "up"},
        {"From": "x"},
        {"From": "9" * 40},
        {"PageToken": "x"},
        {"PageToken": "W10="},
        {"PageToken": ""},
        {"PageToken": "WzAsNSwieCIsMF0="},
    ],
)
def test_an_invalid_page_is_rejected(server: Server, api: Api, params: dict[str, str]) -> None:
    sample = SampleConversation.made(api)
    with connected(server, "alice") as socket:
        answer = socket.send_request("GET", f"/v3/Lists/{sample.sid}.messages/Items", params=params)
        assert answer.status == 400, answer


def test_a_page_never_has_more_than_a_hundred(server: Server, api: Api) -> None:
    sample = SampleConversation.made(api)
    with connected(server, "alice") as socket:
        _, meta = items(socket, "Lists", f"{sample.sid}.messages", PageSize="1000000000")
        assert meta["page_size"] == 100


def test_a_hidden_object_is_like_a_nonexistent_one(
    server: Server, api: Api, foreign_api: Api
) -> None:
    sample = SampleConversation.made(api, "alice")
    foreign = SampleConversation.made(foreign_api, "alice")
    mallory = api.post("/Users", Identity="mallory").expect(201)["sid"]
    foreign_user = foreign_api.get("/Users/alice").expect(200)["sid"]
    never = "f" * 32
    with connected(server, "eve") as socket, connected(server, "alice") as alice:
        for kind, ending in (("Documents", "channel"), ("Lists", "messages"), ("Maps", "roster")):
            opened = alice.open(kind, f"{sample.sid}.{ending}")
            unseen = [f"{sample.sid}.{ending}", f"{foreign.sid}.{ending}", f"CH{never}.{ending}"]
            for way in ("", "/Items") if kind != "Documents" else ("",):
                answers = [socket.send_request("GET", f"/v3/{kind}/{name}{way}") for name in unseen]
                assert {answer.status for answer in answers} == {404}
                assert [answer.body for answer in answers] == [answers[0].body] * 3
            by_sid = [opened["sid"], opened["sid"][:2] + never]
            answers = [socket.send_request("GET", f"/v3/{kind}/{sid}") for sid in by_sid]
            assert {answer.status for answer in answers} == {404}
            assert answers[0].body == answers[1].body
        for name in (f"{mallory}.myConversations", f"{foreign_user}.info"):
            assert socket.send_request("GET", f"/v3/Maps/{name}").status == 404


def test_a_creator_sees_the_document_before_joining_and_nothing_else(
    server: Server, api: Api
) -> None:
    del api
    with connected(server, "founder") as socket:
        made = socket.send_request("POST", "/Client/v2/Conversations", {"friendly_name": "mine"})
        assert made.status == 201, made
        sid = made.body["sid"]
        assert socket.open("Documents", f"{sid}.channel")["data"]["createdBy"] == "founder"
        assert socket.send_request("GET", f"/v3/Lists/{sid}.messages").status == 404
        assert socket.send_request("GET", f"/v3/Maps/{sid}.roster").status == 404


@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT", "PATCH"])
def test_clients_cannot_write_objects(server: Server, api: Api, method: str) -> None:
    sample = SampleConversation.made(api)
    with connected(server, "alice") as socket:
        for path in (
            f"/v3/Documents/{sample.sid}.channel",
            f"/v3/Lists/{sample.sid}.messages/Items",
            f"/v3/Maps/{sample.sid}.roster",
        ):
            assert socket.send_request(method, path, {"data": {}}).status == 405


@pytest.mark.parametrize(
    "path",
    ["/v3/", "/v3/Streams/x", "/v3/Maps", "/v3/Maps/a/b/c", "/v3/Documents/x/Items", "/nope"],
)
def test_other_paths_are_not_found(server: Server, path: str) -> None:
    with connected(server, "alice") as socket:
        assert socket.send_request("GET", path).status == 404
