"""References between the objects of a seed: by key, identity, address or SID."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parlour.protocol.addresses import normalise_address
from parlour.testmode.seeds.errors import seed_error
from parlour.testmode.seeds.keys import ValueKind
from parlour.testmode.seeds.receipt_shorthand import EveryRecipient
from parlour.vocabulary import sids
from parlour.vocabulary.permissions import DEFAULT_ROLES

if TYPE_CHECKING:
    from parlour.testmode.seeds.items import SeedItem

BUILT_IN_ROLES: Final = {each.friendly_name: each for each in DEFAULT_ROLES}
_PREFIXES: Final = {"services": sids.SERVICE, "roles": sids.ROLE}


def check_references(root: SeedItem) -> None:
    """Check that each reference has its object in the document, or is a SID."""
    names = {name: {each.get("key") for each in root.items(name)} - {None} for name in _PREFIXES}
    names["roles"] |= set(BUILT_IN_ROLES)
    defaults = [each for each in root.items("services") if each.get("default")]
    if len(defaults) > 1:
        raise seed_error(f"{defaults[1].path}.default", "only one service can be the default one")
    for children in root.children.values():
        for each in children:
            _check_item(each, names)


def _check_item(item: SeedItem, names: dict[str, set[str]]) -> None:
    for key in item.section.keys:
        reference = item.get(key.name)
        if key.kind is not ValueKind.REFERENCE or reference is None or key.refers_to not in names:
            continue
        prefix = _PREFIXES[key.refers_to]
        if reference not in names[key.refers_to] and not sids.is_sid(prefix, reference):
            what = key.refers_to.removesuffix("s")
            raise seed_error(f"{item.path}.{key.name}", f"no {what} has the key {reference!r}")
    for children in item.children.values():
        for each in children:
            _check_item(each, names)
    if "messages" in item.section.by_name:
        _resolve_recipients(item)


def _resolve_recipients(conversation: SeedItem) -> None:
    """Replace the references of receipts by the positions of their participants."""
    positions: dict[str, int] = {}
    # Keys come before identities, and identities before addresses.
    for name in ("address", "projected_address", "identity", "key"):
        for position, each in enumerate(conversation.items("participants")):
            reference = each.get(name)
            if reference is not None:
                is_address = name.endswith("address")
                positions[normalise_address(reference) if is_address else reference] = position
    for message in conversation.items("messages"):
        for receipt in message.items("receipts"):
            reference = receipt.get("participant")
            if isinstance(reference, EveryRecipient):
                continue
            name = reference if reference in positions else normalise_address(reference)
            if name not in positions:
                path = f"{receipt.path}.participant"
                raise seed_error(path, f"no participant is {reference!r}")
            receipt.values["participant"] = positions[name]
