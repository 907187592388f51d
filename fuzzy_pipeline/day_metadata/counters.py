"""What the feed's own counters say about the stored ticks of a date: tick ids and total volume.

``tick_id`` counts the ticks of a market centre from 1, official prints included; ``total_volume`` grows by the size of
every tick. Either shows what is not stored. Official prints have an id but no shares: a hole in the ids is a lost tick
only where volume is missing too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fuzzy_pipeline.schema.arrays import Arrays, take

COUNTER_COLUMNS = ("tick_id", "market_center", "total_volume", "size")
"""The enriched columns the counters are in."""

_MARKET_CENTERS = 1 << 16  # market centres are uint16


@dataclass(frozen=True, slots=True)
class IdGap:
    """Ids of a market centre that no stored tick has; ``row`` is its first tick after them."""

    row: int
    market_center: int
    first_id: int
    last_id: int
    is_lost: bool


@dataclass(frozen=True, slots=True)
class Counters:
    """Stored ticks held against the counters of the feed.

    ``ids_rise`` tells whether the ids of every market centre rise in order of arrival; without it ``id_gaps`` mean
    nothing. ``misfits`` int64[n] are the rows at which the total volume does not grow by the size, ``misfit_shares``
    int64[n] growth − size; both, like ``id_gaps``, in time order.
    """

    duplicates: int
    out_of_order: int
    ids_rise: bool
    id_gaps: tuple[IdGap, ...]
    misfits: NDArray[np.int64]
    misfit_shares: NDArray[np.int64]

    @property
    def order_is_known(self) -> bool:
        """No tick has more shares than the total volume grew by: the total volume tells the order of arrival."""
        return not bool((self.misfit_shares < 0).any())

    @property
    def missing_volume(self) -> int:
        """Shares in the total volume that no stored tick has."""
        return int(np.maximum(self.misfit_shares, 0).sum())

    @property
    def excess_volume(self) -> int:
        """Shares of stored ticks that the total volume lacks."""
        return -int(np.minimum(self.misfit_shares, 0).sum())

    @property
    def holes(self) -> int:
        """Ids that no stored tick has."""
        return sum(gap.last_id - gap.first_id + 1 for gap in self.id_gaps)

    @property
    def lost(self) -> int:
        """Ids that no stored tick has and during which volume is missing."""
        return sum(gap.last_id - gap.first_id + 1 for gap in self.id_gaps if gap.is_lost)


@njit(cache=True, nogil=True)
def _follow(tick_id, market_center, total_volume, size, latest, misfits_seen):  # type: ignore[no-untyped-def]
    """Whether ids rise, gaps (row, first id, last id, 1 where a misfit came meanwhile), and misfits (row, shares)."""
    gaps = []
    misfits = []
    rising = True
    before = np.int64(0)
    for i in range(len(tick_id)):
        total = np.int64(total_volume[i])
        shares = total - before - np.int64(size[i])
        before = total
        if shares != 0:
            misfits.append((i, shares))
        center = market_center[i]
        number = np.int64(tick_id[i])
        expected = latest[center] + 1
        if number > expected:
            gaps.append((np.int64(i), expected, number - 1, np.int64(len(misfits) > misfits_seen[center])))
        rising &= number >= expected
        latest[center] = max(number, latest[center])
        misfits_seen[center] = len(misfits)
    return rising, gaps, misfits


def follow_counters(ticks: Arrays) -> Counters:
    """Hold the stored ticks of a symbol and date against the feed's counters.

    Parameters
    ----------
    ticks : Arrays
        At least ``COUNTER_COLUMNS``, all sessions, in time order.

    Returns
    -------
    Counters
        Rows are positions in ``ticks``.

    Examples
    --------
    Id 2 of market centre 5 is missing, and 300 shares with it.

    >>> found = follow_counters({
    ...     "tick_id": np.array([1, 3], dtype=np.uint64), "market_center": np.array([5, 5], dtype=np.uint16),
    ...     "total_volume": np.array([100, 600], dtype=np.uint64), "size": np.array([100, 200], dtype=np.uint32)})
    >>> found.missing_volume, found.lost, found.id_gaps[0].first_id
    (300, 1, 2)
    """
    # The total volume grows in order of arrival, which sorting by time may have undone.
    total_volume = ticks["total_volume"]
    in_order = bool(np.all(total_volume[1:] >= total_volume[:-1]))
    arrival = None if in_order else np.argsort(total_volume, kind="stable")
    counted = ticks if arrival is None else take({name: ticks[name] for name in COUNTER_COLUMNS}, arrival)
    latest, misfits_seen = np.zeros(_MARKET_CENTERS, dtype=np.int64), np.zeros(_MARKET_CENTERS, dtype=np.int64)
    rise, gaps, found = _follow(
        counted["tick_id"], counted["market_center"], counted["total_volume"], counted["size"], latest, misfits_seen
    )
    id_gaps = np.array(gaps, dtype=np.int64).reshape(-1, 4)
    misfits = np.array(found, dtype=np.int64).reshape(-1, 2)
    if arrival is not None:
        id_gaps[:, 0], misfits[:, 0] = arrival[id_gaps[:, 0]], arrival[misfits[:, 0]]
        id_gaps, misfits = (rows[np.argsort(rows[:, 0], kind="stable")] for rows in (id_gaps, misfits))
    centers = ticks["market_center"]
    return Counters(
        duplicates=0 if rise else _repeated_keys(ticks),
        out_of_order=0 if in_order else _stamped_before_an_earlier_one(total_volume),
        ids_rise=bool(rise),
        id_gaps=tuple(
            IdGap(row, int(centers[row]), first, last, bool(lost)) for row, first, last, lost in id_gaps.tolist()
        ),
        misfits=misfits[:, 0],
        misfit_shares=misfits[:, 1],
    )


def _repeated_keys(ticks: Arrays) -> int:
    """Ticks whose market centre and id an earlier one has."""
    keys = np.stack([ticks["market_center"].astype(np.uint64), ticks["tick_id"]], axis=1)
    return len(keys) - len(np.unique(keys, axis=0))


def _stamped_before_an_earlier_one(total_volume: NDArray[np.uint64]) -> int:
    """Ticks in time order after which one with a smaller total volume follows."""
    least_after = np.minimum.accumulate(total_volume[::-1])[::-1]
    return int(np.count_nonzero(total_volume[:-1] > least_after[1:]))
