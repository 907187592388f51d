"""Trade sign alone: ours against tclf's Lee-Ready rule.

Run with ``python -m benchmarks.lee_ready``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tclf.classical_classifier import ClassicalClassifier

from benchmarks import measure
from fuzzy_pipeline.microstructure.trade_classification import lee_ready

GOALS = {"tclf, rule alone": 2.5}
DATE = dt.date(2013, 10, 8)
DAYS = (("SPY", 450_000), ("BAC", 125_000))
REMARKS = [
    "Ours finds the last different price itself. tclf expects it as a column: 'rule alone' is given it, 'with lag' "
    "computes it with pandas first.",
    "tclf is called at its Lee-Ready rule: input validation and the filling of unclassified trades are left out, in "
    "tclf's favour (fit() of tclf 0.0.9 does not run with scikit-learn 1.9).",
    "Unclassified trades are NaN in tclf and 0 in ours, counted as equal. On locked quotes tclf applies the quote rule "
    "and ours the tick test, and midpoints missed by binary rounding are signed by the quote in tclf and not in ours; "
    "those trades are left out of the check.",
]

Floats = NDArray[np.float64]


def features(price: Floats, bid: Floats, ask: Floats) -> pd.DataFrame:
    """Tclf's columns without the lagged price."""
    return pd.DataFrame({"trade_price": price, "bid_ex": bid, "ask_ex": ask})


def last_different(price: pd.Series[float]) -> pd.Series[float]:
    """The last price before each trade that differs from its own."""
    previous = price.shift()
    return previous.where(previous != price).ffill()


def tclf_rule(frame: pd.DataFrame) -> Floats:
    """Signs by tclf; NaN where it gives none."""
    classifier = ClassicalClassifier(layers=[("lr", "ex")], strategy="const")
    classifier.X_ = frame
    signs: Floats = classifier._lr("ex")
    return signs


def tclf_with_lag(frame: pd.DataFrame) -> Floats:
    """Signs by tclf, the lagged price computed first."""
    return tclf_rule(frame.assign(price_ex_lag=last_different(frame["trade_price"])))


def check(day: measure.TickDay) -> list[str]:
    """How tclf's signs differ from ours outside locked quotes."""
    price, bid, ask = day.raw["last"], day.raw["bid"], day.raw["ask"]
    theirs = np.nan_to_num(tclf_with_lag(features(price, bid, ask)))
    # Compared exactly, tclf gives a price that misses the midpoint by its last bit the sign of the rounding.
    missed = (price != (bid + ask) / 2) & (np.abs(2 * price - (bid + ask)) < 1e-9)
    compared = (bid != ask) & ~missed
    different = int((theirs != lee_ready(price, bid, ask))[compared].sum())
    return [f"tclf, {day.label}: {different} of {int(compared.sum())} signs differ"] if different else []


def time_day(day: measure.TickDay) -> dict[str, Any]:
    """Timings on one day."""
    price, bid, ask = day.raw["last"], day.raw["bid"], day.raw["ask"]
    frame = features(price, bid, ask)
    with_lag = frame.assign(price_ex_lag=last_different(frame["trade_price"]))
    contenders: dict[str, Callable[[], object]] = {
        "ours": lambda: lee_ready(price, bid, ask),
        "tclf, rule alone": lambda: tclf_rule(with_lag),
        "tclf, with lag": lambda: tclf_with_lag(frame),
    }
    return measure.case(day.label, day.rows, measure.side_by_side(contenders, rounds=15), GOALS)


def main() -> dict[str, Any]:
    """Check, time, write ``results/lee_ready``."""
    days = [measure.tick_day(symbol, DATE, ticks) for symbol, ticks in DAYS]
    different = [line for day in days for line in check(day)]
    remarks = REMARKS + (different or ["Before timing, all compared signs were found equal."])
    return measure.write_results("lee_ready", "Trade sign by Lee and Ready", [time_day(day) for day in days], remarks)


if __name__ == "__main__":
    main()
