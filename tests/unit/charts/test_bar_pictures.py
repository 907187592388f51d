"""Pictures of bars: round times below them, and a title that says when not all of them are drawn."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from fuzzy_pipeline.charts import bars, bars_over_ticks_png, candlestick_png
from fuzzy_pipeline.charts.bars import MOST_BOXES, time_marks
from fuzzy_pipeline.charts.clock import clock_label
from fuzzy_pipeline.schema.arrays import Arrays

OPEN = np.datetime64("2025-11-25T14:30", "ns")  # 09:30 Eastern
MINUTE = np.timedelta64(60, "s")


def series(count: int, minutes: int) -> dict[str, np.ndarray]:
    """Bars of so many minutes each from the open on, which rise by a cent."""
    start = OPEN + np.arange(count) * minutes * MINUTE
    price = 100 + 0.01 * np.arange(count)
    return {
        "bar_start": start, "timestamp": start + minutes * MINUTE, "open": price, "high": price + 0.01, "low": price,
        "close": price + 0.01, "vwap": price, "volume": np.full(count, 100),
    }  # fmt: skip


def ticks_of(found: Arrays) -> dict[str, np.ndarray]:
    """One trade at the start of each bar."""
    return {
        "timestamp": found["bar_start"], "price": found["open"], "is_qualified": np.ones(len(found["open"]), np.bool_),
    }  # fmt: skip


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that were drawn, instead of their files."""
    found: list[Figure] = []
    monkeypatch.setattr(bars, "png", lambda figure: found.append(figure) or b"")
    return found


def labels_of(figure: Figure) -> dict[str, float]:
    """Label -> place of the marks along the lowest axes."""
    axis = figure.axes[-1].xaxis
    return dict(zip([text.get_text() for text in axis.get_ticklabels()], axis.get_ticklocs(), strict=True))


def test_a_session_of_candlesticks_is_whole_and_labelled_at_round_times(drawn: list[Figure]) -> None:
    candlestick_png(series(78, 5), "X")  # 5-minute bars from 09:30 to 16:00
    assert drawn[0].axes[0].get_title(loc="left") == "X"
    # 10:00 is 30 minutes, which is 6 bars, after the open; every hour is 12 more.
    assert labels_of(drawn[0]) == {
        "10:00": 6, "11:00": 18, "12:00": 30, "13:00": 42, "14:00": 54, "15:00": 66,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("count", "title"), [(MOST_BOXES, "X"), (390, "X, first 120 of 390 bars"), (1390, "X, first 120 of 1,390 bars")]
)
def test_a_title_says_so_when_only_the_first_bars_are_drawn(drawn: list[Figure], count: int, title: str) -> None:
    found = series(count, 1)
    bars_over_ticks_png(found, ticks_of(found), "X")
    assert drawn[0].axes[0].get_title(loc="left") == title
    # Of 390 minutes two hours are drawn.
    assert list(labels_of(drawn[0])) == [
        "09:30",
        "09:45",
        "10:00",
        "10:15",
        "10:30",
        "10:45",
        "11:00",
        "11:15",
        "11:30",
    ]


def test_bars_over_ticks_are_labelled_where_the_clock_is_round(drawn: list[Figure]) -> None:
    found = series(78, 5)
    bars_over_ticks_png(found, ticks_of(found), "X")
    places = np.array(list(labels_of(drawn[0]).values())).astype(np.int64).view("datetime64[ns]")
    assert [clock_label(place) for place in places] == ["10:00", "11:00", "12:00", "13:00", "14:00", "15:00", "16:00"]


def test_bars_of_a_few_seconds_are_labelled_to_the_second() -> None:
    last = OPEN + np.timedelta64(40, "s")
    marks, labels = time_marks(OPEN, last)
    assert labels == ["09:30:00", "09:30:40"]
    assert marks.view("datetime64[ns]").tolist() == [OPEN.astype(np.int64), last.astype(np.int64)]


def test_no_bars_are_an_empty_picture() -> None:
    assert candlestick_png(series(0, 1), "X")[:4] == b"\x89PNG"
