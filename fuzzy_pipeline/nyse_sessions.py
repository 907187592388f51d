"""The file of days whose hours differ: closures, early closes and late opens of the NYSE.

Belongs here: reading ``nyse_sessions.csv``, which ``tools/generate_nyse_sessions.py`` writes. What the days mean for
sessions is ``trading_calendar``'s.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fuzzy_pipeline.errors import CalendarError

SESSIONS_FILE = Path(__file__).with_name("nyse_sessions.csv")

_REGENERATE = "write it again with: python tools/generate_nyse_sessions.py"


@dataclass(frozen=True, slots=True)
class SpecialDays:
    """What ``nyse_sessions.csv`` says: names of closures; unusual opens and closes, and why."""

    holidays: Mapping[dt.date, str]
    opens: Mapping[dt.date, dt.time]
    closes: Mapping[dt.date, dt.time]
    notes: Mapping[dt.date, str]


@cache
def special_days() -> SpecialDays:
    """The days of the file beside this module, read once."""
    return read_special_days(SESSIONS_FILE)


def read_special_days(path: Path) -> SpecialDays:
    """The days of a sessions file; ``CalendarError`` naming the file when it cannot be read as one."""
    hours: dict[str, dict[dt.date, dt.time]] = {"late_open": {}, "early_close": {}}
    holidays: dict[dt.date, str] = {}
    notes: dict[dt.date, str] = {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                date = dt.date.fromisoformat(row["date"])
                if row["kind"] == "holiday":
                    holidays[date] = row["name"]
                else:
                    hours[row["kind"]][date] = dt.time.fromisoformat(row["time"])
                    notes[date] = "; ".join(filter(None, (notes.get(date), row["name"])))
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise CalendarError(f"{path}: not readable as a sessions file ({error!r}); {_REGENERATE}") from error
    if not holidays:
        raise CalendarError(f"{path}: names no holiday; {_REGENERATE}")
    return SpecialDays(holidays, hours["late_open"], hours["early_close"], notes)
