"""The settings of the server that actions depend on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.operations.call import ActionSettings

if TYPE_CHECKING:
    from parlour.config import Settings


def action_settings(settings: Settings) -> ActionSettings:
    """Return these settings."""
    return ActionSettings(
        approves_templates=settings.template_approval == "auto",
        is_test=settings.test,
        marks_tokens=settings.test,
        shows_bodies_to_operators=settings.console_bodies,
        webhook_retries=settings.webhook_retries,
    )
