"""Tick, volume and dollar bars by nautilus_trader: a process of its own, as it needs another fsspec and uvloop."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from nautilus_trader.data.aggregation import TickBarAggregator, ValueBarAggregator, VolumeBarAggregator
from nautilus_trader.model.currencies import USD
from nautilus_trader.model.data import Bar, BarType, TradeTick
from nautilus_trader.model.enums import AggressorSide
from nautilus_trader.model.identifiers import InstrumentId, Symbol, TradeId
from nautilus_trader.model.instruments import Equity
from nautilus_trader.model.objects import Price, Quantity

from benchmarks.peers.worker import Columns, serve

PRICE_DECIMALS = 4
AGGREGATORS = {
    "tick": (TickBarAggregator, "TICK"),
    "volume": (VolumeBarAggregator, "VOLUME"),
    "dollar": (ValueBarAggregator, "VALUE"),
}
STOCK = Equity(
    instrument_id=InstrumentId.from_str("STOCK.XNAS"),
    raw_symbol=Symbol("STOCK"),
    currency=USD,
    price_precision=PRICE_DECIMALS,
    price_increment=Price(10**-PRICE_DECIMALS, PRICE_DECIMALS),
    lot_size=Quantity.from_int(1),
    ts_event=0,
    ts_init=0,
)


def trade_ticks(ticks: Columns) -> list[TradeTick]:
    """Its objects, one a tick."""
    trade = TradeId("1")
    return [
        TradeTick(
            STOCK.id, Price(price, PRICE_DECIMALS), Quantity.from_int(size), AggressorSide.NO_AGGRESSOR, trade, at, at
        )
        for price, size, at in zip(
            ticks["price"].tolist(), ticks["size"].tolist(), ticks["timestamp"].tolist(), strict=True
        )
    ]


def prepare(ticks: Columns, family: str, parameter: int, /) -> Callable[[], list[Bar]]:
    """Ticks are made into its objects beforehand; an aggregator takes them one by one."""
    trades = trade_ticks(ticks)
    aggregator, unit = AGGREGATORS[family]
    bar_type = BarType.from_str(f"{STOCK.id}-{parameter}-{unit}-LAST-INTERNAL")

    def work() -> list[Bar]:
        bars: list[Bar] = []
        handle = aggregator(STOCK, bar_type, bars.append).handle_trade_tick
        for trade in trades:
            handle(trade)
        return bars

    return work


def columns(bars: list[Bar]) -> Columns:
    """In our names; it has neither vwap nor tick count."""
    return {
        name: np.array([getattr(bar, name).as_double() for bar in bars])
        for name in ("open", "high", "low", "close", "volume")
    }


if __name__ == "__main__":
    serve(prepare, columns)
