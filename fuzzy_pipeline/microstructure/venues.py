"""Where the volume went: shares, sizes and spreads by venue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fuzzy_pipeline.microstructure.quotes import has_usable_quote
from fuzzy_pipeline.schema.codes import OFF_EXCHANGE, Exchange

_UNKNOWN = float("nan")
_CODES = 256  # exchange codes are uint8


@dataclass(frozen=True, slots=True)
class VenueProfile:
    """One venue's part of a session.

    ``volume`` [shares], ``volume_share`` of the session's volume [1], ``avg_trade_size`` [shares], ``spread`` [USD]
    and ``spread_bps`` mean quoted spread at the venue's trades with a usable quote, NaN when it has none. The quote is
    the consolidated one at the trade, not the venue's own.
    """

    exchange: Exchange
    trade_count: int
    volume: int
    volume_share: float
    avg_trade_size: float
    spread: float
    spread_bps: float


@dataclass(frozen=True, slots=True)
class VenueAnalysis:
    """Venues with trades, by falling volume (then by code), and how the volume is spread over them.

    ``fragmentation`` is 1 − Σ volume_share² (the Herfindahl index): 0 with one venue, at most 1 − 1/venues.
    ``off_exchange_share`` is the share of volume reported through trade reporting and alternative display facilities;
    it does not say dark pool. ``Exchange.OTHER`` is one venue here, on exchange for want of better knowledge: its share
    says how far the two can be trusted. Both are NaN without volume.
    """

    venues: tuple[VenueProfile, ...]
    fragmentation: float
    off_exchange_share: float


@njit(cache=True, nogil=True)
def _by_venue(exchange, size, bid, ask, trades, shares, quoted, spread, spread_bps):  # type: ignore[no-untyped-def]
    """Per code, trades, shares and quoted trades, Σ spread [USD] and Σ spread [bps]."""
    for i in range(len(exchange)):
        code, b, a = exchange[i], bid[i], ask[i]
        trades[code] += 1
        shares[code] += np.int64(size[i])
        if has_usable_quote(b, a):
            quoted[code] += 1
            spread[code] += a - b
            spread_bps[code] += (a - b) / (0.5 * (b + a)) * 1e4


def venue_analysis(
    exchange: NDArray[np.uint8],
    size: NDArray[np.unsignedinteger[Any]],
    bid: NDArray[np.float64],
    ask: NDArray[np.float64],
) -> VenueAnalysis:
    """Share of volume, average size and mean spread per venue, fragmentation and off-exchange share.

    Parameters
    ----------
    exchange : uint8[n_trades]
        Codes of ``schema.codes.Exchange``.
    size : unsigned[n_trades]
        [shares]
    bid, ask : float64[n_trades]
        Quote at each trade; NaN when missing. [USD]

    Returns
    -------
    VenueAnalysis

    Raises
    ------
    ValueError
        When a code is not one of ``Exchange``.

    References
    ----------
    O'Hara and Ye (2011), Journal of Financial Economics 100:459, https://doi.org/10.1016/j.jfineco.2011.02.006

    Examples
    --------
    600 shares on NASDAQ (code 1), 400 through its trade reporting facility (11): 1 − 0.36 − 0.16.

    >>> found = venue_analysis(
    ...     np.array([1, 11, 1], dtype=np.uint8), np.array([200, 400, 400], dtype=np.uint32),
    ...     np.array([9.99, 10.0, 9.98]), np.array([10.01, 10.0, 10.02]))
    >>> round(found.fragmentation, 9), found.off_exchange_share, found.venues[0].exchange.name
    (0.48, 0.4, 'NASDAQ')
    >>> found.venues[0].avg_trade_size, round(found.venues[0].spread, 9), round(found.venues[0].spread_bps, 9)
    (300.0, 0.03, 30.0)
    """
    counts, spreads = np.zeros((3, _CODES), dtype=np.int64), np.zeros((2, _CODES))
    # One array each: rows picked inside the loop would cost five times as much.
    _by_venue(exchange, size, bid, ask, *counts, *spreads)
    trades, shares, _ = counts
    volume = int(shares.sum())
    traded = sorted(np.flatnonzero(trades).tolist(), key=lambda code: (-int(shares[code]), code))
    venues = tuple(
        _profile(Exchange(code), counts[:, code].tolist(), spreads[:, code].tolist(), volume) for code in traded
    )
    if volume == 0:
        return VenueAnalysis(venues, _UNKNOWN, _UNKNOWN)
    off_exchange = sum(venue.volume for venue in venues if venue.exchange in OFF_EXCHANGE)
    return VenueAnalysis(venues, 1 - sum(venue.volume_share**2 for venue in venues), off_exchange / volume)


def _profile(exchange: Exchange, counts: list[int], spreads: list[float], session_volume: int) -> VenueProfile:
    trades, volume, quoted = counts
    spread, spread_bps = (total / quoted if quoted else _UNKNOWN for total in spreads)
    share = volume / session_volume if session_volume else _UNKNOWN
    return VenueProfile(exchange, trades, volume, share, volume / trades, spread, spread_bps)
