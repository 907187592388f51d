"""What was deleted on purpose: the manifest rows of data whose time to be kept is over.

Belongs here: the rows that say what was there, when and why it went. With their content hashes, results computed from
retired data can still be seen to be current.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from fuzzy_pipeline.schema.records import from_table, to_table
from fuzzy_pipeline.stores.manifest import CommittedKey, Instant, ManifestRow
from fuzzy_pipeline.stores.protocol import LightStore

RETIRED_VERSION = -2
"""``CommittedKey.version`` of retired data: there is nothing to be read."""

FAILED = "failed"
"""Entry of a retired row's notes: the failure that stood when it was retired."""


class RetiredRow(ManifestRow):
    """The manifest row of data that were deleted, with the moment and the reason. ``version`` no longer exists."""

    retired_at: Instant
    retired_why: str


class Retired:
    """Retired rows on a light store: light tables ``retired/<table>``.

    A key that is made again is forgotten here before it is committed; a committed row wins over a retired one.
    """

    def __init__(self, light: LightStore) -> None:
        self._light = light

    def add(self, date: dt.date, rows: Sequence[ManifestRow], at: dt.datetime, why: str) -> None:
        """Note that rows of a date are retired; written before their manifest rows are removed."""
        for table in dict.fromkeys(row.table for row in rows):
            made = [
                RetiredRow(**row.model_dump(), retired_at=at, retired_why=why) for row in rows if row.table == table
            ]
            self._light.replace_symbols(
                f"retired/{table}", date, to_table(made, RetiredRow), [row.symbol for row in made]
            )

    def forget(self, table: str, date: dt.date, symbols: Sequence[str]) -> None:
        """Keys that are made again are not retired any more; costs nothing when none of them is."""
        known = {row.symbol for row in self.rows(table, [date], symbols)}
        if known:
            self._light.replace_symbols(f"retired/{table}", date, to_table([], RetiredRow), sorted(known))

    def rows(
        self, table: str, dates: Sequence[dt.date] | None = None, symbols: Sequence[str] | None = None
    ) -> list[RetiredRow]:
        """Retired rows of a table by date and symbol; None takes all."""
        return from_table(self._light.read(f"retired/{table}", dates=dates, symbols=symbols), RetiredRow)

    def find(self, table: str, symbol: str, date: dt.date) -> RetiredRow | None:
        """The retired row of a key, or None."""
        return next(iter(self.rows(table, [date], [symbol])), None)

    def keys(
        self, table: str, dates: Sequence[dt.date], symbols: Sequence[str] | None = None
    ) -> dict[str, tuple[CommittedKey, ...]]:
        """What was committed of each symbol on some dates and is retired, oldest first, as ``Manifest.keys``.

        What had failed is left out: nothing was ever made from it.
        """
        found: dict[str, list[CommittedKey]] = {}
        good = (row for row in self.rows(table, dates, symbols) if FAILED not in row.notes)
        for row in sorted(good, key=lambda row: row.date):
            found.setdefault(row.symbol, []).append(CommittedKey(row.date, RETIRED_VERSION, row.content_hash))
        return {symbol: tuple(keys) for symbol, keys in found.items()}
