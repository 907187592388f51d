"""Draw the pictures of docs/methodology/day_metadata.md, rankings.md and baselines.md from a stored date.

Run with ``FUZZY_HOME=… python tools/draw_days.py SYMBOL DATE`` on a home that holds the date. The pictures in the
repository show BAC, and the four symbols ranked, on 2013-10-08.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from fuzzy_pipeline.charts import (
    correlation_heat_map_png,
    intraday_png,
    rank_percentiles_png,
    shares_png,
    signed_flow_png,
    spread_and_volume_png,
)
from fuzzy_pipeline.query import get_bars, get_metadata, get_rankings
from fuzzy_pipeline.query.rankings import correlation_matrix
from fuzzy_pipeline.rankings.cross_section import MEASURES

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"


def main() -> None:
    """Read what is stored, write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("symbol")
    parser.add_argument("date", help="YYYY-MM-DD")
    given = parser.parse_args()
    symbol, date = given.symbol, given.date
    title = f"{symbol} {date}"
    minutes = get_bars(symbol, date, parameter="1m")
    parts = get_bars(symbol, date, parameter="5m")
    (day,) = get_metadata(symbol, date, as_="models")
    buy, sell, volume = (parts[name].to_numpy(np.float64) for name in ("buy_volume", "sell_volume", "volume"))
    starts = minutes["bar_start"].dt.tz_convert("UTC").dt.tz_localize(None).to_numpy("datetime64[ns]")
    labels = [f"{start:%H:%M}" for start in parts["bar_start"]]
    ranks = get_rankings(date, as_="models")
    percentiles = {
        name: np.array([getattr(rank, name).percentile for rank in ranks], dtype=np.float64) for name in MEASURES
    }
    matrix = correlation_matrix(date)
    pictures = {
        "day_spread_and_volume": spread_and_volume_png(
            starts,
            minutes["avg_spread_bps"].to_numpy(np.float64),
            minutes["volume"].to_numpy(np.float64),
            f"{title}, spread and volume by minute",
        ),
        "day_signed_flow": signed_flow_png(
            labels, buy, sell, volume - buy - sell, f"{title}, volume by side, 5 minutes"
        ),
        "day_hours": intraday_png(
            [f"{hour.start:%H:%M}" for hour in day.intraday_evolution],
            np.array([hour.volume_pct for hour in day.intraday_evolution], dtype=np.float64),
            np.array([hour.spread for hour in day.intraday_evolution], dtype=np.float64),
            f"{title}, volume and mean spread by hour",
        ),
        "day_venues": shares_png(
            {venue.exchange: venue.volume_share for venue in day.venue_analysis.venues},
            f"{title}, share of volume by venue",
        ),
        "rank_percentiles": rank_percentiles_png(
            [rank.symbol for rank in ranks], percentiles, f"{date}, percentile among the symbols"
        ),
        "rank_correlations": correlation_heat_map_png(
            list(matrix.columns), matrix.to_numpy(np.float64), f"{date}, correlation of 5-minute returns"
        ),
    }
    for name, png in pictures.items():
        (IMAGES / f"{name}.png").write_bytes(png)


if __name__ == "__main__":
    main()
