"""Pictures: a PNG of the stated size, another one for other data, and none that fails for want of data."""

from __future__ import annotations

import datetime as dt
import io
import struct
from collections.abc import Callable
from typing import Any

import matplotlib.image
import numpy as np
import pytest
from numpy.typing import NDArray

from fuzzy_pipeline.charts import (
    correlation_heat_map_png,
    measure_history_png,
    rank_percentiles_png,
    signed_flow_png,
    spread_and_volume_png,
)
from fuzzy_pipeline.charts.clock import clock_label, round_instants

NAN = np.nan
OPEN = np.datetime64("2025-11-28T14:30", "ns")  # 09:30 Eastern
DATES = [dt.date(2025, 11, day) for day in (24, 25, 26, 28)]


def size_of(png: bytes) -> tuple[int, int]:
    """Width and height that a PNG file's header states. [pixels]"""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def pixels(png: bytes) -> NDArray[np.int64]:
    """Red, green and blue from 0 to 255, int[height, width, 3]."""
    image = matplotlib.image.imread(io.BytesIO(png), format="png")[:, :, :3]
    return np.rint(255 * image).astype(np.int64)


def near(png: bytes, color: tuple[int, int, int]) -> int:
    """How many pixels have that colour, give or take the blending of edges."""
    return int((np.abs(pixels(png) - color).max(axis=2) <= 3).sum())


def minutes(count: int) -> NDArray[np.datetime64]:
    """Minutes from the open on."""
    return OPEN + np.arange(count) * np.timedelta64(60, "s")


def heat_map(correlation: float) -> bytes:
    """Two symbols with that correlation."""
    return correlation_heat_map_png(["AAPL", "SPY"], np.array([[1.0, correlation], [correlation, 1.0]]), "X")


def flow(sold: float) -> bytes:
    """Two parts: 10 bought in each, ``sold`` sold in the second, 1 of unknown side."""
    return signed_flow_png(["09:30", "10:30"], np.array([10.0, 10.0]), np.array([0.0, sold]), np.array([1.0, NAN]), "X")


def spread(volume: float) -> bytes:
    """Three minutes, the second without quotes, the last with that volume."""
    return spread_and_volume_png(minutes(3), np.array([2.0, NAN, 1.0]), np.array([100.0, 50.0, volume]), "X")


def history(value: float) -> bytes:
    """Four dates, the third unknown, the last with that value, in a band of 1 to 3."""
    values = np.array([1.5, 2.0, NAN, value])
    return measure_history_png(DATES, values, np.full(4, 1.0), np.array([3.0, 3.0, 3.0, 3.0]), "X", unit="bps")


def grid(percentile: float) -> bytes:
    """Two symbols by two measures."""
    return rank_percentiles_png(
        ["AAPL", "SPY"], {"volume": np.array([100.0, 0.0]), "spread": np.array([percentile, 50.0])}, "X"
    )


@pytest.mark.parametrize(
    ("draw", "size"),
    [(heat_map, (720, 640)), (flow, (720, 340)), (spread, (720, 340)), (history, (720, 340)), (grid, (720, 138))],
)
def test_a_picture_has_its_size_is_the_same_for_the_same_data_and_another_for_others(
    draw: Callable[[float], bytes], size: tuple[int, int]
) -> None:
    assert size_of(draw(0.5)) == size
    assert draw(0.5) == draw(0.5)
    changed = pixels(draw(0.5)) != pixels(draw(0.9))
    assert changed.any(axis=2).sum() > 20


def test_a_negative_correlation_is_red_a_positive_one_blue_and_an_unknown_one_neither() -> None:
    # Ends and middle of the scale are drawn beside the cells in every picture: only what is added counts.
    def share(correlation: float) -> tuple[float, float]:
        drawn = pixels(heat_map(correlation))[:, :560]
        red, blue = drawn[:, :, 0], drawn[:, :, 2]
        return float((red > blue + 60).mean()), float((blue > red + 60).mean())

    red, blue = np.array([share(-0.9), share(0.9), share(NAN)]).T
    assert red[0] > 0.2
    assert red[1] == red[2] == 0
    assert blue[1] > blue[0] + 0.2
    assert blue[2] == pytest.approx(blue[0], abs=0.02)  # the diagonal alone


