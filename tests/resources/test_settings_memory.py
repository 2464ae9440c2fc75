"""Changes of cached settings take effect with the next request of any caller."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from tests.support.client import Api

if TYPE_CHECKING:
    from tests.support.server import Server

CHANGES = 20
WRITERS = 4


def own(server: Server) -> Api:
    """An account whose settings no other test changes."""
    return Api(server.base_url, *server.make_account())


def test_another_default_service_applies_at_once(server: Server) -> None:
    api = own(server)
    services = [api.post("/Services", FriendlyName="x").expect(201)["sid"] for _ in range(2)]
    for number in range(CHANGES):
        service_sid = services[number % 2]
        api.post("/Configuration", DefaultChatServiceSid=service_sid).expect(200)
        made = api.post("/Conversations").expect(201)
        assert made["chat_service_sid"] == service_sid
        assert api.get(f"/Conversations/{made['sid']}").expect(200) == made
    api.close()


def test_a_rejected_change_leaves_the_cache_unchanged(server: Server) -> None:
    api = own(server)
    before = api.get("/Configuration").expect(200)["default_chat_service_sid"]
    api.post("/Conversations").expect(201)
    api.post("/Configuration", DefaultChatServiceSid="IS" + "0" * 32).refuses(400, 50050)
    assert api.post("/Conversations").expect(201)["chat_service_sid"] == before
    api.close()


def test_a_removed_service_is_not_found_at_once(server: Server) -> None:
    api = own(server)
    for _ in range(CHANGES):
        service_sid = api.post("/Services", FriendlyName="x").expect(201)["sid"]
        path = f"/Services/{service_sid}/Conversations"
        sid = api.post(path).expect(201)["sid"]
        api.get(f"{path}/{sid}").expect(200)
        assert api.delete(f"/Services/{service_sid}").status == 204
        api.get(f"{path}/{sid}").refuses(404, 20404)
        api.post(path).refuses(404, 20404)
    api.close()


def test_a_removed_role_is_not_assigned(server: Server) -> None:
    api = own(server)
    participants_path = (
        f"/Conversations/{api.post('/Conversations').expect(201)['sid']}/Participants"
    )
    api.post(participants_path, Identity="alice").expect(201)
    form = {"FriendlyName": "x", "Type": "conversation", "Permission": "sendMessage"}
    for _ in range(CHANGES):
        role_sid = api.post("/Roles", form).expect(201)["sid"]
        api.post(f"{participants_path}/alice", RoleSid=role_sid).expect(200)
        assert api.delete(f"/Roles/{role_sid}").status == 204
        api.post(f"{participants_path}/alice", RoleSid=role_sid).refuses(400, 50109)
    api.close()


def test_changes_apply_at_once_under_concurrent_reads_and_writes(server: Server) -> None:
    account = server.make_account()
    api = Api(server.base_url, *account)
    services = [api.post("/Services", FriendlyName="x").expect(201)["sid"] for _ in range(2)]
    stop = threading.Event()

    def write() -> None:
        other = Api(server.base_url, *account)
        while not stop.is_set():
            sid = other.post("/Conversations").expect(201)["sid"]
            # By now the default may be the other service, where it does not exist.
            assert other.get(f"/Conversations/{sid}").status in {200, 404}
        other.close()

    with ThreadPoolExecutor(WRITERS) as pool:
        running = [pool.submit(write) for _ in range(WRITERS)]
        for number in range(2 * CHANGES):
            service_sid = services[number % 2]
            api.post("/Configuration", DefaultChatServiceSid=service_sid).expect(200)
            made = api.post("/Conversations").expect(201)
            assert made["chat_service_sid"] == service_sid
            assert api.get(f"/Conversations/{made['sid']}").status == 200
        stop.set()
        for each in running:
            each.result()
    api.close()
