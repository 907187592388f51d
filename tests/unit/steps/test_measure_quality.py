"""When quality is measured again: another ingest, and nothing else, though the ticks are the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pytest

from fuzzy_pipeline.engine import InlineEngine
from fuzzy_pipeline.operations.quarantine_desk import QuarantineDesk
from fuzzy_pipeline.operations.quarantine_rows import Choice
from fuzzy_pipeline.schema.quality import QUALITY_TABLE, QualityMeasures
from fuzzy_pipeline.schema.records import from_table
from fuzzy_pipeline.schema.tables import ENRICHED_TICKS, RAW_TICKS
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.sources.files import FilesSource, write_ticks
from fuzzy_pipeline.steps.describe_day import DayMetadataPhase1Step
from fuzzy_pipeline.steps.enrich import EnrichStep
from fuzzy_pipeline.steps.ingest import IngestStep
from fuzzy_pipeline.steps.measure_quality import QualityMeasuresStep
from fuzzy_pipeline.steps.pipeline import stale_results
from fuzzy_pipeline.steps.run_date import run_date
from fuzzy_pipeline.steps.step import Step
from fuzzy_pipeline.steps.workbench import Workbench, workbench
from fuzzy_pipeline.stores.store import Store
from tests.unit.steps.conftest import DATE, SYMBOLS
from tests.unit.steps.retired_dates import retire

QUALITY = QualityMeasuresStep()
TO_QUALITY: tuple[Step, ...] = (IngestStep(), EnrichStep(), DayMetadataPhase1Step(), QUALITY)


def run(settings: Settings, *steps: Step, symbols: Sequence[str] = SYMBOLS, force: bool = False) -> dict[str, set[str]]:
    """Run steps (default: up to quality) and tell by step which symbols were computed."""
    computed = {}
    for step in steps or TO_QUALITY:
        report = run_date(step, DATE, symbols, settings, InlineEngine(), force=force)
        report.raise_if_failed()
        computed[step.name] = {row.symbol for row in report.computed(step.name)}
    return computed


def store_of(settings: Settings) -> Store:
    return workbench(settings).store


def quality(settings: Settings, symbol: str = "AAA") -> QualityMeasures:
    (record,) = from_table(
        store_of(settings).light.read(QUALITY_TABLE, dates=[DATE], symbols=[symbol]), QualityMeasures
    )
    return record


def send_twice(settings: Settings, *rows: int) -> None:
    """From now on the source sends rows of AAA again at the end, which rules set aside: the ticks are as before."""
    path = settings.files.path / "symbol=AAA" / f"date={DATE}.parquet"
    columns = FilesSource(settings.files).fetch_ticks("AAA", DATE).columns
    again = np.array(rows)
    write_ticks(path, {name: np.concatenate([a, a[again]]) for name, a in columns.items()}, "simulated")


def trade(settings: Settings) -> int:
    """A row of AAA that is a trade."""
    columns = FilesSource(settings.files).fetch_ticks("AAA", DATE).columns
    return next(row for row in range(50, 400) if columns["last_sz"][row] > 0)


def test_other_rows_set_aside_beside_the_same_ticks_are_measured_and_other_symbols_are_not(settings: Settings) -> None:
    run(settings)
    content = store_of(settings).committed(RAW_TICKS, "AAA", DATE).content_hash
    assert (quality(settings).set_aside_by_rule, quality(settings).set_aside_count) == ({}, 0)
    send_twice(settings, trade(settings))
    run(settings, IngestStep(), symbols=["AAA"], force=True)
    assert store_of(settings).committed(RAW_TICKS, "AAA", DATE).content_hash == content
    assert stale_results(store_of(settings), settings, [DATE]) == {(QUALITY_TABLE, "AAA", DATE)}
    assert run(settings) == {
        "raw_ticks": set(), "enriched_ticks": set(), "day_metadata_phase1": set(), QUALITY_TABLE: {"AAA"},
    }  # fmt: skip
    assert (quality(settings).set_aside_by_rule, quality(settings).set_aside_count) == ({"duplicate_key": 1}, 1)
    assert run(settings)[QUALITY_TABLE] == set()


def test_an_ingest_that_follows_no_decision_is_not_measured_again(settings: Settings) -> None:
    send_twice(settings, trade(settings))
    run(settings)
    desk = QuarantineDesk(store_of(settings), settings)
    desk.drop(desk.rows(Choice()), "sent twice")  # it is set aside as before
    assert run(settings) == {step.name: set() for step in TO_QUALITY}


def test_quality_measured_before_an_ingest_was_killed_is_measured_again_after_it(settings: Settings) -> None:
    """Light rows of a killed ingest were there for a moment: what was measured then does not stay."""
    run(settings)
    store = store_of(settings)
    rows = store.light.read("tick_flags", dates=[DATE], symbols=["AAA"])
    assert rows is not None
    flagged = quality(settings).flagged_by_rule
    killed = rows.set_column(rows.column_names.index("count"), "count", pa.array([9_999] * rows.num_rows, pa.int64()))
    killed = killed.set_column(
        killed.column_names.index("ingest_id"), "ingest_id", pa.array(["killed"] * rows.num_rows)
    ).cast(rows.schema)
    store.light.replace_symbols("tick_flags", DATE, killed, ["AAA"])
    run(settings, QUALITY, symbols=["AAA"], force=True)
    assert quality(settings).flagged_by_rule != flagged
    assert run(settings)[QUALITY_TABLE] == {"AAA"}
    assert quality(settings).flagged_by_rule == flagged


def test_quality_of_ticks_that_were_retired_is_still_current(settings: Settings) -> None:
    send_twice(settings, trade(settings))
    run(settings)
    retire(store_of(settings), DATE, RAW_TICKS.name, ENRICHED_TICKS.name)
    assert store_of(settings).light.read("quarantine", dates=[DATE]) is None
    assert run(settings, QUALITY) == {QUALITY_TABLE: set()}
    assert stale_results(store_of(settings), settings, [DATE]) == set()


def test_everything_that_is_read_is_declared(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    run(settings, *TO_QUALITY[:-1])
    read: set[str] = set()
    light_rows: Callable[..., object] = Workbench.light_rows

    def noted(bench: Workbench, batch: str, table: str, *more: object) -> object:
        read.add(table)
        return light_rows(bench, batch, table, *more)

    monkeypatch.setattr(Workbench, "light_rows", noted)
    run(settings, QUALITY)
    assert set(QUALITY.ingest_tables) < read
    assert read <= {*QUALITY.ingest_tables, *QUALITY.inputs, *QUALITY.history(QUALITY_TABLE)}
