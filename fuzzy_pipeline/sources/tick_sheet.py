"""From an Arrow table to the 14 raw arrays, without changing a value.

Belongs here: which Arrow types each raw column may have, what stands for a null, and the refusal of everything that
the arrays cannot hold. Which file the table came from is ``sources.files``' business; the row named in an error is
the file's own row or line.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fuzzy_pipeline.errors import SourceFileError
from fuzzy_pipeline.schema.columns import Column
from fuzzy_pipeline.schema.tables import RAW_TICKS

NO_TIME = -1
"""Stands for a missing ``time``: outside every day, so validation sets the row aside."""

_NULL_IS_ZERO = frozenset({"cond1", "cond2", "cond3", "cond4"})


@dataclass(frozen=True, slots=True)
class TickSheet:
    """A table as read, and how to name one of its rows: ``row 1`` of Parquet is ``line 2`` of CSV."""

    path: Path
    table: pa.Table
    row_word: str
    first_row: int
    notes: dict[str, str] = field(default_factory=dict)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The 14 arrays, each contiguous, writeable and of the declared dtype."""
        if self.table.num_rows == 0:
            raise SourceFileError(f"{self.path}: has columns but no rows: fetch it again or remove it")
        arrays = {}
        for each in RAW_TICKS.columns:
            column = self.table.column(each.name)
            if pa.types.is_dictionary(column.type):
                column = column.cast(column.type.value_type)
            array = self._array(each, column)
            # Compiled kernels are specialised on writeable arrays; Arrow's own memory is read-only.
            arrays[each.name] = array if array.flags.writeable else array.copy()
        return arrays

    def _array(self, declared: Column, column: pa.ChunkedArray) -> NDArray[Any]:
        if declared.name == "time":
            return self._integers(declared, self._clock(column))
        if declared.dtype == "float64":
            return self._prices(declared, column)
        if declared.dtype == "S1":
            return self._letters(declared, column)
        if declared.dtype == "datetime64[D]":
            return self._dates(declared, column)
        return self._integers(declared, column)

    def _clock(self, column: pa.ChunkedArray) -> pa.ChunkedArray:
        """Times of day and durations as whole microseconds; other types as they are."""
        if pa.types.is_time(column.type) or pa.types.is_duration(column.type):
            unit = pa.time64("us") if pa.types.is_time(column.type) else pa.duration("us")
            try:
                return column.cast(unit).cast(pa.int64())
            except pa.ArrowInvalid as error:
                raise SourceFileError(f"{self.path}: column time: finer than microseconds: {error}") from error
        return column

    def _integers(self, declared: Column, column: pa.ChunkedArray) -> NDArray[Any]:
        name = declared.name
        if not pa.types.is_integer(column.type):
            self._refuse_type(name, column.type, f"whole numbers ({declared.dtype})")
        if column.null_count:
            column = self._without_nulls(name, column)
        values = column.to_numpy()
        if values.dtype == np.dtype(declared.dtype):
            return np.asarray(values)
        bounds = np.iinfo(declared.dtype)
        unfit = (values < bounds.min) | (values > bounds.max)
        if unfit.any():
            row = int(unfit.argmax())
            self._refuse_value(name, row, f"{values[row]} does not fit {declared.dtype}", int(unfit.sum()))
        return np.asarray(values, dtype=declared.dtype)

    def _without_nulls(self, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
        if name in _NULL_IS_ZERO:
            self.notes[f"null_{name}"] = f"{column.null_count} nulls read as 0, no code"
            return column.fill_null(0)
        if name == "time":
            self.notes["null_time"] = f"{column.null_count} nulls read as {NO_TIME}, outside every day"
            return column.cast(pa.int64()).fill_null(NO_TIME)
        return self._refuse_nulls(name, column)

    def _prices(self, declared: Column, column: pa.ChunkedArray) -> NDArray[Any]:
        name = declared.name
        if pa.types.is_integer(column.type):
            try:
                column = column.cast(pa.float64())
            except pa.ArrowInvalid as error:
                raise SourceFileError(f"{self.path}: column {name}: not exact as float64: {error}") from error
        if column.type != pa.float64():
            self._refuse_type(name, column.type, "float64 (float32 cannot hold four decimals above 1,024)")
        if column.null_count and not declared.nullable:
            self.notes[f"null_{name}"] = f"{column.null_count} nulls read as NaN"
        return np.asarray(column.to_numpy(), dtype=np.float64)

    def _dates(self, declared: Column, column: pa.ChunkedArray) -> NDArray[Any]:
        name, kind = declared.name, column.type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            dates = self._parsed_dates(name, column)
        elif pa.types.is_date(kind) or (pa.types.is_timestamp(kind) and kind.tz is None):
            dates = column.cast(pa.date32())
            if pa.types.is_timestamp(kind):
                self._require_midnights(name, column, dates)
        else:
            self._refuse_type(name, kind, "date, or text YYYY-MM-DD")
        if dates.null_count:
            self.notes[f"null_{name}"] = f"{dates.null_count} nulls read as NaT"
        return np.asarray(dates.to_numpy(), dtype="datetime64[D]")

    def _parsed_dates(self, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
        try:
            return column.cast(pa.date32())
        except pa.ArrowInvalid:
            for value in pc.unique(column.drop_null()):
                try:
                    value.cast(pa.date32())
                except pa.ArrowInvalid:
                    where = pc.fill_null(pc.equal(column, value), False)
                    row = pc.index(where, True).as_py()
                    self._refuse_value(name, row, f"{value.as_py()!r} is no date YYYY-MM-DD", pc.sum(where).as_py())
            raise

    def _require_midnights(self, name: str, column: pa.ChunkedArray, dates: pa.ChunkedArray) -> None:
        moved = pc.fill_null(pc.not_equal(dates.cast(column.type), column), False)
        if pc.any(moved).as_py():
            row = pc.index(moved, True).as_py()
            self._refuse_value(name, row, f"{column[row]} has a time of day", pc.sum(moved).as_py())

    def _letters(self, declared: Column, column: pa.ChunkedArray) -> NDArray[Any]:
        name, kind = declared.name, column.type
        texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
        if not (any(test(kind) for test in texts) or pa.types.is_fixed_size_binary(kind)):
            self._refuse_type(name, kind, "text of one letter")
        if column.null_count:
            self._refuse_nulls(name, column)
        wrong = pc.not_equal(pc.binary_length(column), 1)
        if pc.any(wrong).as_py():
            row = pc.index(wrong, True).as_py()
            self._refuse_value(name, row, f"{column[row].as_py()!r} is not one letter", pc.sum(wrong).as_py())
        # All values have one byte, so the bytes of a chunk are its values.
        chunks = [_bytes_of(chunk.cast(pa.large_binary())) for chunk in column.chunks]
        letters = np.concatenate(chunks)
        unprintable = (letters < 0x21) | (letters > 0x7E)
        if unprintable.any():
            row = int(unprintable.argmax())
            self._refuse_value(name, row, f"byte {letters[row]:#04x} is no letter", int(unprintable.sum()))
        return letters.view("S1")

    def _refuse_type(self, name: str, found: pa.DataType, wanted: str) -> NoReturn:
        raise SourceFileError(f"{self.path}: column {name} has type {found}, expected {wanted}")

    def _refuse_value(self, name: str, row: int, fault: str, count: int) -> NoReturn:
        more = f" ({count:,} such values)" if count > 1 else ""
        raise SourceFileError(f"{self.path}: column {name}, {self.row_word} {row + self.first_row}: {fault}{more}")

    def _refuse_nulls(self, name: str, column: pa.ChunkedArray) -> NoReturn:
        row = pc.index(pc.is_null(column), True).as_py()
        self._refuse_value(name, row, "null, and no value can stand for it", column.null_count)


def _bytes_of(array: pa.Array) -> NDArray[np.uint8]:
    """The value bytes of a large-binary array."""
    _, offsets, data = array.buffers()
    bounds = np.frombuffer(offsets, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    return np.frombuffer(data, dtype=np.uint8)[bounds[0] : bounds[-1]]
