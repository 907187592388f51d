"""Rankings and pair correlations of a date: one piece of work over all symbols, not one a symbol.

Belongs here: reading what is compared, and committing the two tables whole. A symbol missing on the date has a row
that says so.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fuzzy_pipeline import __version__, trading_calendar
from fuzzy_pipeline.bars.session_ticks import session_bounds_ns
from fuzzy_pipeline.engine import ItemFailure
from fuzzy_pipeline.errors import NotStoredError
from fuzzy_pipeline.microstructure.noise import log_returns
from fuzzy_pipeline.rankings.cross_section import MEASURES, CrossSection, cross_symbol_rankings
from fuzzy_pipeline.rankings.pair_correlations import interval_prices, pair_correlations, pair_table
from fuzzy_pipeline.schema.day_metadata import PHASE1_TABLE
from fuzzy_pipeline.schema.quality import QUALITY_TABLE
from fuzzy_pipeline.schema.rankings import PAIRS_TABLE, RANKINGS_TABLE, RANKINGS_VERSION, CrossSymbolRanking
from fuzzy_pipeline.schema.records import to_table
from fuzzy_pipeline.schema.tables import BAR_TABLES, ENRICHED_TICKS, RAW_TICKS, SCHEMA_VERSION
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.inputs import Keys, KeysOfSymbols, earlier_keys, held_and_retired
from fuzzy_pipeline.steps.judge_date import QUALITY_ERROR
from fuzzy_pipeline.steps.run_date import DateReport
from fuzzy_pipeline.steps.step import MADE_WITHOUT, StepResult, dates_before, input_hash
from fuzzy_pipeline.steps.workbench import workbench
from fuzzy_pipeline.stores.content_hash import arrow_content_hash
from fuzzy_pipeline.stores.manifest import LIGHT_VERSION, ManifestRow
from fuzzy_pipeline.stores.retired import FAILED
from fuzzy_pipeline.stores.store import Store

RANKING_TABLES = (RANKINGS_TABLE, PAIRS_TABLE)
EARLIER_DATES = 30
"""Trading dates looked back: the mean of 20 allows for some that a symbol lacks."""

MEASURE_FIELDS: Mapping[str, str] = {
    "liquidity_score": "liquidity_profile.liquidity_score",
    "median_spread": "spread_stats.median_bps",
    "volume": "basic_stats.volume_total",
    "dollar_volume": "basic_stats.dollar_volume",
    "realised_volatility": "basic_stats.realised_volatility",
}
"""What is ranked -> the field of phase 1 it is."""

_BARS = BAR_TABLES["time"]
_INTERVAL, _INTERVAL_NS = "5m", 300_000_000_000


def ranking_inputs(settings: Settings) -> tuple[str, ...]:
    """Tables of the date that are compared, and the one whose rules say whether a symbol may be."""
    bars = (_BARS.name,) if "time" in settings.bars.families else ()
    return (PHASE1_TABLE, QUALITY_TABLE, *bars)


class RankingInputs:
    """What is committed for the symbols of the settings on a date and before; a failed symbol gives nothing."""

    def __init__(self, store: Store, settings: Settings, date: dt.date) -> None:
        self.date, self.symbols = date, tuple(sorted(settings.symbols))
        self.rows: dict[str, dict[str, ManifestRow]] = {}
        self.failed: dict[str, ItemFailure] = {}
        self.retired: set[str] = set()
        for table in ranking_inputs(settings):
            failures = {row.symbol: row for row in store.manifest.failures(table, [date], self.symbols)}
            held, gone = held_and_retired(store, table, [date], self.symbols)
            self.retired |= {table} if gone else set()
            good = [row for row in gone if FAILED not in row.notes]
            self.rows[table] = {row.symbol: row for row in (*held, *good) if row.symbol not in failures}
            for symbol, failure in failures.items():
                reason = f"{symbol} {date}: no {table}, they failed: {failure.reason}"
                self.failed.setdefault(symbol, ItemFailure(NotStoredError.__name__, reason, reason))
        self.dates = dates_before(date, EARLIER_DATES)
        self.earlier, self._retired_earlier = earlier_keys(store, PHASE1_TABLE, [date], self.symbols, EARLIER_DATES)
        self._rules = settings.rankings.model_dump_json()
        self.hash = self._hash(self.earlier)

    @property
    def present(self) -> tuple[str, ...]:
        """Symbols with a day record and quality that may be built upon, in alphabetical order."""
        return tuple(sorted(set(self.rows[PHASE1_TABLE]) & set(self.rows[QUALITY_TABLE])))

    @property
    def made_without(self) -> dict[str, str]:
        """The note that names earlier dates that are retired now: what is ranked now is ranked without them."""
        gone = sorted({key.date for keys in self._retired_earlier.values() for key in keys})
        return {MADE_WITHOUT: ", ".join(map(str, gone))} if gone else {}

    def is_current(self, row: ManifestRow) -> bool:
        """Whether a row was made from the present inputs; earlier dates that were retired since change nothing."""
        if row.input_hash == self.hash:
            return True
        without = row.notes.get(MADE_WITHOUT, "").split(", ")
        every: dict[str, Keys] = {}
        for symbol in {*self.earlier, *self._retired_earlier}:
            gone = (key for key in self._retired_earlier.get(symbol, ()) if str(key.date) not in without)
            every[symbol] = tuple(sorted((*self.earlier.get(symbol, ()), *gone)))
        return bool(self._retired_earlier) and row.input_hash == self._hash(every)

    def _hash(self, earlier: KeysOfSymbols) -> str:
        rules = f"rankings={RANKINGS_VERSION};{self._rules};{','.join(self.symbols)}"
        parts = [f"{row.table} {row.symbol}" for rows in self.rows.values() for row in rows.values()]
        rows = [row for of_table in self.rows.values() for row in of_table.values()]
        known = sorted(symbol for symbol, keys in earlier.items() if keys)
        keys = [key for symbol in known for key in earlier[symbol]]
        return input_hash(";".join([rules, *parts, *known]), rows, keys)


def rankings_are_stale(store: Store, settings: Settings, date: dt.date) -> bool:
    """Whether the next run of a ranked date would rank it again."""
    inputs = RankingInputs(store, settings, date)
    return any(_stale(store, inputs, table) for table in RANKING_TABLES)


def _stale(store: Store, inputs: RankingInputs, table: str) -> bool:
    rows, gone = held_and_retired(store, table, [inputs.date], None)
    if gone and not rows:
        return False
    if {row.symbol for row in rows} != set(inputs.symbols):
        return True
    return not all(inputs.is_current(row) for row in {row.input_hash: row for row in rows}.values())


def rank_date(date: dt.date, settings: Settings, *, force: bool = False) -> DateReport:
    """Rank the symbols of the settings on a date and correlate them; nothing is done when both tables are current.

    Symbols without a day record are ranked nowhere and named in rows of their own; those that failed are in
    ``failed`` of the report too.

    Raises
    ------
    CalendarError
        Not a trading date.
    NotStoredError
        There is no store, no symbol has a day record that may be built upon (if all broke a rule, rankings made
        earlier are withdrawn), or what is compared was retired.
    """
    trading_calendar.session(date)
    started = time.perf_counter()
    store = workbench(settings).store
    inputs, report = RankingInputs(store, settings, date), DateReport(RANKING_TABLES, date)
    for symbol, failure in inputs.failed.items():
        report.fail(symbol, failure, RANKING_TABLES)
    if not inputs.present:
        _withdraw_broken(store, inputs)
        raise NotStoredError(
            f"{RANKINGS_TABLE} {date}: none of {', '.join(inputs.symbols)} has a day record of acceptable quality"
            + "".join(f"\n  {failure.reason}" for failure in inputs.failed.values())
        )
    if not force and not any(_stale(store, inputs, table) for table in RANKING_TABLES):
        report.skipped = [row for table in RANKING_TABLES for row in store.manifest.rows(table, [date])]
    elif inputs.retired:
        raise NotStoredError(
            f"{RANKINGS_TABLE} {date}: {', '.join(sorted(inputs.retired))} were retired, so that nothing can be ranked "
            f"anew; to fetch everything again: fuzzy run {date} --force"
        )
    else:
        tables = ranked(store, settings, inputs)
        _commit(store, inputs, tables, report, time.perf_counter() - started)
    report.seconds = time.perf_counter() - started
    return report


def ranked(store: Store, settings: Settings, inputs: RankingInputs) -> dict[str, pa.Table]:
    """Both tables of a date."""
    section = CrossSection(
        inputs.present, _measures(store, inputs), _returns(store, inputs), _earlier_measures(store, inputs)
    )
    rules = settings.rankings
    records = cross_symbol_rankings(
        section,
        inputs.date,
        inputs.symbols,
        benchmark=rules.benchmark,
        sectors=rules.sectors,
        minimum_returns=rules.minimum_returns,
    )
    pairs = pair_correlations(section.symbols, section.returns, minimum_returns=rules.minimum_returns)
    of_pairs = pair_table(pairs, inputs.date)
    return {
        RANKINGS_TABLE: to_table(records, CrossSymbolRanking),
        PAIRS_TABLE: of_pairs.add_column(0, "symbol", of_pairs["symbol_a"]),
    }


def _measures(store: Store, inputs: RankingInputs) -> dict[str, NDArray[np.float64]]:
    stored = store.light.read(PHASE1_TABLE, dates=[inputs.date], symbols=inputs.present)
    if stored is None or stored.num_rows != len(inputs.present):
        raise NotStoredError(f"{PHASE1_TABLE} {inputs.date}: rows of committed symbols are gone; run the date again")
    ordered = stored.sort_by("symbol")
    return {name: _field(ordered, field) for name, field in MEASURE_FIELDS.items()}


def _field(rows: pa.Table, dotted: str) -> NDArray[np.float64]:
    group, _, name = dotted.partition(".")
    found: NDArray[np.float64] = (
        pc.struct_field(rows[group], name).cast(pa.float64()).to_numpy(zero_copy_only=False).astype(np.float64)
    )
    return found


def _earlier_measures(store: Store, inputs: RankingInputs) -> dict[str, NDArray[np.float64]]:
    """Measures of the trading dates before, float64[n_dates, n_symbols], NaN where none is committed."""
    shape = (len(inputs.dates), len(inputs.present))
    earlier = {name: np.full(shape, np.nan) for name in MEASURES}
    groups = sorted({field.partition(".")[0] for field in MEASURE_FIELDS.values()})
    stored = store.light.read(
        PHASE1_TABLE, dates=inputs.dates, symbols=inputs.present, columns=["symbol", "date", *groups]
    ) if inputs.dates else None  # fmt: skip
    if stored is None:
        return earlier
    column = {symbol: place for place, symbol in enumerate(inputs.present)}
    line = {date: place for place, date in enumerate(inputs.dates)}
    committed = {(symbol, key.date) for symbol, keys in inputs.earlier.items() for key in keys}
    keys = list(zip(stored["symbol"].to_pylist(), stored["date"].to_pylist(), strict=True))
    known = np.array([key in committed for key in keys], dtype=bool)
    lines = np.array([line[date] for _, date in keys], dtype=np.int64)[known]
    columns = np.array([column[symbol] for symbol, _ in keys], dtype=np.int64)[known]
    for name, field in MEASURE_FIELDS.items():
        earlier[name][lines, columns] = _field(stored, field)[known]
    return earlier


def _returns(store: Store, inputs: RankingInputs) -> NDArray[np.float64]:
    """5-minute log returns of the regular session, float64[n_symbols, n_intervals], NaN where there are no bars."""
    start, end = session_bounds_ns("regular", inputs.date)
    returns = np.full((len(inputs.present), -((start - end) // _INTERVAL_NS)), np.nan)
    rows = inputs.rows.get(_BARS.name, {})
    for place, symbol in enumerate(inputs.present):
        if symbol not in rows:
            continue
        version = rows[symbol].version
        ranges = store.heavy.metadata(_BARS, symbol, inputs.date, version)["ranges"]
        if _INTERVAL not in ranges:
            continue
        first, stop = ranges[_INTERVAL]
        names = ["bar_start", "open", "close", "qualified_tick_count"]
        bars = store.read(_BARS, symbol, inputs.date, columns=names, rows=(first, stop), version=version).arrays
        began = bars["bar_start"].astype("datetime64[ns]").astype(np.int64)
        inside = (began >= start) & (began < end)
        prices = interval_prices({name: array[inside] for name, array in bars.items()}, start, end, _INTERVAL_NS)
        returns[place] = log_returns(prices)
    return returns


def _commit(
    store: Store, inputs: RankingInputs, tables: Mapping[str, pa.Table], report: DateReport, seconds: float
) -> None:
    """Replace the date whole, one run at a time: also what belongs to symbols that the settings no longer name."""
    results: dict[str, list[ManifestRow]] = {symbol: [] for symbol in inputs.symbols}
    for table, rows in tables.items():
        made = _manifest_rows(store, inputs, table, rows, seconds)
        with store.one_writer(_results(table, inputs.date)):
            gone = {row.symbol for row in store.manifest.rows(table, [inputs.date])} - set(inputs.symbols)
            store.manifest.remove(table, inputs.date, sorted(gone))
            store.retired.forget(table, inputs.date, [row.symbol for row in made])
            store.manifest.withdraw(table, inputs.date, made, together=True)
            store.light.replace_symbols(table, inputs.date, rows, sorted({*inputs.symbols, *gone}))
            store.manifest.commit(table, inputs.date, made)
            store.manifest.clear_failures(table, inputs.date, inputs.symbols)
        for row in made:
            results[row.symbol].append(row)
    report.committed = [StepResult(tuple(rows)) for rows in results.values()]


def _withdraw_broken(store: Store, inputs: RankingInputs) -> None:
    """Take the date's earlier rankings out of sight when every record that they can have compared broke a rule.

    Records that could only not be renewed are still there to be read, and so are their rankings.
    """
    tables = (RAW_TICKS.name, ENRICHED_TICKS.name, PHASE1_TABLE, QUALITY_TABLE)
    failures = [row for table in tables for row in store.manifest.failures(table, [inputs.date], inputs.symbols)]
    broken = {row.symbol for row in failures if row.error_type == QUALITY_ERROR}
    held = {row.symbol for row in store.manifest.rows(PHASE1_TABLE, [inputs.date], inputs.symbols)}
    if not held or not held <= broken:
        return
    for table in RANKING_TABLES:
        with store.one_writer(_results(table, inputs.date)):
            rows = store.manifest.rows(table, [inputs.date])
            store.manifest.remove(table, inputs.date, sorted(row.symbol for row in rows))


def _results(table: str, date: dt.date) -> str:
    return f"results of {table} {date}"


def _manifest_rows(
    store: Store, inputs: RankingInputs, table: str, rows: pa.Table, seconds: float
) -> list[ManifestRow]:
    sources = sorted({row.source for row in inputs.rows[PHASE1_TABLE].values()})
    missing = set(inputs.symbols) - set(inputs.present)
    made = []
    for symbol in inputs.symbols:
        own = rows.filter(pc.equal(rows["symbol"], symbol))
        made.append(
            ManifestRow(
                table=table,
                symbol=symbol,
                date=inputs.date,
                kind=store.kind,
                version=LIGHT_VERSION,
                rows=own.num_rows,
                content_hash=arrow_content_hash(own),
                input_hash=inputs.hash,
                source="+".join(sources),
                ingest_id="",
                code_version=__version__,
                schema_version=SCHEMA_VERSION,
                rows_in=len(inputs.present),
                rows_out=own.num_rows,
                seconds=seconds / len(inputs.symbols),
                committed_at=trading_calendar.now_eastern(),
                notes=inputs.made_without | ({"missing": ", ".join(sorted(missing))} if missing else {}),
            )
        )
    return made
