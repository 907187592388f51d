"""The one declaration of columns, and what is derived from it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from fuzzy_pipeline.errors import SchemaError
from fuzzy_pipeline.schema.codes import CODE_TABLES
from fuzzy_pipeline.schema.tables import (
    BAR_TABLES,
    ENRICHED_TICKS,
    HEAVY_TABLES,
    OFFICIAL_PRINTS,
    QUARANTINE,
    RAW_TICKS,
    TICK_FLAGS,
    arrow_schema,
    check_arrays,
)
from tests.unit.enrichment.raw_ticks import raw_ticks


def test_the_contract_has_14_raw_and_42_enriched_columns() -> None:
    assert len(RAW_TICKS.columns) == 14
    assert len(ENRICHED_TICKS.columns) == 42


@pytest.mark.parametrize(
    "table", [*HEAVY_TABLES, QUARANTINE, OFFICIAL_PRINTS, TICK_FLAGS], ids=lambda table: table.name
)
def test_every_column_is_described_once_and_its_codes_exist(table: object) -> None:
    names = table.names  # type: ignore[attr-defined]
    assert len(set(names)) == len(names)
    for column in table.columns:  # type: ignore[attr-defined]
        assert column.description.endswith("."), column.name
        assert column.codes in {None, "trade_condition", *CODE_TABLES}


def test_arrow_schema_shows_instants_in_eastern_time_and_keeps_units() -> None:
    schema = arrow_schema(ENRICHED_TICKS)
    assert schema.field("timestamp").type == pa.timestamp("ns", tz="America/New_York")
    assert schema.field("spread").metadata[b"unit"] == b"USD"
    assert schema.names == list(ENRICHED_TICKS.names)


def test_key_columns_are_not_stored() -> None:
    stored = {column.name for column in BAR_TABLES["time"].stored}
    assert not stored & {"symbol", "family", "parameter"}


def test_wrong_columns_types_and_lengths_are_refused_by_name() -> None:
    raw = raw_ticks([10.0, 10.1])
    check_arrays(RAW_TICKS, raw, "here", key_columns=True)
    with pytest.raises(SchemaError, match=r"here: table raw_ticks: missing columns \['last'\]"):
        check_arrays(RAW_TICKS, {k: v for k, v in raw.items() if k != "last"}, "here", key_columns=True)
    with pytest.raises(SchemaError, match="here: column cond1 is int64, expected uint8"):
        check_arrays(RAW_TICKS, raw | {"cond1": raw["cond1"].astype(np.int64)}, "here", key_columns=True)
    with pytest.raises(SchemaError, match=r"here: columns of one table differ in length .*bid: 1"):
        check_arrays(RAW_TICKS, raw | {"bid": raw["bid"][:1]}, "here", key_columns=True)


def test_an_unknown_column_is_named_with_those_there_are() -> None:
    with pytest.raises(SchemaError, match="table raw_ticks has no column 'price'; it has tick_id, date"):
        RAW_TICKS.column("price")
