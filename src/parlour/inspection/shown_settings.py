"""The settings of a server as operators see them: without secrets, and with their sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlour.config import setting_descriptions
from parlour.operations.node_reports import ShownSetting
from parlour.setting_checks import without_password

if TYPE_CHECKING:
    from collections.abc import Mapping

    from parlour.config import SettingDescription, Settings


def shown_settings(settings: Settings, sources: Mapping[str, str]) -> list[ShownSetting]:
    """Return all settings; ``sources`` are ``environment`` or ``option``, else the default."""
    return [
        _shown(each, getattr(settings, each.name), sources.get(each.name, "default"))
        for each in setting_descriptions()
    ]


def _shown(setting: SettingDescription, value: Any, source: str) -> ShownSetting:
    text = _text(value)
    if "://" in setting.check.allowed:
        text = without_password(text)
    return ShownSetting(
        name=setting.name,
        option=setting.flag,
        variable=setting.variable,
        description=setting.description,
        value=None if setting.secret or not text else text,
        is_secret=setting.secret,
        is_set=bool(text),
        source=source,
    )


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return str(value)
