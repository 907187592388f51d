"""Write ``fuzzy_pipeline/nyse_sessions.csv``: the weekdays that differ from an ordinary NYSE session.

Usage::

    python tools/generate_nyse_sessions.py            # write the file
    python tools/generate_nyse_sessions.py --check    # exit 1 when the file is not what would be written

Dates and times are those of the installed ``pandas_market_calendars``. Names are ours: the library names regular
holidays after its own rules ("Good Friday 1908+") and one-off closures not at all, so both are mapped here, and a
day without a name stops the tool instead of getting an empty one.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import sys
from collections.abc import Iterator

import pandas as pd
import pandas_market_calendars as mcal

from fuzzy_pipeline.nyse_sessions import SESSIONS_FILE
from fuzzy_pipeline.trading_calendar import (
    EASTERN,
    FIRST_DATE,
    LAST_DATE,
    REGULAR_CLOSE,
    REGULAR_OPEN,
)

Row = tuple[str, str, str, str]

REGULAR_HOLIDAYS = {
    "New Years Day": "New Year's Day",
    "Dr. Martin Luther King Jr. Day": "Martin Luther King Jr. Day",
    "Presidents Day": "Washington's Birthday",
    "Good Friday 1908+": "Good Friday",
    "Memorial Day": "Memorial Day",
    "Juneteenth Starting at 2022": "Juneteenth",
    "July 4th": "Independence Day",
    "Labor Day": "Labor Day",
    "Thanksgiving": "Thanksgiving Day",
    "Christmas": "Christmas Day",
}

CLOSURES = {
    dt.date(2001, 9, 11): "September 11 attacks",
    dt.date(2001, 9, 12): "September 11 attacks",
    dt.date(2001, 9, 13): "September 11 attacks",
    dt.date(2001, 9, 14): "September 11 attacks",
    dt.date(2004, 6, 11): "National day of mourning for Ronald Reagan",
    dt.date(2007, 1, 2): "National day of mourning for Gerald Ford",
    dt.date(2012, 10, 29): "Hurricane Sandy",
    dt.date(2012, 10, 30): "Hurricane Sandy",
    dt.date(2018, 12, 5): "National day of mourning for George H. W. Bush",
    dt.date(2025, 1, 9): "National day of mourning for Jimmy Carter",
}

UNUSUAL_HOURS = {
    dt.date(2001, 9, 17): "Moment of silence for the victims of September 11",
    dt.date(2001, 10, 8): "Moment of silence for the troops of Enduring Freedom",
    dt.date(2002, 7, 5): "Day after Independence Day",
    dt.date(2002, 9, 11): "Anniversary of September 11",
    dt.date(2003, 3, 20): "Moment of silence for the troops of Iraqi Freedom",
    dt.date(2003, 12, 26): "Day after Christmas Day",
    dt.date(2004, 6, 7): "Moment of silence for Ronald Reagan",
    dt.date(2005, 6, 1): "Systems communication problem",
    dt.date(2006, 12, 27): "Moment of silence for Gerald Ford",
}


def hours_name(date: dt.date) -> str:
    """Why a session has unusual hours; ``SystemExit`` when nobody has said."""
    if date in UNUSUAL_HOURS:
        return UNUSUAL_HOURS[date]
    if (date.month, date.day) == (7, 3):
        return "Day before Independence Day"
    if (date.month, date.day) == (12, 24):
        return "Christmas Eve"
    if date.month == 11 and date.weekday() == 4 and 23 <= date.day <= 29:
        return "Day after Thanksgiving Day"
    raise SystemExit(f"{date} has unusual hours without a name: add it to UNUSUAL_HOURS in {__file__}")


def holiday_rows(traded: set[dt.date]) -> Iterator[Row]:
    """One row for every weekday of the range that is not in ``traded``."""
    rules = mcal.get_calendar("NYSE").regular_holidays.holidays(
        pd.Timestamp(FIRST_DATE), pd.Timestamp(LAST_DATE), return_name=True
    )
    regular = {stamp.date(): name for stamp, name in rules.items()}
    for stamp in pd.bdate_range(FIRST_DATE, LAST_DATE):
        date = stamp.date()
        if date in traded:
            continue
        name = CLOSURES.get(date) or REGULAR_HOLIDAYS.get(regular.get(date, ""))
        if name is None:
            raise SystemExit(f"{date} has no session and no name: add it to CLOSURES in {__file__}")
        yield date.isoformat(), "holiday", "", name


def hours_rows(schedule: pd.DataFrame) -> Iterator[Row]:
    """One row for every open later and every close earlier than usual."""
    zone = str(EASTERN)
    opens = schedule["market_open"].dt.tz_convert(zone)
    closes = schedule["market_close"].dt.tz_convert(zone)
    for stamp, opened, closed in zip(schedule.index, opens.dt.time, closes.dt.time, strict=True):
        date = stamp.date()
        if opened < REGULAR_OPEN or closed > REGULAR_CLOSE or date.weekday() > 4:
            raise SystemExit(f"{date} {opened}-{closed}: weekend, early-open and late-close sessions have no kind yet")
        if opened > REGULAR_OPEN:
            yield date.isoformat(), "late_open", opened.isoformat(), hours_name(date)
        if closed < REGULAR_CLOSE:
            yield date.isoformat(), "early_close", closed.isoformat(), hours_name(date)


def render() -> str:
    """The text of the file."""
    schedule = mcal.get_calendar("NYSE").schedule(FIRST_DATE.isoformat(), LAST_DATE.isoformat())
    rows = [*holiday_rows({stamp.date() for stamp in schedule.index}), *hours_rows(schedule)]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("date", "kind", "time", "name"))
    writer.writerows(sorted(rows))
    return out.getvalue()


def main(arguments: list[str]) -> int:
    """Write or check the file; the process's exit status."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write(f"{__doc__}\n")
        return 2
    text = render()
    if not arguments:
        SESSIONS_FILE.write_text(text, encoding="utf-8")
        sys.stdout.write(f"{SESSIONS_FILE}: {text.count(chr(10)) - 1} days, {FIRST_DATE} to {LAST_DATE}\n")
        return 0
    if not SESSIONS_FILE.exists() or SESSIONS_FILE.read_text(encoding="utf-8") != text:
        sys.stderr.write(f"{SESSIONS_FILE} is stale: run python tools/generate_nyse_sessions.py\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
