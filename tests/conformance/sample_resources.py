"""Sample resources: some of every kind, with their owners."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from tests.conformance.seed_rows import seed_content_template, seed_media, seed_push_binding
from tests.contract.operations import operation_of
from tests.support.client import Api
from tests.support.phone_numbers import PROXY, phone_number
from tests.support.polling import eventually

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.client import ApiResponse
    from tests.support.server import Server

ACCOUNT = ""
OLDEST_RETAINED = 12
NEWEST_RETAINED = 24
PAGES_RETAINED_MAX = 8
CONVERSATIONS = 6
IDENTITIES = ("alice", "bob@example.com", "carol lee", "Ünï/cödé", "+15550001111")
URL = "https://example.com/hook"
NEVER_MADE = "0" * 30 + "ff"


class SampleResources:
    """Existing objects, as far as responses have shown."""

    def __init__(self, server: Server) -> None:
        """Create an account on the server with objects of every kind."""
        self.server = server
        self.account_sid, token = server.make_account()
        self.api = Api(server.base_url, self.account_sid, token)
        self._below: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        self._sid_of: dict[tuple[str, str], str] = {}
        self.pages: dict[str, list[str]] = defaultdict(list)
        self.foreign = _foreign(server)
        self.default_sid: str = self.api.get("/Configuration").json["default_chat_service_sid"]
        self._note(ACCOUNT, "Services", self.default_sid)
        self.service_sid = self.make("/Services", FriendlyName="other")
        for prefix, sid in (("", self.default_sid), (self._prefix(), self.service_sid)):
            self._fill_service(prefix, sid)
        self._fill_account()

    def _prefix(self) -> str:
        return f"/Services/{self.service_sid}"

    def there(self, owner: str, kind: str) -> list[str]:
        """Return the names of the objects of a kind below an owner, most recent last."""
        return self._below[owner][kind] or [f"XX{NEVER_MADE}"]

    def leading(self, owner: str, kinds: Sequence[str]) -> list[str]:
        """Return the objects of the first kind with descendants of the other kinds."""
        there = self.there(owner, kinds[0])
        return [name for name in there if self._leads(owner, name, kinds[1:])] or there

    def _leads(self, owner: str, name: str, kinds: Sequence[str]) -> bool:
        """Return whether each kind has an object below the one before."""
        if not kinds:
            return True
        below = self.owner_of(owner, name)
        return any(self._leads(below, each, kinds[1:]) for each in self._below[below][kinds[0]])

    def some(self, kind: str) -> list[str]:
        """Return names of objects of a kind, with any owner."""
        found = [name for below in self._below.values() for name in below.get(kind, [])[:2]]
        return found or [f"XX{NEVER_MADE}"]

    def owner_of(self, owner: str, name: str) -> str:
        """Return the key of an object's children; its name may be a SID or another name."""
        return self._sid_of.get((owner, name), name)

    def make(self, path: str, **form: str) -> str:
        """Create an object; return its SID."""
        answer = self.api.post(path, form)
        assert answer.status in {201, 202}, answer.body
        self.learn("POST", f"/v1{path}", answer)
        sid: str = answer.json["sid"]
        return sid

    def _fill_account(self) -> None:
        for kind in ("fcm", "apn", "gcm"):
            self.make("/Credentials", Type=kind)
            bound = (self.account_sid, self.service_sid, f"{kind}-user", kind)
            self._note(self.service_sid, "Bindings", seed_push_binding(self.server, *bound))
        for number in range(3):
            self.make("/Configuration/Addresses", Type="sms", Address=f"+3725612345{number}")
        self.template = seed_content_template(self.server, self.account_sid, "Hi {{1}}")
        self.media = [
            seed_media(self.server, self.account_sid, self.default_sid, "a.jpg") for _ in range(9)
        ]

    def _fill_service(self, prefix: str, service_sid: str) -> None:
        for role in self.api.get(f"{prefix}/Roles").expect(200)["roles"]:
            self._note(service_sid, "Roles", role["sid"])
        for identity in IDENTITIES:
            self.make(f"{prefix}/Users", Identity=identity)
        for number in range(CONVERSATIONS):
            self._fill_conversation(f"{prefix}/Conversations", number)

    def _fill_conversation(self, conversations: str, number: int) -> None:
        sid = self.make(conversations, UniqueName=f"name {number}/ü")
        path = f"{conversations}/{sid}"
        for identity in IDENTITIES[: number % 4]:
            self.make(f"{path}/Participants", Identity=identity)
        address = {"MessagingBinding.Address": phone_number()}
        self.make(f"{path}/Participants", **address, **{"MessagingBinding.ProxyAddress": PROXY})
        for _ in range(3):
            message = self.make(f"{path}/Messages", Body="x", Author="alice")
        receipts = eventually(
            lambda: self.api.get(f"{path}/Messages/{message}/Receipts").expect(200),
            lambda found: found["delivery_receipts"],
        )
        for receipt in receipts["delivery_receipts"]:
            self._note(message, "Receipts", receipt["sid"])
        webhook = {"Configuration.Url": URL, "Target": "webhook"}
        self.make(f"{path}/Webhooks", **webhook, **{"Configuration.Filters": "onMessageAdded"})

    def learn(self, method: str, path: str, answer: ApiResponse) -> None:
        """Record objects that a response shows to be created or deleted."""
        if method == "DELETE" and answer.status == 204:
            self._remove(path)
        if answer.status == 404:
            self._remove_path(path)
        if answer.status in {200, 201, 202}:
            body = answer.json
            # It can be changed, and with it the meaning of a path's short form.
            self.default_sid = body.get("default_chat_service_sid", self.default_sid)
            if "meta" in body:
                self._learn_pages(path, body["meta"])
            elif answer.status != 200:
                self._learn_new(body)

    def _learn_pages(self, path: str, meta: dict[str, Any]) -> None:
        operation = operation_of("GET", path)
        assert operation is not None
        names = self.pages[operation.operation_id]
        for url in (meta["previous_page_url"], meta["next_page_url"]):
            if url is not None:
                names.append(url.removeprefix(self.server.base_url))
        del names[:-PAGES_RETAINED_MAX]

    def _learn_new(self, body: dict[str, Any]) -> None:
        """Add a new object below its owner; participants also below their user."""
        kind, sid = re.findall(r"/([A-Za-z]+)/([A-Z]{2}[0-9a-f]{32})$", body["url"])[0]
        service = body.get("chat_service_sid") or self._service_of(body["url"])
        owner = body.get("conversation_sid") or (service if kind in OF_A_SERVICE else ACCOUNT)
        self._note(owner, kind, sid, body.get("identity") or body.get("unique_name"))
        if kind == "Participants" and body["identity"] is not None:
            user = self.owner_of(service, body["identity"])
            self._note(user, "Conversations", owner)

    def _service_of(self, url: str) -> str:
        found = re.search(r"/Services/(IS[0-9a-f]{32})/", url)
        return found[1] if found else self.default_sid

    def _note(self, owner: str, kind: str, sid: str, name: str | None = None) -> None:
        names = self._below[owner][kind]
        names.append(sid)
        if name:
            names.append(name)
            self._sid_of[owner, name] = sid
        del names[OLDEST_RETAINED:-NEWEST_RETAINED]

    def _remove(self, path: str) -> None:
        """Remove the object of a path everywhere."""
        found = self._remove_path(path)
        if found is not None and not _OF_A_USER.search(path):
            kind, sid = found
            for below in self._below.values():
                below[kind][:] = [name for name in below[kind] if name != sid]

    def _remove_path(self, path: str) -> tuple[str, str] | None:
        """Remove the object of a path, by SID or name; return its kind and SID."""
        places = _PLACE.findall(path.replace("/Configuration/", "/"))
        if not places:
            return None
        owner = self.default_sid
        for kind, name in places[:-1]:
            owner = self.owner_of(ACCOUNT if kind == "Services" else owner, unquote(name))
        kind, name = places[-1]
        if len(places) == 1 and kind not in OF_A_SERVICE:
            owner = ACCOUNT
        sid = self.owner_of(owner, unquote(name))
        names = self._below[owner][kind]
        names[:] = [each for each in names if self.owner_of(owner, each) != sid]
        return kind, sid


_OF_A_USER = re.compile(r"/Users/[^/]+/Conversations/")
_PLACE = re.compile(r"/([A-Z][A-Za-z]+)/([^/]+)")
OF_A_SERVICE = frozenset({"Conversations", "Users", "Roles", "Bindings"})


def _foreign(server: Server) -> dict[str, str]:
    """Return objects of another account, by kind."""
    stranger = Api(server.base_url, *server.make_account())
    made = {
        "Conversations": stranger.post("/Conversations"),
        "Services": stranger.post("/Services", FriendlyName="x"),
        "Users": stranger.post("/Users", Identity="alice"),
    }
    stranger.close()
    return {kind: answer.expect(201)["sid"] for kind, answer in made.items()}
