"""Run tags: what a run is told by whoever starts it, and whether it may run where it is.

Belongs here: the names of the tags, what is written into them and how runs read them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence

from pydantic import BaseModel

from fuzzy_pipeline.errors import SettingsError
from fuzzy_pipeline.settings import Settings, check_symbols, parse_symbols

SYMBOLS_TAG = "fuzzy/symbols"
FORCE_TAG = "fuzzy/force"
REFETCH_TAG = "fuzzy/refetch"
CATCH_UP_TAG = "fuzzy/catch_up"
SETTINGS_TAG = "fuzzy/settings"
FINGERPRINT_DIGITS = 16


def run_tags(settings: Settings, symbols: Sequence[str] = (), force: bool = False) -> dict[str, str]:
    """Tags of a run of these symbols (none: those of the settings) with the settings of this process."""
    tags = {SETTINGS_TAG: settings_fingerprint(settings)}
    if symbols:
        tags[SYMBOLS_TAG] = ",".join(symbols)
    if force:
        tags[FORCE_TAG] = "true"
    return tags


def tagged_symbols(tags: Mapping[str, str]) -> tuple[str, ...]:
    """Symbols a run is limited to; empty when it is not."""
    text = tags.get(SYMBOLS_TAG, "")
    return check_symbols(parse_symbols(text)) if text.strip() else ()


def is_forced(tags: Mapping[str, str]) -> bool:
    """Whether a run computes again what is stored and current."""
    return tags.get(FORCE_TAG) == "true"


def is_refetch(tags: Mapping[str, str]) -> bool:
    """Whether a run fetches ticks from the source again though they are stored, and then what depends on them."""
    return tags.get(REFETCH_TAG) == "true"


def settings_fingerprint(settings: Settings) -> str:
    """A hash of all settings: equal where two processes do the same work in the same store; tells no value.

    Whom to tell of failures changes no work, so alerts and objectives are left out.

    Paths count as absolute ones. The folder of tick files counts only where files are the source: its default is
    relative, and two processes may well run in different folders.
    """
    values = settings.model_dump(mode="json", exclude={"alerts", "objectives"})
    values["store"] |= {"heavy_uri": settings.heavy_uri, "light_path": str(settings.light_path.absolute())}
    values["files"] = str(settings.files.path.absolute()) if settings.source == "files" else ""
    text = json.dumps(values, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:FINGERPRINT_DIGITS]


def check_same_settings(tags: Mapping[str, str], settings: Settings) -> None:
    """Refuse a run whose process has other settings than the command that asked for it.

    Runs without the tag (of the schedule, or launched in the web UI) take the settings of their process.

    Raises
    ------
    SettingsError
        The settings differ.
    """
    asked, own = tags.get(SETTINGS_TAG), settings_fingerprint(settings)
    if asked is None or asked == own:
        return
    changed = ", ".join(_changed(settings)) or "none, all are defaults"
    raise SettingsError(
        f"this run was asked for with other settings ({asked}) than the process it runs in has ({own}; set there: "
        f"{changed}). Runs of a backfill happen in the Dagster daemon, which keeps the settings it was started with: "
        "start `fuzzy ui` and the command in the same folder with the same --home and FUZZY_* variables, or end the "
        "UI first. A run repeated from the web UI carries the settings of its first launch: launch a new one instead"
    )


def _changed(settings: BaseModel, prefix: str = "FUZZY_") -> Iterator[str]:
    """Variables of the settings that are not at their defaults."""
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        variable = f"{prefix}{name.upper()}"
        if isinstance(value, BaseModel):
            yield from _changed(value, f"{variable}__")
        elif value != field.get_default(call_default_factory=True):
            yield variable
