"""Subscriptions: live changes, replay of missed events, revoked access, and the limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.realtime.sample_conversation import SampleConversation, connected, my_map
from tests.support.client import Api

if TYPE_CHECKING:
    from tests.support.server import Server
    from tests.support.twilsock_client import Socket


def event_types(socket: Socket) -> list[str]:
    """Return the event types of unsolicited messages, in order."""
    return [
        frame.payload["event_type"]
        for frame in socket.quiet()
        if frame.method == "notification" and "event_type" in frame.payload
    ]


def test_a_message_reaches_every_listener_in_one_event_each(server: Server, api: Api) -> None:
    sample = SampleConversation.made(api)
    with connected(server, "alice") as alice, connected(server, "bob") as bob:
        for socket in (alice, bob):
            sample.subscribe(socket)
        message = sample.add_message("hello")
        for socket in (alice, bob):
            received = socket.next_event("list_item_added")
            assert received["event"]["item_index"] == 0
            assert received["event"]["item_data"]["text"] == "hello"
            assert received["event"]["item_data"]["sid"] == message["sid"]
            assert "correlation_id" not in received
            document = socket.next_event("document_updated")
            assert document["event"]["document_data"]["lastMessage"]["index"] == 0
            assert document["event"]["id"] == received["event"]["id"]


def test_every_change_of_a_conversation_is_published(server: Server, api: Api) -> None:
    sample = SampleConversation.made(api)
    message = sample.add_message("hello")
    with connected(server, "alice") as socket:
        sample.subscribe(socket)
        api.post(f"{sample.path}/Messages/{message['sid']}", Body="other").expect(200)
        api.post(sample.path, FriendlyName="new").expect(200)
        api.post(f"{sample.path}/Participants/bob", Attributes='{"a":1}').expect(200)
        carol = sample.add("carol")
        api.delete(f"{sample.path}/Participants/{carol['sid']}").expect(204)
        api.delete(f"{sample.path}/Messages/{message['sid']}").expect(204)
        assert event_types(socket) == [
            "list_item_updated",
            "document_updated",
            "map_item_updated",
            "map_item_added",
            "map_item_removed",
            "list_item_removed",
            "document_updated",
        ]


def test_numbers_of_events_grow(server: Server, api: Api) -> None:
    sample = SampleConversation.made(api)
    with connected(server, "alice") as socket:
        opened = sample.subscribe(socket)
        for number in range(5):
            sample.add_message(str(number))
        frames = [each for each in socket.quiet() if each.method == "notification"]
        numbers = [each.payload["event"]["id"] for each in frames]
        assert numbers == sorted(numbers)
        assert numbers[0] > opened["messages"]["last_event_id"]


def test_missed_events_are_replayed_with_their_data(server: Server, api: Api) -> None:
    sample = SampleConversation.made(api)
    first = sample.add_message("first")
    with connected(server, "alice") as socket:
        opened = sample.subscribe(socket)
    second = sample.add_message("second")
    api.post(f"{sample.path}/Messages/{first['sid']}", Body="first, again").expect(200)
    third = sample.add_message("third")
    api.delete(f"{sample.path}/Messages/{third['sid']}").expect(204)
    carol = sample.add("carol")
    api.delete(f"{sample.path}/Participants/bob").expect(204)
    with connected(server, "alice") as socket:
        after = {key: each["last_event_id"] for key, each in opened.items()}
        correlation_id = socket.subscribe(
            ("list", opened["messages"]["sid"], after["messages"]),
            ("map", opened["roster"]["sid"], after["roster"]),
            ("document", opened["channel"]["sid"], after["channel"]),
        )
        frames = [each.payload for each in socket.quiet() if each.method == "notification"]
        assert {each["correlation_id"] for each in frames} == {correlation_id}
        assert frames[-1]["event_type"] == "subscription_established"
        received = [(each["event_type"], event) for each in frames[:-1] for event in each["events"]]
        assert [
            (kind, event["item_data"]["sid"]) for kind, event in received if kind.startswith("list")
        ] == [
            ("list_item_added", second["sid"]),
            ("list_item_updated", first["sid"]),
            ("list_item_added", third["sid"]),
            ("list_item_removed", third["sid"]),
        ]
        roster = [(kind, event["item_key"]) for kind, event in received if kind.startswith("map")]
        assert roster[0] == ("map_item_added", carol["sid"])
        assert roster[1][0] == "map_item_removed"
        documents = [event for kind, event in received if kind == "document_updated"]
        assert len(documents) == 1
        assert documents[0]["document_data"]["lastMessage"]["index"] == 1
        numbers = [event["id"] for kind, event in received if kind.startswith("list")]
        assert numbers == sorted(numbers)


def test_missed_events_are_replayed_after_a_restart(fresh_server: Server) -> None:
    api = Api(fresh_server.base_url, fresh_server.account_sid, fresh_server.auth_token)
    sample = SampleConversation.made(api)
    quiet = SampleConversation.made(api)
    with connected(fresh_server, "alice") as socket:
        opened = sample.subscribe(socket)
        other = quiet.subscribe(socket)
        sample.add_message("before")
        number = socket.next_event("list_item_added")["event"]["id"]
    missed = sample.add_message("missed")
    fresh_server.kill()
    fresh_server.start()
    with connected(fresh_server, "alice") as socket:
        socket.subscribe(
            ("list", opened["messages"]["sid"], number),
            ("list", other["messages"]["sid"], other["messages"]["last_event_id"]),
        )
        frames = [each.payload for each in socket.quiet() if each.method == "notification"]
        added = [each for each in frames if each["event_type"] == "list_item_added"]
        assert [each["events"][0]["item_data"]["sid"] for each in added] == [missed["sid"]]
        assert len(frames[-1]["events"]) == 2
    api.close()


def test_missed_map_events_are_replayed_after_a_restart(fresh_server: Server) -> None:
    api = Api(fresh_server.base_url, fresh_server.account_sid, fresh_server.auth_token)
    sample = SampleConversation.made(api)
    with connected(fresh_server, "alice") as socket:
        conversations = my_map(fresh_server, socket, api, "alice")
        user_sid = api.get("/Users/alice").expect(200)["sid"]
        user = socket.open("Maps", f"{user_sid}.info")
    api.post(f"/Users/alice/Conversations/{sample.sid}", NotificationLevel="muted").expect(200)
    api.post("/Users/alice", FriendlyName="Alice").expect(200)
    joined = SampleConversation.made(api)
    fresh_server.kill()
    fresh_server.start()
    with connected(fresh_server, "bob"), connected(fresh_server, "alice") as socket:
        # By now the log has been replayed, which covers conversations only.
        socket.quiet()
        socket.subscribe(
            ("map", conversations["sid"], conversations["last_event_id"]),
            ("map", user["sid"], user["last_event_id"]),
        )
        frames = [each.payload for each in socket.quiet() if each.method == "notification"]
    received = {
        event["item_key"]: event["item_data"]
        for each in frames
        if each["event_type"] in {"map_item_added", "map_item_updated"}
        for event in each["events"]
    }
    assert received[sample.sid]["notificationLevel"] == "muted"
    assert received[joined.sid]["status"] == "joined"
    assert received["friendlyName"] == {"value": "Alice"}
    api.close()


def test_a_joined_conversation_appears_and_a_left_one_is_removed(server: Server, api: Api) -> None:
    sample = SampleConversation.made(api, "bob")
    with connected(server, "newcomer") as socket:
        my_map(server, socket, api, "newcomer")
        sample.add("newcomer")
        added = socket.next_event("map_item_added")["event"]
        assert added["item_key"] == sample.sid
        assert added["item_data"]["status"] == "joined"
        assert added["item_data"]["channel"] == f"{sample.sid}.channel"
        sample.subscribe(socket)
        api.delete(f"{sample.path}/Participants/newcomer").expect(204)
        removed = socket.next_event("map_item_removed")
        while removed["event"]["item_key"] != sample.sid:
            removed = socket.next_event("map_item_removed")
        socket.quiet()
        sample.add_message("after")
        assert event_types(socket) == []


def test_a_deleted_conversation_is_removed_from_members_before_its_objects(
    server: Server, api: Api
) -> None:
    sample = SampleConversation.made(api)
    with connected(server, "alice") as socket:
        my_map(server, socket, api, "alice")
        sample.subscribe(socket)
        api.delete(sample.path).expect(204)
        assert event_types(socket) == [
            "map_item_removed",
            "list_removed",
            "map_removed",
            "document_removed",
        ]


def test_a_user_whose_identity_is_removed_receives_no_more_events(server: Server, api: Api) -> None:
    sid = api.post("/Conversations").expect(201)["sid"]
    path = f"/Conversations/{sid}"
    api.post(
        f"{path}/Participants",
        Identity="projected",
        **{"MessagingBinding.ProjectedAddress": "+15005550777"},
    ).expect(201)
    participant = api.get(f"{path}/Participants").expect(200)["participants"][0]
    sample = SampleConversation(api, sid)
    with connected(server, "projected") as socket:
        my_map(server, socket, api, "projected")
        sample.subscribe(socket)
        api.post(f"{path}/Participants/{participant['sid']}", Identity="null").expect(200)
        assert event_types(socket) == ["map_item_updated", "map_item_removed"]
        sample.add_message("secret", author="system")
        assert event_types(socket) == []
        assert socket.send_request("GET", f"/v3/Lists/{sid}.messages").status == 404


def test_a_subscription_without_access_fails_alone(server: Server, api: Api) -> None:
    mine, other = SampleConversation.made(api, "alice"), SampleConversation.made(api, "bob")
    with connected(server, "alice") as alice, connected(server, "bob") as bob:
        seen = alice.open("Lists", f"{mine.sid}.messages")
        unseen = bob.open("Documents", f"{other.sid}.channel")
        never = "ET" + "e" * 32
        alice.subscribe(
            ("list", seen["sid"], seen["last_event_id"]),
            ("document", unseen["sid"], unseen["last_event_id"]),
            ("document", never, 0),
        )
        frames = [each.payload for each in alice.quiet() if each.method == "notification"]
        failed = next(each for each in frames if each["event_type"] == "subscription_failed")
        errors = [each["error"] for each in failed["events"]]
        assert errors[0] == errors[1]
        assert errors[0]["status"] == 404
        established = [each for each in frames if each["event_type"] == "subscription_established"]
        assert [each["object_sid"] for each in established[0]["events"]] == [seen["sid"]]
        other.add_message("secret")
        assert event_types(alice) == []


def test_the_reply_precedes_the_replay_and_the_confirmation(server: Server, api: Api) -> None:
    # The official client drops its plan to subscribe to objects opened in the meantime when the
    # response arrives, and makes a new one only when a confirmation comes after that.
    sample = SampleConversation.made(api)
    with connected(server, "alice") as socket:
        opened = socket.open("Lists", f"{sample.sid}.messages")
        sample.add_message("missed")
        wanted = ("list", opened["sid"], opened["last_event_id"])
        socket.subscribe(wanted)
        assert socket.pending == []
        # The new message is sent as a missed event, or as a live one.
        received = [socket.next_event("list_item_added", "subscription_established") for _ in "ab"]
        kinds = {each["event_type"] for each in received}
        assert kinds == {"list_item_added", "subscription_established"}
        socket.subscribe(wanted, action="cancel")
        assert socket.pending == []
        assert socket.next_event("subscription_canceled")


def test_a_canceled_subscription_receives_nothing(server: Server, api: Api) -> None:
    sample = SampleConversation.made(api)
    with connected(server, "alice") as socket:
        opened = sample.subscribe(socket)
        socket.subscribe(("list", opened["messages"]["sid"], None), action="cancel")
        canceled = socket.next_event("subscription_canceled")
        assert canceled["events"] == [
            {"object_sid": opened["messages"]["sid"], "object_type": "list"}
        ]
        sample.add_message("unheard")
        assert event_types(socket) == ["document_updated"]


def test_malformed_requests_are_refused(server: Server) -> None:
    wrong: list[Any] = [
        None,
        {},
        [],
        {"action": "steal", "requests": []},
        {"action": "establish", "requests": [{"object_sid": 5, "object_type": "map"}]},
        {"action": "establish", "requests": [{"object_sid": "x", "object_type": "map"}] * 1001},
    ]
    with connected(server, "alice") as socket:
        for body in wrong:
            assert socket.send_request("POST", "/v4/Subscriptions", body).status == 400, body


def test_user_properties_reach_subscribers(server: Server, api: Api) -> None:
    sid = api.post("/Users", Identity="renamed").expect(201)["sid"]
    with connected(server, "alice") as socket:
        opened = socket.open("Maps", f"{sid}.info")
        socket.subscribe(("map", opened["sid"], opened["last_event_id"]))
        socket.next_event("subscription_established")
        api.post("/Users/renamed", FriendlyName="Other").expect(200)
        received = [socket.next_event("map_item_updated")["event"] for _ in range(2)]
        assert {each["item_key"]: each["item_data"]["value"] for each in received} == {
            "attributes": "{}",
            "friendlyName": "Other",
        }


def test_reachability_is_published_where_enabled(server: Server, api: Api) -> None:
    service_sid = api.post("/Services", FriendlyName="reachable").expect(201)["sid"]
    api.post(f"/Services/{service_sid}/Configuration", ReachabilityEnabled="true").expect(200)
    service = api.service(service_sid)
    sid = service.post("/Users", Identity="seen").expect(201)["sid"]
    with connected(server, "watcher", ServiceSid=service_sid) as socket:
        answer = socket.send_request("GET", f"/v3/Maps/{sid}.info", params={"Include": "items"})
        shown = {each["key"]: each["data"] for each in answer.body["items"]}
        assert shown["reachability"] == {"online": False, "notifiable": False}
        socket.subscribe(("map", answer.body["sid"], answer.body["last_event_id"]))
        socket.next_event("subscription_established")

        def reachable() -> bool:
            received = socket.next_event("map_item_updated")["event"]
            while received["item_key"] != "reachability":
                received = socket.next_event("map_item_updated")["event"]
            return bool(received["item_data"]["online"])

        with connected(server, "seen", ServiceSid=service_sid) as other:
            assert reachable() is True
            assert service.get("/Users/seen").expect(200)["is_online"] is True
            other.send({"method": "close"})
        assert reachable() is False
        assert service.get("/Users/seen").expect(200)["is_online"] is False
    service.close()
