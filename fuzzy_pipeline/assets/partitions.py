"""Trading dates as Dagster partitions.

The partition key is the trading date. Its window ends at midnight of a zone one hour west of UTC, so the key
of a date appears at 20:00 EST (21:00 EDT) the same evening, after extended hours. Windows say nothing about
sessions: session bounds come from the key and the trading calendar.
"""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import dagster as dg

from fuzzy_pipeline import trading_calendar

WEEKENDS = "0 0 * * 6,0"
EVENING_ZONE = "Etc/GMT+1"


def trading_date_partitions(first_date: dt.date) -> dg.DailyPartitionsDefinition:
    """Daily partitions from a date on, without weekends and holidays."""
    start = dt.datetime.combine(first_date, dt.time())
    holidays = [day for day in trading_calendar.partition_exclusions() if day >= start]
    return dg.DailyPartitionsDefinition(
        start_date=first_date.isoformat(), timezone=EVENING_ZONE, exclusions=[WEEKENDS, *holidays]
    )


def dates_back(count: int, *, with_own: bool) -> dg.TimeWindowPartitionMapping:
    """The ``count`` trading dates before a partition, and its own if wanted."""
    return dg.TimeWindowPartitionMapping(
        start_offset=-count, end_offset=0 if with_own else -1, allow_nonexistent_upstream_partitions=True
    )


def last_partition_date(now: dt.datetime) -> dt.date:
    """The last trading date whose partition exists: a date's window ends in its evening, in the partitions' zone."""
    return trading_calendar.last_trading_date_on_or_before(
        now.astimezone(ZoneInfo(EVENING_ZONE)).date() - dt.timedelta(days=1)
    )
