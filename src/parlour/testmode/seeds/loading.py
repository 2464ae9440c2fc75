"""One load of a seed: its transaction, what it has created, and how it runs actions of the API."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from parlour.operations.call import Call
from parlour.operations.caller import Caller
from parlour.resources.configuration import store as configuration_store
from parlour.resources.roles import store as role_store
from parlour.resources.table import operations
from parlour.testmode.seeds import store as seed_store
from parlour.testmode.seeds.errors import refused, seed_error
from parlour.vocabulary import sids
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from parlour.operations.operation import Operation
    from parlour.protocol.forms import FormFields
    from parlour.resources.roles.store import Role
    from parlour.testmode.seeds.items import SeedItem
    from parlour.testmode.seeds.transaction import SeedTransaction


@cache
def _by_id() -> dict[str, Operation]:
    return {each.operation_id: each for each in operations()}


@contextmanager
def errors_of(item: SeedItem) -> Iterator[None]:
    """Add the path of an object, and of the key that is wrong, to errors of the API."""
    try:
        yield
    except ApiError as error:
        name = next((key.name for key in item.section.keys if error.code in key.codes), "")
        path = f"{item.path}.{name}" if name else item.path
        raise refused(path, error) from None


class Loading:
    """The state of one load. A repetition of the transaction begins with a new one."""

    def __init__(self, tx: SeedTransaction, account_sid: str) -> None:
        self.tx = tx
        self.account = Scope(account_sid)
        self.sids: dict[str, str] = {}
        """The SID of each object, by its label."""
        self.default_service_sid = ""
        self._services: dict[str, str] = {}
        self._roles: dict[tuple[str, str], str] = {}
        """By the SID of the service, and the key or the name of the role."""

    async def start(self) -> None:
        """Lock the settings of the account, and read its default service."""
        await self.tx.lock_name("settings", self.account.account_sid)
        configuration = await configuration_store.get_configuration(self.tx, self.account)
        self.default_service_sid = configuration.default_chat_service_sid

    # --- Actions --------------------------------------------------------------------------

    async def run(
        self,
        operation_id: str,
        item: SeedItem,
        scope: Scope,
        form: FormFields | None = None,
        **path: str,
    ) -> Any:
        """Run the action of an operation for an object, with its form and more fields."""
        operation = _by_id()[operation_id]
        parameters = operation.spec.parameters
        with errors_of(item):
            fields = item.form(parameters, self.tx.load_ms) | (form or {})
            call: Call[Any] = Call(
                operation=operation,
                caller=Caller(self.account.account_sid, self.account.account_sid),
                path=path,
                resource=f"/{operation_id}",
                form=fields,
                scope=scope,
                parsed=parameters.parse(fields),
                origin=self.tx.origin,
            )
            return await operation.spec.action(self.tx, call)

    def begin(self, item: SeedItem, default_ms: int | None = None) -> None:
        """Set the date of an object: its own, else the default, else the time of the load."""
        own = item.date("date_created", self.tx.load_ms)
        self.tx.begin(default_ms if own is None else own)

    async def take_sid(self, item: SeedItem) -> str | None:
        """Return the SID that is given for an object. Raises if the account uses it."""
        sid: str | None = item.get("sid")
        if sid is not None and await seed_store.is_sid_used(self.tx, self.account, sid):
            raise seed_error(f"{item.path}.sid", f"{sid} exists already")
        return sid

    async def give_sid(self, item: SeedItem, prefix: str) -> None:
        """Let the next object with this prefix have the SID that is given for it."""
        self.tx.give_sids(prefix, await self.take_sid(item))

    def record(self, item: SeedItem, sid: str) -> None:
        """Record the SID of a created object for the response."""
        self.sids[item.label] = sid

    # --- References -----------------------------------------------------------------------

    def add_service(self, item: SeedItem, sid: str) -> None:
        """Make a service available to references."""
        self.record(item, sid)
        key = item.get("key")
        if key is not None:
            self._services[key] = sid

    def service_sid(self, reference: str | None) -> str:
        """Return the SID of a service; of the default one without a reference."""
        if reference is None:
            return self.default_service_sid
        return self._services.get(reference) or sids.normal(reference)

    async def scope_of(self, item: SeedItem) -> Scope:
        """Return the scope of an object. Raises unless its service exists."""
        reference = item.get("service")
        sid = self.service_sid(reference)
        is_given = reference is not None and reference not in self._services
        if is_given and not await seed_store.is_sid_used(self.tx, self.account, sid):
            raise refused(f"{item.path}.service", ApiError(50050))
        return Scope(self.account.account_sid, sid)

    def add_role(self, scope: Scope, role: Role, key: str | None) -> None:
        """Make a role available to references, by its key, else by its name."""
        self._roles[scope.service_sid, key or role.friendly_name] = role.sid

    async def role_sid(self, scope: Scope, item: SeedItem, name: str) -> str | None:
        """Return the SID of the role that a key of an object refers to; None without the key."""
        reference = item.get(name)
        if reference is None:
            return None
        if sids.is_sid(sids.ROLE, reference):
            return sids.normal(reference)
        found = self._roles.get((scope.service_sid, reference))
        if found is None:
            found = await self._built_in_role(scope, reference)
        if found is None:
            raise seed_error(f"{item.path}.{name}", f"the service has no role {reference!r}")
        return found

    async def _built_in_role(self, scope: Scope, name: str) -> str | None:
        role = await self.find_built_in_role(scope, name)
        if role is None:
            return None
        self.add_role(scope, role, None)
        return role.sid

    async def find_built_in_role(self, scope: Scope, name: str) -> Role | None:
        """Return the oldest role of a service with the name of a built-in one."""
        row = await self.tx.one(
            seed_store.OLDEST_ROLE_BY_NAME, scope.account_sid, scope.service_sid, name
        )
        return role_store.Role(*row) if row else None
