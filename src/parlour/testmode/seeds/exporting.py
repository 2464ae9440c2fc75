"""What the parts of an export share: services and roles with their keys, and shown values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from parlour.protocol.timestamps import format_date
from parlour.resources.configuration import store as configuration_store
from parlour.resources.roles.store import Role
from parlour.resources.service_configuration import store as service_configuration_store
from parlour.resources.services.store import Service
from parlour.testmode.seeds import store as seed_store
from parlour.vocabulary.permissions import DEFAULT_ROLES
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from parlour.resources.configuration.store import Configuration
    from parlour.resources.service_configuration.store import ServiceConfiguration
    from parlour.store.transaction import Transaction

R = TypeVar("R", bound=msgspec.Struct)

DEFAULT_KEY: Final = "default"
_BUILT_IN: Final = {each.friendly_name: each for each in DEFAULT_ROLES}
_PERMISSIONS: Final = {
    each.friendly_name: msgspec.json.encode(each.permissions).decode() for each in DEFAULT_ROLES
}
_SETTINGS: Final = (
    "default_conversation_creator_role_sid",
    "default_conversation_role_sid",
    "default_chat_service_role_sid",
)
_NAMES_BY_SETTING: Final = {
    each.setting: each.friendly_name for each in DEFAULT_ROLES if each.setting is not None
}


class Exporting:
    """The state of one export."""

    def __init__(self, tx: Transaction, account: Scope, *, with_sids: bool) -> None:
        self.tx = tx
        self.account = account
        self.with_sids = with_sids
        self.configuration: Configuration
        self.services: list[Service] = []
        """The default one first."""
        self.service_keys: dict[str, str] = {}
        self.roles: list[Role] = []
        """Those that are exported: built-in ones first."""
        self._role_names: dict[str, str] = {}
        """The reference to each role, by SID."""
        self._built_in: set[str] = set()
        self._configurations: dict[str, ServiceConfiguration] = {}

    async def start(self) -> None:
        """Read the services and the roles."""
        self.configuration = await configuration_store.get_configuration(self.tx, self.account)
        services = await seed_store.list_of_account(self.tx, self.account, Service)
        self.services = sorted(services, key=lambda each: not self.is_default(each.sid))
        for position, each in enumerate(self.services, 1):
            key = DEFAULT_KEY if self.is_default(each.sid) else f"service{position}"
            self.service_keys[each.sid] = key
            scope = Scope(each.account_sid, each.sid)
            self._configurations[
                each.sid
            ] = await service_configuration_store.get_service_configuration(self.tx, scope)
        self._name_roles(await self.rows(Role))

    async def rows(self, record: type[R]) -> list[R]:
        """Return the rows of an account that belong to a service: a deleted one is purged later."""
        found: list[Any] = await seed_store.list_of_account(self.tx, self.account, record)
        return [each for each in found if each.service_sid in self.service_keys]

    def _name_roles(self, roles: list[Role]) -> None:
        """Find the roles that services were created with, and name all others."""
        oldest: dict[tuple[str, str], Role] = {}
        for each in roles:
            default = _BUILT_IN.get(each.friendly_name)
            if default is not None and default.type == each.type:
                oldest.setdefault((each.service_sid, each.friendly_name), each)
        self._built_in = {each.sid for each in oldest.values()}
        built_in = [
            oldest[service_sid, name]
            for service_sid in self.service_keys
            for name in _BUILT_IN
            if (service_sid, name) in oldest
        ]
        others = [each for each in roles if each.sid not in self._built_in]
        self._role_names = {each.sid: each.friendly_name for each in built_in}
        self._role_names |= {each.sid: f"role{number}" for number, each in enumerate(others, 1)}
        changed = [
            each
            for each in built_in
            if self.with_sids or each.permissions != _PERMISSIONS[each.friendly_name]
        ]
        self.roles = [*changed, *others]

    # --- Keys and references --------------------------------------------------------------

    def is_default(self, service_sid: str) -> bool:
        """Return whether this is the default service."""
        return service_sid == self.configuration.default_chat_service_sid

    def is_built_in(self, role: Role) -> bool:
        """Return whether a service was created with this role."""
        return role.sid in self._built_in

    def role_key(self, role: Role) -> str | None:
        """Return the key of a role; built-in ones are known by their names."""
        return None if self.is_built_in(role) else self._role_names[role.sid]

    def service_reference(self, service_sid: str) -> str | None:
        """Return the reference to a service; None for the default one."""
        return None if self.is_default(service_sid) else self.service_keys[service_sid]

    def role_reference(self, role_sid: str | None, service_sid: str, setting: str) -> str | None:
        """Return the reference to a role; None if it is the service's default for this use."""
        if role_sid == getattr(self._configurations[service_sid], setting):
            return None
        return self._role_names.get(role_sid or "")

    def default_roles(self, service_sid: str) -> dict[str, str | None]:
        """Return the default roles of a service, by key, unless a new service has the same."""
        configuration = self._configurations[service_sid]
        found: dict[str, str | None] = {}
        for setting in _SETTINGS:
            name = self._role_names.get(getattr(configuration, setting))
            is_usual = name == _NAMES_BY_SETTING[setting]
            found[setting.removesuffix("_sid")] = None if is_usual else name
        return found

    def shown_sid(self, sid: str) -> str | None:
        """Return the SID if the export contains SIDs."""
        return sid if self.with_sids else None


def dates_of(record: Any) -> dict[str, str | None]:
    """Return the dates of a row; the date of the last change only if it differs."""
    created, updated = format_date(record.date_created), format_date(record.date_updated)
    return {"date_created": created, "date_updated": None if updated == created else updated}


def clean(value: dict[str, Any]) -> dict[str, Any]:
    """Return an object without absent values and empty parts; attributes stay as they are."""
    cleaned: dict[str, Any] = {}
    for name, each in value.items():
        if name == "attributes":
            shown = each
        elif isinstance(each, dict):
            shown = clean(each) or None
        elif isinstance(each, list) and name not in _EMPTY_LISTS:
            shown = [clean(one) if isinstance(one, dict) else one for one in each] or None
        else:
            shown = each
        if shown is not None:
            cleaned[name] = shown
    return cleaned


_EMPTY_LISTS: Final = frozenset({"permissions", "filters"})
"""Lists that mean something when they are empty."""
