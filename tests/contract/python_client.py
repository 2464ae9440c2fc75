"""The unmodified PyPI client, pointed at a server, with a record of its requests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from tests.contract.operations import operation_of

if TYPE_CHECKING:
    from tests.support.cluster import Installation


@dataclass(frozen=True)
class Sent:
    """One request of the client, with its status."""

    operation_id: str | None
    method: str
    path: str
    status: int
    succeeded: bool


@dataclass
class RequestRecorder:
    """Records requests through the response hook of the client's own HTTP client."""

    sent: list[Sent] = field(default_factory=list)

    def __call__(self, response: Any, *_: Any, **__: Any) -> None:
        """Record one response."""
        method, path = response.request.method, urlsplit(response.request.url).path
        operation = operation_of(method, path)
        self.sent.append(
            Sent(
                operation.operation_id if operation else None,
                method,
                path,
                response.status_code,
                operation is not None and response.status_code in operation.statuses,
            )
        )

    @property
    def driven(self) -> set[str]:
        """Return the IDs of the operations called with a documented response."""
        return {each.operation_id for each in self.sent if each.operation_id and each.succeeded}


def client_for(
    server: Installation, account_sid: str, auth_token: str, recorder: RequestRecorder | None = None
) -> Client:
    """Return a client in which only the base URL is changed."""
    http = TwilioHttpClient(request_hooks={"response": [recorder]}) if recorder else None
    client = Client(account_sid, auth_token, http_client=http)
    client.conversations.base_url = server.base_url
    return client


@dataclass(frozen=True)
class ScenarioUrls:
    """The URL form of a scenario: the short form, or the form of one service."""

    server: Installation
    client: Client
    account_sid: str
    service_sid: str
    form: str

    @property
    def resources(self) -> Any:
        """Return the object with `.conversations`, `.users`, `.roles` and so on in this form."""
        v1 = self.client.conversations.v1
        return v1.services(self.service_sid) if self.is_service_form else v1

    @property
    def is_service_form(self) -> bool:
        """Return whether paths name the service."""
        return self.form == "service"

    def url(self, path: str) -> str:
        """Return the absolute URL of a resource in this form."""
        prefix = f"/Services/{self.service_sid}" if self.is_service_form else ""
        return f"{self.server.base_url}/v1{prefix}{path}"

    def shows_service(self, instance: Any) -> None:
        """Check that `chat_service_sid` is shown in the service form, and only there."""
        shown = getattr(instance, "chat_service_sid", None)
        assert shown == (self.service_sid if self.is_service_form else None)

    def number(self, last: int) -> str:
        """Return a phone number that the other form does not use."""
        return f"+1555867{1 if self.is_service_form else 0}{last:03}"
