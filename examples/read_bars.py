"""Read committed bars, ticks and day records, and export a month.

Run ``fuzzy demo`` first, then ``FUZZY_HOME=.fuzzy/demo python examples/read_bars.py``.
"""

from __future__ import annotations

from fuzzy_pipeline.query import coverage, export, get_bars, get_metadata, get_ticks

FIRST, LAST = "2025-11-25", "2025-11-28"


def main() -> None:
    """Print what is there, read some of it, write a file."""
    print(coverage(FIRST, LAST)[["symbol", "date", "state", "raw_ticks", "time_bars"]].to_string(index=False))

    bars = get_bars("SPY", FIRST, LAST, parameter="30m", columns=["date", "open", "high", "low", "close", "volume"])
    print(bars.tail(8))

    # Fewer columns read faster; names instead of codes only where people look.
    ticks = get_ticks("SPY", LAST, columns=["price", "size", "trade_sign", "exchange"], decode=True)
    signed = (ticks["size"] * ticks["trade_sign"]).groupby(ticks["exchange"], observed=True).sum()
    print(signed.sort_values().rename("signed shares").to_string())

    days = get_metadata("AAPL,SPY", FIRST, LAST)
    print(days[["date", "symbol", "basic_stats.vwap", "basic_stats.price_close"]].to_string(index=False))

    files = export(get_bars("SPY", FIRST, LAST, as_="arrow"), "spy_bars.parquet")
    print(f"written: {files[0]}")


if __name__ == "__main__":
    main()
