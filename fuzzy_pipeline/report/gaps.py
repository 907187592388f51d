"""When ticks are missing or wrong: the lists of phase 1 as events over the day.

Belongs here: turning the gap lists of day records into one timeline.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa
from pydantic import ValidationError

from fuzzy_pipeline.report.contents import Timeline, TimelineEvent, TimelineRow
from fuzzy_pipeline.report.facts import DateFacts, read_or_note
from fuzzy_pipeline.report.wording import count
from fuzzy_pipeline.schema.day_metadata import PHASE1_TABLE, DataQuality, SilenceCause
from fuzzy_pipeline.stores.store import Store
from fuzzy_pipeline.trading_calendar import session

LISTED = 100
"""Events that each list of phase 1 holds at most."""

WEIGHT = {"unexplained": 0, "lost_ticks": 1, "volume_step": 2, "crossed": 3, "halt": 4, "id_gap": 5, "no_trade": 6}
"""Kinds of events, the worst first."""
_SILENCES: Mapping[SilenceCause, tuple[str, str]] = {
    "unknown": ("unexplained", "without a tick, not explained"),
    "halt": ("halt", "without a tick, then a reopening print: halted"),
    "no_trade": ("no_trade", "without a tick, and nothing was lost"),
}


def timeline(store: Store, found: DateFacts, symbols: Sequence[str]) -> Timeline:
    """Events of all symbols of the date that have ticks; ``symbols`` are those a person expects."""
    hours = session(found.date)
    records = _records(store, found)
    rows = [row for row in (_row(symbol, quality) for symbol, quality in records.items()) if row.events]
    rows.sort(key=_badness)
    start, end = hours.open, hours.close
    for row in rows:
        start = min(start, *(event.start for event in row.events))
        end = max(end, *(event.end for event in row.events))
    last_hour = (end + dt.timedelta(hours=1, microseconds=-1)).replace(minute=0, second=0, microsecond=0)
    return Timeline(
        start=max(hours.pre_open, start.replace(minute=0, second=0, microsecond=0)),
        end=min(hours.after_close, last_hour),
        open=hours.open,
        close=hours.close,
        rows=rows,
        without=sorted(set(records) - {row.symbol for row in rows}),
        unknown=sorted({*symbols, *found.symbols} - set(records)),
    )


def _records(store: Store, found: DateFacts) -> dict[str, DataQuality]:
    rows = read_or_note(store, found, PHASE1_TABLE, ["symbol", "data_quality"])
    records = {}
    for symbol, group in _pairs(rows):
        if symbol not in found.symbols:
            continue
        try:
            records[symbol] = DataQuality.model_validate(group)
        except ValidationError as error:
            differ = count(error.error_count(), "field differs", "fields differ")
            found.not_read.append(f"gap lists of {symbol}: made by another release, {differ}")
    return records


def _pairs(rows: pa.Table | None) -> Iterator[tuple[str, object]]:
    if rows is not None:
        yield from zip(rows["symbol"].to_pylist(), rows["data_quality"].to_pylist(), strict=True)


def _row(symbol: str, quality: DataQuality) -> TimelineRow:
    events = [*_silences(quality), *_tick_ids(quality), *_steps(quality), *_crossed(quality)]
    lists = (quality.silences, quality.tick_id_gaps, quality.volume_steps, quality.crossed_markets)
    return TimelineRow(
        symbol=symbol,
        events=sorted(events, key=lambda event: (event.start, event.kind)),
        cut=any(len(each) >= LISTED for each in lists),
    )


def _silences(quality: DataQuality) -> Iterator[TimelineEvent]:
    for silence in quality.silences:
        kind, text = _SILENCES[silence.cause]
        minutes = (silence.end - silence.start).total_seconds() / 60
        yield TimelineEvent(
            kind=kind,  # type: ignore[arg-type]  # one of the kinds: the model checks it
            start=silence.start,
            end=silence.end,
            amount=minutes,
            text=f"{silence.start:%H:%M}–{silence.end:%H:%M}: {minutes:.0f} min {text}",
        )


def _tick_ids(quality: DataQuality) -> Iterator[TimelineEvent]:
    for gap in quality.tick_id_gaps:
        missing = gap.last_id - gap.first_id + 1
        what = "and volume with them: ticks are lost" if gap.is_lost else "without volume: no trade is lost"
        ids = f"{gap.first_id:,}" if missing == 1 else f"{gap.first_id:,} to {gap.last_id:,}"
        yield TimelineEvent(
            kind="lost_ticks" if gap.is_lost else "id_gap",
            start=gap.seen_at,
            end=gap.seen_at,
            amount=missing,
            text=f"{gap.seen_at:%H:%M:%S}: {count(missing, 'tick id')} of market centre {gap.market_center} missing"
            f" ({ids}), {what}",
        )


def _steps(quality: DataQuality) -> Iterator[TimelineEvent]:
    for step in quality.volume_steps:
        what = "that no stored tick has" if step.shares > 0 else "more in ticks than in the feed's total"
        yield TimelineEvent(
            kind="volume_step",
            start=step.seen_at,
            end=step.seen_at,
            amount=step.shares,
            text=f"{step.seen_at:%H:%M:%S}: {count(abs(step.shares), 'share')} {what}",
        )


def _crossed(quality: DataQuality) -> Iterator[TimelineEvent]:
    for crossed in quality.crossed_markets:
        yield TimelineEvent(
            kind="crossed",
            start=crossed.start,
            end=crossed.end,
            amount=crossed.tick_count,
            text=f"{crossed.start:%H:%M:%S}: bid above ask in {count(crossed.tick_count, 'tick')},"
            f" by up to {crossed.widest:.4f} USD",
        )


def _badness(row: TimelineRow) -> tuple[int, float, str]:
    """Worst kind first, then how much of it."""
    worst = min(WEIGHT[event.kind] for event in row.events)
    amount = sum(abs(event.amount) for event in row.events if WEIGHT[event.kind] == worst)
    return worst, -amount, row.symbol