def test_cells_of_many_symbols_have_no_values_written_in_them() -> None:
    few, many = (
        correlation_heat_map_png([f"S{row:02d}" for row in range(size)], np.full((size, size), 0.0), "X")
        for size in (12, 13)
    )
    inside = (slice(80, 560), slice(80, 500))
    assert (pixels(few)[inside] < 60).all(axis=2).any()  # black figures on nearly white
    assert not (pixels(many)[inside] < 60).all(axis=2).any()


def test_bought_goes_up_and_sold_goes_down() -> None:
    drawn = pixels(flow(8.0))
    up, down = ((np.abs(drawn - color).max(axis=2) <= 3) for color in ((42, 157, 143), (209, 73, 91)))
    chart = slice(0, 300)  # without the legend
    lowest_up, highest_down = np.flatnonzero(up[chart].any(axis=1)).max(), np.flatnonzero(down[chart].any(axis=1)).min()
    assert lowest_up <= highest_down


def test_a_value_outside_its_band_is_marked_red() -> None:
    red = (209, 73, 91)
    assert near(history(2.5), red) == 0
    assert near(history(3.5), red) > 10


def test_columns_beside_an_auction_keep_their_height() -> None:
    volume = np.full(390, 1000.0)
    usual = spread_and_volume_png(minutes(390), np.full(390, 2.0), volume, "X")
    volume[-1] = 1e6
    cut = spread_and_volume_png(minutes(390), np.full(390, 2.0), volume, "X")
    # On one scale the others would be a thousandth of the auction, which is less than a pixel.
    columns = np.array([(pixels(png)[210:, 300] != 255).any(axis=1).sum() for png in (usual, cut)])
    assert columns[1] > 0.4 * columns[0]


NOTHING = np.array([])


@pytest.mark.parametrize(
    "png",
    [
        lambda: correlation_heat_map_png([], np.empty((0, 0)), "X"),
        lambda: correlation_heat_map_png(["AAPL"], np.array([[NAN]]), "X"),
        lambda: rank_percentiles_png([], {}, "X"),
        lambda: rank_percentiles_png(["AAPL"], {"volume": np.array([NAN])}, "X"),
        lambda: signed_flow_png([], NOTHING, NOTHING, NOTHING, "X"),
        lambda: signed_flow_png(["09:30"], np.zeros(1), np.zeros(1), np.zeros(1), "X"),
        lambda: spread_and_volume_png(minutes(0), NOTHING, NOTHING, "X"),
        lambda: spread_and_volume_png(minutes(2), np.full(2, NAN), np.zeros(2), "X"),
        lambda: measure_history_png([], NOTHING, NOTHING, NOTHING, "X"),
        lambda: measure_history_png(DATES, np.full(4, NAN), np.full(4, NAN), np.full(4, NAN), "X"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_where_nothing_is_known_the_picture_is_empty(png: Callable[[], Any]) -> None:
    assert size_of(png())[0] == 720


@pytest.mark.parametrize(
    ("first", "last", "labels"),
    [
        # A full session on a winter date, half a session on a summer one, a few minutes.
        ("2025-11-25T14:30", "2025-11-25T20:59", ["10:00", "11:00", "12:00", "13:00", "14:00", "15:00"]),
        ("2025-07-03T13:30", "2025-07-03T16:59", ["09:30", "10:00", "10:30", "11:00", "11:30", "12:00", "12:30"]),
        ("2025-11-25T14:31", "2025-11-25T14:33", ["09:31", "09:32", "09:33"]),
    ],
)
def test_marks_of_a_clock_are_at_round_times_within_the_session(first: str, last: str, labels: list[str]) -> None:
    marks = round_instants(np.datetime64(first, "ns"), np.datetime64(last, "ns"))
    assert [clock_label(mark) for mark in marks] == labels
