"""Composition of the client of outbound requests."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from parlour.egress.client import Egress, EgressPolicy, make_tls_context
from parlour.protocol.egress_policy import default_policy

if TYPE_CHECKING:
    from parlour.config import Settings


def make_egress(settings: Settings) -> Egress:
    """Return the client of outbound requests, with the policy of the settings."""
    allowed = [entry.strip() for entry in settings.webhook_allow_list.split(",") if entry.strip()]
    policy = default_policy(settings.host, allowed)
    if settings.test and settings.webhook_allow_private == "auto":
        policy = EgressPolicy(allow_private=True, allow_list=allowed)
    elif settings.webhook_allow_private != "auto":
        is_allowed = settings.webhook_allow_private == "yes"
        policy = EgressPolicy(allow_private=is_allowed, allow_list=allowed)
    checks = settings.webhook_check_certificates
    return Egress(policy, tls=partial(make_tls_context, checks_certificates=checks))
