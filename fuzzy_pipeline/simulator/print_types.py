"""What kind of print a simulated trade is: condition codes, basis for last, venue and size.

Belongs here: the table of code combinations with their frequencies, the venues and the trade sizes. Frequencies
and the rule for the basis were measured on 32,627 real ticks of one Nasdaq stock, 2021-03-01 to 03.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BASIS_OTHER_CODES = frozenset({0x05, 0x06, 0x11, 0x13, 0x19, 0x2E, 0x39, 0x3A, 0x3E, 0x44, 0x87, 0x89})
"""A print with any of these has basis ``O``; measured, without exception, on all 60,613 ticks of two captures."""

FORM_T = 0x17
NTRF, NYSE_TRF, NTRF_CHICAGO = 19, 24, 164

COMBINATIONS: tuple[str, ...] = (
    "01", "87", "3D", "3D87",
    "3E87", "4706", "3E", "19", "470687", "1987", "8944", "05",
    "17", "8717", "173D", "873D17", "1747", "874717", "3A", "1317", "114717",
    "8A42", "4042", "39", "2E",
)  # fmt: skip
"""Condition codes as they come on the wire: hexadecimal pairs glued together."""

CODE = {pairs: number for number, pairs in enumerate(COMBINATIONS)}
"""Row of a combination in ``CONDITIONS`` and ``BASIS``."""


def codes_of(pairs: str) -> tuple[int, ...]:
    """The condition codes of a wire string: ``"8717"`` gives (0x87, 0x17)."""
    return tuple(bytes.fromhex(pairs))


def basis_of(codes: tuple[int, ...]) -> bytes:
    """Basis for last of a set of codes: ``O`` other, ``E`` extended hours, ``C`` last-qualified."""
    if BASIS_OTHER_CODES.intersection(codes):
        return b"O"
    return b"E" if FORM_T in codes else b"C"


CONDITIONS: NDArray[np.uint8] = np.array(
    [codes_of(pairs) + (0,) * (4 - len(codes_of(pairs))) for pairs in COMBINATIONS], dtype=np.uint8
)
BASIS: NDArray[np.bytes_] = np.array([basis_of(codes_of(pairs)) for pairs in COMBINATIONS], dtype="S1")
IS_ODD: NDArray[np.bool_] = (CONDITIONS == 0x87).any(axis=1)

# -- how often ---------------------------------------------------------------------

SWEEP_ODD_SHARE = 0.194
PLAIN_ODD_SHARE = 0.404
_OFF_SHARE_OF_TICKS = 0.38
_RARE_COUNTS = {
    "3E87": 52, "4706": 40, "3E": 21, "19": 19, "470687": 7, "1987": 7, "8944": 5, "05": 1,
}  # fmt: skip
_REGULAR_TICKS_MEASURED = 30_490
_EXTENDED_RARE = {"1747": 3, "874717": 1, "3A": 1, "1317": 1, "114717": 1}
_EXTENDED_TICKS_MEASURED = 2_137
EXTENDED_ODD_SHARE = 0.52

_VENUE_OF_RARE = {"4706": NYSE_TRF, "470687": NYSE_TRF, "8944": NTRF, "05": NTRF, "1317": NTRF, "114717": NTRF}


@dataclass(frozen=True, slots=True)
class VenueMix:
    """Venue ids and the share of prints each gets."""

    ids: NDArray[np.uint32]
    cumulative: NDArray[np.float64]

    def draw(self, rng: np.random.Generator, n: int) -> NDArray[np.uint32]:
        """Venues of ``n`` prints or orders."""
        position = np.searchsorted(self.cumulative, rng.random(n), side="right")
        return self.ids[np.minimum(position, len(self.ids) - 1)]


def _mix(shares: dict[int, float]) -> VenueMix:
    weights = np.array(list(shares.values()))
    return VenueMix(np.array(list(shares), dtype=np.uint32), np.cumsum(weights / weights.sum()))


_LIT_SHARES = {
    5: 0.25, 7: 0.06, 11: 0.13, 26: 0.13, 153: 0.075, 18: 0.085, 10: 0.055, 28: 0.055, 187: 0.06, 25: 0.04, 80: 0.025,
    12: 0.03, 6: 0.005,
}  # fmt: skip
IEX = 153


def lit_venues(listing: int, *, sweeps: bool) -> VenueMix:
    """Exchanges of a symbol: its listing exchange stands out; sweeps never print on IEX (none did in the capture)."""
    shares = {venue: share for venue, share in _LIT_SHARES.items() if not (sweeps and venue == IEX)}
    shares[listing] += 0.12
    return _mix(shares)


OFF_EXCHANGE_MIX = _mix({NTRF: 0.68, NYSE_TRF: 0.31, NTRF_CHICAGO: 0.01})
EXTENDED_LIT_MIX = _mix({11: 0.53, 5: 0.32, 26: 0.12, 18: 0.02, 12: 0.01})
EXTENDED_OFF_MIX = _mix({NTRF: 0.83, NYSE_TRF: 0.17})


def _rare_off(
    rng: np.random.Generator,
    combination: NDArray[np.uint8],
    rows: NDArray[np.int64],
    counts: dict[str, int],
    total: float,
) -> None:
    """Give each of ``rows`` a rare combination with probability ``count / total``, else leave it."""
    cumulative = np.cumsum(np.array(list(counts.values())) / total)
    drawn = np.searchsorted(cumulative, rng.random(len(rows)), side="right")
    numbers = np.array([CODE[pairs] for pairs in counts], dtype=np.uint8)
    hit = drawn < len(numbers)
    combination[rows[hit]] = numbers[drawn[hit]]


def regular_combinations(
    rng: np.random.Generator, is_sweep: NDArray[np.bool_], is_off: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """Combination of each continuous print of the regular session, as a row of ``CONDITIONS``."""
    odd = rng.random(len(is_sweep)) < np.where(is_sweep, SWEEP_ODD_SHARE, PLAIN_ODD_SHARE)
    combination = np.select(
        [is_sweep & odd, is_sweep, odd], [CODE["3D87"], CODE["3D"], CODE["87"]], CODE["01"]
    ).astype(np.uint8)  # fmt: skip
    _rare_off(rng, combination, np.flatnonzero(is_off), _RARE_COUNTS, _REGULAR_TICKS_MEASURED * _OFF_SHARE_OF_TICKS)
    return combination


def extended_combinations(
    rng: np.random.Generator, is_sweep: NDArray[np.bool_], is_off: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """Combination of each print outside the regular session, as a row of ``CONDITIONS``."""
    odd = rng.random(len(is_sweep)) < EXTENDED_ODD_SHARE
    combination = np.select(
        [is_sweep & odd, is_sweep, odd], [CODE["873D17"], CODE["173D"], CODE["8717"]], CODE["17"]
    ).astype(np.uint8)  # fmt: skip
    _rare_off(rng, combination, np.flatnonzero(is_off), _EXTENDED_RARE, _EXTENDED_TICKS_MEASURED * 0.47)
    return combination


def move_rare_to_their_venue(combination: NDArray[np.uint8], venue: NDArray[np.uint32]) -> None:
    """Put combinations seen on one reporting facility only on that facility, in place."""
    for pairs, home in _VENUE_OF_RARE.items():
        venue[combination == CODE[pairs]] = home


def draw_sizes(
    rng: np.random.Generator, combination: NDArray[np.uint8], is_off: NDArray[np.bool_], scale: float
) -> NDArray[np.uint64]:
    """Sizes of prints. [shares]

    Odd lots are 1 to 99 with median 15. The others are at least 100, most of them round hundreds, log-normal with
    a few blocks of 10,000 and more (one in about 1,400 off exchange, one in 8,000 on exchanges).
    """
    n = len(combination)
    lots = np.maximum(100.0, np.exp(rng.normal(np.log(150.0 * scale), 0.85, n)) * np.where(is_off, 1.22, 1.0))
    size = np.where(rng.random(n) < 0.8, np.round(lots / 100.0) * 100.0, np.floor(lots))
    block = rng.random(n) < np.where(is_off, 0.0007, 0.000125)
    size[block] = np.minimum(10_000.0 * (1.0 + rng.pareto(1.6, int(block.sum()))), 400_000.0) // 100 * 100
    odd = IS_ODD[combination]
    size[odd] = 1 + np.floor(99.0 * rng.random(int(odd.sum())) ** 2.8)
    return np.asarray(size, dtype=np.uint64)
