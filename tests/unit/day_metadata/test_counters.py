"""Tick ids and total volume show what is not stored."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzzy_pipeline.day_metadata.counters import Counters, IdGap, follow_counters
from tests.oracles import day_metadata as plain

PAGE = Path(__file__).resolve().parents[3] / "docs" / "methodology" / "day_metadata.md"


def counters(*ticks: tuple[int, int, int, int]) -> Counters:
    """Counters of ticks (tick id, market centre, total volume, size) in time order."""
    columns = [list(column) for column in zip(*ticks, strict=True)] or [[], [], [], []]
    return follow_counters(
        {
            "tick_id": np.array(columns[0], dtype=np.uint64),
            "market_center": np.array(columns[1], dtype=np.uint16),
            "total_volume": np.array(columns[2], dtype=np.uint64),
            "size": np.array(columns[3], dtype=np.uint32),
        }
    )


def test_a_day_that_is_complete_has_no_gap() -> None:
    found = counters((1, 5, 100, 100), (1, 7, 300, 200), (2, 5, 350, 50))
    assert (found.holes, found.missing_volume, found.excess_volume, found.duplicates, found.out_of_order) == (0,) * 5
    assert found.ids_rise
    assert found.order_is_known


def test_a_lost_tick_leaves_a_hole_in_the_ids_and_in_the_volume() -> None:
    # Id 2 of centre 5 with 400 shares was lost before the tick of centre 7 arrived.
    found = counters((1, 5, 100, 100), (1, 7, 700, 200), (3, 5, 750, 50))
    assert found.id_gaps == (IdGap(row=2, market_center=5, first_id=2, last_id=2, is_lost=True),)
    assert (found.holes, found.lost, found.missing_volume) == (1, 1, 400)
    assert (found.misfits.tolist(), found.misfit_shares.tolist()) == ([1], [400])


def test_a_hole_without_missing_volume_is_an_official_print() -> None:
    found = counters((1, 5, 100, 100), (1, 7, 300, 200), (4, 5, 350, 50))
    assert found.id_gaps == (IdGap(row=2, market_center=5, first_id=2, last_id=3, is_lost=False),)
    assert (found.holes, found.lost, found.missing_volume) == (2, 0, 0)


def test_volume_that_went_missing_elsewhere_does_not_make_a_hole_lost() -> None:
    # 30 shares are missing at row 1; the hole of centre 5 opens after its tick at row 2.
    found = counters((1, 5, 100, 100), (1, 7, 330, 200), (2, 5, 340, 10), (4, 5, 350, 10))
    assert found.missing_volume == 30
    assert [gap.is_lost for gap in found.id_gaps] == [False]


def test_ids_and_volume_missing_from_the_start_of_the_day_are_seen() -> None:
    found = counters((3, 5, 900, 100))
    assert found.id_gaps == (IdGap(row=0, market_center=5, first_id=1, last_id=2, is_lost=True),)
    assert found.missing_volume == 800


def test_ticks_sorted_by_time_are_put_back_into_the_order_they_arrived_in() -> None:
    # Ids 1, 2, 3 arrived in this order, but the third is stamped first.
    found = counters((3, 5, 600, 300), (1, 5, 100, 100), (2, 5, 300, 200))
    assert (found.out_of_order, found.holes, found.missing_volume, found.excess_volume) == (1, 0, 0, 0)
    assert found.ids_rise


def test_rows_of_gaps_are_positions_in_time_order() -> None:
    # Arrival: id 1, (id 2 lost, 50 shares), id 3, id 4; id 4 is stamped before id 3.
    found = counters((1, 5, 100, 100), (4, 5, 650, 300), (3, 5, 350, 200))
    assert [gap.row for gap in found.id_gaps] == found.misfits.tolist() == [2]
    assert found.out_of_order == 1


def test_gaps_and_misfits_are_in_time_order_not_in_order_of_arrival() -> None:
    # Arrival: id 2 (50 shares missing), id 4 (70 missing); id 4 is stamped first.
    found = counters((4, 5, 320, 100), (2, 5, 150, 100))
    assert [(gap.row, gap.first_id) for gap in found.id_gaps] == [(0, 3), (1, 1)]
    assert (found.misfits.tolist(), found.misfit_shares.tolist()) == ([0, 1], [70, 50])


def test_every_tick_stamped_before_an_earlier_arrival_is_out_of_order() -> None:
    # Arrival 1, 2, 3; stamped 2, 3, 1: both 2 and 3 are stamped before 1, though 3 follows 2 in either order.
    assert counters((2, 5, 200, 100), (3, 5, 300, 100), (1, 5, 100, 100)).out_of_order == 2


def test_a_counter_that_does_not_grow_by_the_sizes_does_not_tell_the_order() -> None:
    found = counters((1, 5, 100, 100), (2, 5, 150, 80), (3, 5, 200, 50))
    assert (found.excess_volume, found.missing_volume) == (30, 0)
    assert not found.order_is_known


def test_a_total_volume_of_zero_accounts_for_nothing() -> None:
    assert counters((1, 5, 0, 100), (2, 5, 0, 50)).excess_volume == 150


def test_doubled_keys_are_counted_and_ids_no_longer_rise() -> None:
    found = counters((1, 5, 100, 100), (1, 5, 200, 100), (1, 7, 300, 100), (1, 5, 400, 100))
    assert found.duplicates == 2
    assert not found.ids_rise


def test_ids_that_fall_are_no_counter() -> None:
    found = counters((2, 5, 100, 100), (1, 5, 200, 100))
    assert (found.ids_rise, found.duplicates) == (False, 0)


def test_the_example_of_the_methodology_page() -> None:
    row = re.compile(r"^\| (\d+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|", re.MULTILINE)
    shown = [tuple(map(int, found)) for found in row.findall(PAGE.read_text(encoding="utf-8"))]
    assert len(shown) == 4
    found = counters(*((number, center, total, size) for number, center, total, size, _ in shown))
    assert dict(zip(found.misfits.tolist(), found.misfit_shares.tolist(), strict=True)) == {
        position: difference for position, (*_, difference) in enumerate(shown) if difference
    }
    assert [(gap.first_id, gap.last_id, gap.is_lost) for gap in found.id_gaps] == [(2, 2, True), (4, 4, False)]


def test_no_ticks_have_nothing_missing() -> None:
    found = counters()
    assert (found.holes, found.missing_volume, found.ids_rise, found.order_is_known) == (0, 0, True, True)


ROWS = st.lists(
    st.builds(
        lambda center, size, delay, stored: (center, size, delay, stored and size > 0),
        st.sampled_from([5, 7, 65_535]),
        st.sampled_from([0, 1, 100, 4_000_000_000]),
        st.integers(0, 3),
        st.booleans(),
    ),
    max_size=30,
)


@given(ROWS)
def test_what_a_feed_lost_is_found_from_what_is_stored(drawn: list[tuple[int, int, int, bool]]) -> None:
    rows = [
        plain.FeedRow(center, size, time=10 * n - 15 * delay, stored=stored)
        for n, (center, size, delay, stored) in enumerate(drawn)
    ]
    ticks = [
        (number, row.center, total, row.size, row.time)
        for row, (number, total) in zip(rows, plain.numbered(rows), strict=True)
        if row.stored
    ]
    ticks.sort(key=lambda tick: tick[4])  # by time, arrival order within equal times
    found, expected = counters(*(tick[:4] for tick in ticks)), plain.loss(rows)
    assert found.ids_rise
    assert found.order_is_known
    assert found.missing_volume == expected.missing_volume
    assert found.out_of_order == expected.out_of_order
    assert (found.holes, found.lost) == (expected.holes, expected.possibly_lost)


@pytest.mark.parametrize("center", [0, 65_535])
def test_every_market_centre_has_a_counter_of_its_own(center: int) -> None:
    assert counters((1, 5, 100, 100), (1, center, 200, 100), (2, 5, 300, 100)).holes == 0
