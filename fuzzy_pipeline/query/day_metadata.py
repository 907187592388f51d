"""Reading day records: one row per symbol and date, of phase 1, of phase 2, or the baselines they are judged by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, Unpack, overload

import pyarrow as pa
from pydantic import BaseModel

from fuzzy_pipeline.errors import SchemaError
from fuzzy_pipeline.query.dates import DateLike, asked_dates, some_symbols
from fuzzy_pipeline.query.missing_records import compute_missing
from fuzzy_pipeline.query.opening import StoreOptions, reading
from fuzzy_pipeline.query.records import RecordForm, check_bounds, check_form, committed_rows, flattened, presented
from fuzzy_pipeline.schema.baselines import BASELINES_TABLE, TrailingBaselines
from fuzzy_pipeline.schema.day_metadata import PHASE1_TABLE, DayMetadataPhase1
from fuzzy_pipeline.schema.day_metadata_phase2 import PHASE2_TABLE, DayMetadataPhase2
from fuzzy_pipeline.schema.records import arrow_schema_of
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.stores.store import Store

if TYPE_CHECKING:
    import pandas as pd

Phase = Literal[1, 2, "baselines"]

PHASES: Mapping[Phase, tuple[str, type[BaseModel]]] = {
    1: (PHASE1_TABLE, DayMetadataPhase1),
    2: (PHASE2_TABLE, DayMetadataPhase2),
    "baselines": (BASELINES_TABLE, TrailingBaselines),
}
"""Light table and model of each kind of day record."""


@overload
def get_metadata(
    symbols: Sequence[str] | str | None = None,
    start: DateLike | None = None,
    end: DateLike | None = None,
    *,
    phase: Phase = 1,
    as_: Literal["pandas"] = "pandas",
    **options: Unpack[StoreOptions],
) -> pd.DataFrame: ...
@overload
def get_metadata(
    symbols: Sequence[str] | str | None = None,
    start: DateLike | None = None,
    end: DateLike | None = None,
    *,
    phase: Phase = 1,
    as_: Literal["arrow"],
    **options: Unpack[StoreOptions],
) -> pa.Table: ...
@overload
def get_metadata(
    symbols: Sequence[str] | str | None = None,
    start: DateLike | None = None,
    end: DateLike | None = None,
    *,
    phase: Literal[1] = 1,
    as_: Literal["models"],
    **options: Unpack[StoreOptions],
) -> list[DayMetadataPhase1]: ...
@overload
def get_metadata(
    symbols: Sequence[str] | str | None = None,
    start: DateLike | None = None,
    end: DateLike | None = None,
    *,
    phase: Literal[2],
    as_: Literal["models"],
    **options: Unpack[StoreOptions],
) -> list[DayMetadataPhase2]: ...
@overload
def get_metadata(
    symbols: Sequence[str] | str | None = None,
    start: DateLike | None = None,
    end: DateLike | None = None,
    *,
    phase: Literal["baselines"],
    as_: Literal["models"],
    **options: Unpack[StoreOptions],
) -> list[TrailingBaselines]: ...
def get_metadata(
    symbols: Sequence[str] | str | None = None,
    start: DateLike | None = None,
    end: DateLike | None = None,
    *,
    phase: Phase = 1,
    as_: RecordForm = "pandas",
    settings: Settings | None = None,
    store: Store | None = None,
) -> pd.DataFrame | pa.Table | list[BaseModel]:
    """Committed day records, by date and symbol.

    Where dates are named, records that are missing though the ticks are there are computed and stored first.

    Parameters
    ----------
    symbols : str or sequence of str, optional
        ``"AAPL,SPY"`` or a list; default: all.
    start, end : date or str, optional
        Trading dates, both included. ``start`` alone: that date (on a weekend or holiday the last trading date before
        it, with a warning). Neither: all dates.
    phase : {1, 2, "baselines"}
        Phase 1, from the day's ticks alone; phase 2, toxicity to regime; the baselines of earlier dates it is judged
        by.
    as_ : {"pandas", "arrow", "models"}
        A frame or table with dotted names (``basic_stats.vwap``), or the models of ``schema``: ``DayMetadataPhase1``,
        ``DayMetadataPhase2``, ``TrailingBaselines``.
    settings : Settings, optional
        Whose store to read; default: the environment's.
    store : Store, optional
        An open store to read, left open.

    Returns
    -------
    pandas.DataFrame or pyarrow.Table or list of models
        Lists such as ``intraday_evolution`` stay lists, ``null_reasons`` a mapping from field to reason.

    Raises
    ------
    NotStoredError
        There is no store, or no record of these symbols and dates.
    SchemaError
        There is no such phase or form.
    """
    check_form(as_)
    check_bounds(start, end)
    if phase not in PHASES:
        raise SchemaError(f"phase={phase!r}: choose one of {', '.join(map(repr, PHASES))}")
    table, model = PHASES[phase]
    tickers = None if symbols is None else some_symbols(symbols)
    dates = None if start is None else asked_dates(start, end)
    with reading(settings, store) as opened:
        if dates is not None:
            compute_missing(opened, settings, table, dates, tickers)
        rows = committed_rows(opened, table, dates, tickers)
    return presented(rows, model, as_)


def flat_names(phase: Phase = 1) -> list[str]:
    """Names of the columns of ``get_metadata``."""
    return list(flattened(arrow_schema_of(PHASES[phase][1]).empty_table()).column_names)
