"""Parameters of the operations on roles."""

from __future__ import annotations

from parlour.operations.parameters import Parameters, form_field
from parlour.protocol import parsers
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.permissions import PERMISSIONS, Permission, RoleType


def _permission(_name: str, text: str) -> Permission:
    """Return a permission's name, which is case-sensitive."""
    try:
        return Permission(text)
    except ValueError:
        raise ApiError(50104) from None


def permissions_for(role_type: str, sent: list[Permission]) -> list[Permission]:
    """Return the permissions without duplicates. Raises 50104 for one of the other role type."""
    permissions = list(dict.fromkeys(sent))
    too_many = len(sent) > limits.PERMISSIONS_PER_ROLE_MAX
    if too_many or not PERMISSIONS[RoleType(role_type)].issuperset(permissions):
        raise ApiError(50104)
    return permissions


class CreateRole(Parameters):
    """A new role. Its name need not be unique."""

    friendly_name: str = form_field(
        "FriendlyName", parsers.text(limits.FRIENDLY_NAME_CHARS_MAX, 50003), required=True
    )
    type: str = form_field(
        "Type", parsers.enum("conversation", "service", code=50105), required=True
    )
    permissions: list[Permission] = form_field(
        "Permission", _permission, required=True, repeated=True
    )


class UpdateRole(Parameters):
    """A change of a role: permissions that replace all existing ones."""

    permissions: list[Permission] = form_field(
        "Permission", _permission, required=True, repeated=True
    )
