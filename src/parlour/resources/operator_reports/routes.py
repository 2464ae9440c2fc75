"""The operations of the reports for operators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.operations.operation import ACCOUNT_ONLY, Collection, on_server
from parlour.resources.operator_reports import actions as operator_report_actions
from parlour.resources.operator_reports import representation as operator_report_representation

if TYPE_CHECKING:
    from parlour.operations.operation import Represent, ServerAction


def _report(name: str, action: ServerAction, represent: Represent) -> Collection:
    return Collection(
        noun=f"Operator{name}",
        version="/parlour/v1",
        path=f"/Operator/{name}",
        instance=None,
        url_forms=ACCOUNT_ONLY,
        represent=represent,
        specs=(on_server("Fetch", "GET", action),),
        listed=False,
        for_operators=True,
    )


OPERATOR_HEALTH = _report(
    "Health", operator_report_actions.fetch_health, operator_report_representation.health
)
OPERATOR_QUEUES = _report(
    "Queues", operator_report_actions.fetch_queues, operator_report_representation.queues
)
OPERATOR_SETTINGS = _report(
    "Settings", operator_report_actions.fetch_settings, operator_report_representation.settings
)
OPERATOR_MEDIA = _report(
    "Media", operator_report_actions.fetch_media_report, operator_report_representation.media
)
