"""Every column of every table, declared once.

Belongs here: the ``Column`` type and the column declarations, grouped by meaning. Tables pick from them in
``schema.tables``; Arrow types, checks, views and ``docs/reference/columns.md`` are derived.

``dtype`` is the NumPy type in memory. Instants are ``datetime64[ns]`` holding UTC; readers show them in
America/New_York. A column with ``from_key`` is the same for the whole stored key (a symbol, a date): it is
not written per row but attached when a table is read. ``nullable`` floats use NaN for null.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, NumPy dtype, unit, meaning, bounds and code table."""

    name: str
    dtype: str
    description: str
    unit: str = ""
    nullable: bool = False
    low: float | None = None
    high: float | None = None
    codes: str | None = None
    from_key: bool = False


INSTANT = "datetime64[ns]"
F8, F4 = "float64", "float32"
U8, U4, U2, U1 = "uint64", "uint32", "uint16", "uint8"
I8, I1 = "int64", "int8"
TEXT = "str"
ROW_LIST = "list<int64>"
USD, SHARES, BPS, RATIO = "USD", "shares", "bps", "1"

# -- raw ticks: the 14 IQFeed fields -------------------------------------------------------------------

TICK_ID = Column("tick_id", U8, "Counts from 1 per date and market centre without holes; a hole is a lost tick.", low=1)
RAW_DATE = Column("date", "datetime64[D]", "Trading date, Eastern Time.", from_key=True)
RAW_TIME = Column("time", I8, "Time of the trade since midnight Eastern Time.", "µs", low=0, high=86_399_999_999)
LAST = Column("last", F8, "Trade price.", USD, low=0)
LAST_SZ = Column("last_sz", U8, "Trade size; 0 only on official open and close prints.", SHARES)
LAST_TYPE = Column("last_type", "S1", "Basis for last: C last-qualified, E extended hours, O other, S settle.")
MKT_CTR = Column("mkt_ctr", U4, "Market centre that reported the trade (schema.code_tables.market_centers).")
TOT_VLM = Column("tot_vlm", U8, "Volume of the day up to and including this tick.", SHARES)
BID = Column("bid", F8, "Best bid at the trade; NaN when the source has none.", USD, nullable=True)
ASK = Column("ask", F8, "Best ask at the trade; NaN when the source has none.", USD, nullable=True)
CONDITIONS_RAW = tuple(
    Column(
        f"cond{n}",
        U1,
        f"Trade condition code {n} of 4; 0 is no code. Position has no meaning.",
        codes="trade_condition",
    )
    for n in (1, 2, 3, 4)
)

# -- enriched ticks ------------------------------------------------------------------------------------

TIMESTAMP = Column("timestamp", INSTANT, "Instant of the trade.", "ns, America/New_York")
SYMBOL = Column("symbol", TEXT, "Ticker.", from_key=True)
PRICE = Column("price", F8, "Trade price.", USD, low=0)
SIZE = Column("size", U4, "Trade size.", SHARES, low=1)
BASIS = Column("basis", U1, "Basis for last as its ASCII code: 67 C, 69 E, 79 O, 83 S.", codes="basis")
MARKET_CENTER = Column("market_center", U2, "Market centre id as the source sent it.")
TOTAL_VOLUME = Column("total_volume", U8, "Volume of the day up to and including this tick.", SHARES)
CONDITIONS = tuple(
    Column(f"condition_{n}", U1, f"Trade condition code {n} of 4; 0 is no code.", codes="trade_condition")
    for n in (1, 2, 3, 4)
)
TICK_SEQUENCE = Column("tick_sequence", U2, "0, 1, 2… within ticks of equal timestamp, in arrival order.")
EXCHANGE = Column("exchange", U1, "Exchange of the market centre; 0 OTHER for unknown ids.", codes="exchange")
SPREAD = Column("spread", F8, "ask − bid; negative when crossed.", USD, nullable=True)
MIDPOINT = Column("midpoint", F8, "(bid + ask) / 2.", USD, nullable=True)
SPREAD_BPS = Column("spread_bps", F4, "spread / midpoint × 10,000.", BPS, nullable=True)
SPREAD_PCT = Column("spread_pct", F4, "spread / midpoint.", RATIO, nullable=True)
EFFECTIVE_SPREAD = Column("effective_spread", F8, "2·|price − midpoint|.", USD, nullable=True, low=0)
PRICE_IMPROVEMENT = Column(
    "price_improvement", F8,
    "trade_sign·(midpoint − price): negative when the aggressor paid beyond the midpoint.", USD, nullable=True,
)  # fmt: skip
TRADE_SIGN = Column("trade_sign", I1, "Aggressor: +1 buyer, −1 seller, 0 unknown (Lee-Ready).", low=-1, high=1)
TRADE_SIGN_METHOD = Column(
    "trade_sign_method", U1, "How the sign was found: 0 none, 1 quote, 2 tick test.", codes="trade_sign_method"
)
TICK_DIRECTION = Column("tick_direction", I1, "sign(price − previous price); 0 on the first tick.", low=-1, high=1)
DOLLAR_VOLUME_TICK = Column("dollar_volume", F8, "price·size.", USD, low=0)
VOLUME_RATE = Column(
    "volume_rate", U8, "total_volume − that of the previous tick (first: itself; 0 when it fell).", SHARES
)
TRADE_PCT_OF_DAY = Column("trade_pct_of_day", F4, "size / total_volume.", RATIO, nullable=True, low=0)
PRICE_CHANGE = Column("price_change", F8, "price − previous price; NaN on the first tick.", USD, nullable=True)
PRICE_CHANGE_BPS = Column("price_change_bps", F4, "price_change / previous price × 10,000.", BPS, nullable=True)
LOG_RETURN = Column("log_return", F4, "ln(price / previous price); NaN on the first tick.", RATIO, nullable=True)
PARTICIPANT_TYPE = Column(
    "participant_type", U1,
    "Heuristic from size and codes: block, odd lot, sweep, ≥ 1,000, ≤ 100, else unknown.", codes="participant_type",
)  # fmt: skip
SESSION = Column("session", U1, "Session the tick belongs to; the closing auction belongs to regular.", codes="session")
FLAGS = (
    Column("is_regular", "bool", "No condition code other than regular (0x01)."),
    Column("is_extended_hours", "bool", "Carries the extended-hours (Form T) code."),
    Column("is_odd_lot", "bool", "Carries the odd-lot code."),
    Column("is_intermarket_sweep", "bool", "Carries the intermarket-sweep code."),
    Column("is_derivatively_priced", "bool", "Carries the derivatively-priced code."),
    Column("is_block_trade", "bool", "size ≥ 10,000 shares."),
    Column("is_qualified", "bool", "May set open, last and close under the eligibility profile."),
    Column("sets_high_low", "bool", "May set high and low under the eligibility profile."),
    Column("counts_volume", "bool", "Counts in volume under the eligibility profile."),
)

# -- bars ----------------------------------------------------------------------------------------------

BAR_KEY = (
    SYMBOL,
    Column(
        "family",
        TEXT,
        "Bar family: time, tick, volume, dollar, imbalance, run, volatility, range, renko.",
        from_key=True,
    ),
    Column("parameter", TEXT, "Parameter of the series, for example 1m or 500.", from_key=True),
)
BAR_CLOCK = (
    Column("bar_index", U4, "0, 1, 2… within the series of one date."),
    Column("bar_start", INSTANT, "Start: of the window for time bars, first tick otherwise.", "ns, America/New_York"),
    Column(
        "timestamp", INSTANT, "Completion: window end for time bars, closing tick otherwise.", "ns, America/New_York"
    ),
    Column("first_tick_time", INSTANT, "First counted tick.", "ns, America/New_York", nullable=True),
    Column("last_tick_time", INSTANT, "Last counted tick.", "ns, America/New_York", nullable=True),
)
BAR_PRICES = (
    Column("open", F8, "First price that may set it.", USD, nullable=True, low=0),
    Column("high", F8, "Highest price that may set it.", USD, nullable=True, low=0),
    Column("low", F8, "Lowest price that may set it.", USD, nullable=True, low=0),
    Column("close", F8, "Last price that may set it.", USD, nullable=True, low=0),
    Column("volume", U8, "Σ size of the counted ticks.", SHARES),
    Column("tick_count", U4, "Counted ticks."),
    Column("qualified_tick_count", U4, "Ticks that may set open and close."),
    Column(
        "qualified_volume", U8, "Σ size of the ticks that may set open and close (IQFeed's own period volume).", SHARES
    ),
    Column(
        "total_volume",
        U8,
        "Volume of the day at the last price-setting tick of the bar (at the last counted tick when it has none).",
        SHARES,
    ),
    Column("dollar_volume", F8, "Σ price·size of the counted ticks.", USD, low=0),
    Column(
        "vwap",
        F8,
        "Σ price·size / Σ size over price-setting ticks, hence within [low, high].",
        USD,
        nullable=True,
        low=0,
    ),
    Column("typical_price", F8, "(high + low + close) / 3.", USD, nullable=True, low=0),
)
BAR_SPREADS = (
    Column("quoted_tick_count", U4, "Counted ticks with a usable quote (0 < bid ≤ ask)."),
    Column("unlocked_tick_count", U4, "Counted ticks with bid < ask."),
    Column("avg_spread", F8, "Mean spread over ticks with a usable quote (0 < bid ≤ ask).", USD, nullable=True, low=0),
    Column("avg_spread_bps", F8, "Mean of spread / midpoint × 10,000 over the same ticks.", BPS, nullable=True, low=0),
    Column(
        "spread_volatility",
        F8,
        "Population standard deviation of the spread over the same ticks.",
        USD,
        nullable=True,
        low=0,
    ),
)
BAR_FLOW = (
    Column("buy_volume", U8, "Σ size of buyer-initiated ticks.", SHARES),
    Column("sell_volume", U8, "Σ size of seller-initiated ticks.", SHARES),
    Column("buy_tick_count", U4, "Buyer-initiated ticks."),
    Column("sell_tick_count", U4, "Seller-initiated ticks."),
    Column("buy_dollar_volume", F8, "Σ price·size of buyer-initiated ticks.", USD, low=0),
    Column("sell_dollar_volume", F8, "Σ price·size of seller-initiated ticks.", USD, low=0),
)
BAR_EXECUTION = (
    Column(
        "effective_spread_mean",
        F8,
        "Mean of 2·|price − midpoint| over ticks with a usable quote.",
        USD,
        nullable=True,
        low=0,
    ),
    Column(
        "at_midpoint_rate",
        F8,
        "Share of ticks with bid < ask that traded at the midpoint.",
        RATIO,
        nullable=True,
        low=0,
        high=1,
    ),
    Column(
        "price_improvement_rate",
        F8,
        "Share of ticks with bid < ask that traded strictly inside the quote.",
        RATIO,
        nullable=True,
        low=0,
        high=1,
    ),
    Column("avg_trade_size", F8, "volume / tick_count.", SHARES, nullable=True, low=0),
    Column("trade_frequency", F8, "Counted ticks per minute of the bar's duration.", "1/min", nullable=True, low=0),
    Column(
        "quote_intensity",
        F8,
        "Quote changes seen at trades, per second of the bar's duration; null without a usable quote.",
        "1/s",
        nullable=True,
        low=0,
    ),
)
BAR_PARTICIPANTS = (
    Column("retail_volume_pct", F8, "Share of volume by participant_type RETAIL.", RATIO, nullable=True, low=0, high=1),
    Column(
        "institutional_volume_pct",
        F8,
        "Share of volume by participant_type INSTITUTIONAL.",
        RATIO,
        nullable=True,
        low=0,
        high=1,
    ),
    Column("block_trade_count", U4, "Counted ticks of 10,000 shares or more."),
    Column("odd_lot_count", U4, "Counted ticks with the odd-lot code."),
    Column("first_half_volume", U8, "Volume before the middle of [bar_start, timestamp].", SHARES),
    Column("second_half_volume", U8, "Volume from the middle on.", SHARES),
    Column("opening_auction_volume", U8, "Volume in the first 30 s of the session.", SHARES),
    Column("closing_auction_volume", U8, "Volume in the last 30 s of the session, closing auction included.", SHARES),
)
BAR_SHAPE = (
    Column("range", F8, "high − low.", USD, nullable=True, low=0),
    Column("direction", I1, "sign(close − open); 0 when unknown.", low=-1, high=1),
    Column("change", F8, "close − open.", USD, nullable=True),
    Column("change_pct", F8, "(close − open) / open.", RATIO, nullable=True),
    Column(
        "volume_imbalance",
        F8,
        "(buy − sell) / (buy + sell) in shares; null without signed volume.",
        RATIO,
        nullable=True,
        low=-1,
        high=1,
    ),
    Column("tick_imbalance", F8, "(buy − sell) / (buy + sell) in ticks.", RATIO, nullable=True, low=-1, high=1),
    Column("dollar_imbalance", F8, "(buy − sell) / (buy + sell) in dollars.", RATIO, nullable=True, low=-1, high=1),
    Column(
        "temporal_concentration",
        F8,
        "|first half − second half| / volume: 0 even, 1 all in one half.",
        RATIO,
        nullable=True,
        low=0,
        high=1,
    ),
    Column(
        "liquidity_score",
        F8,
        "0.3·min(100, 2·trades/min) + 0.4·max(0, 100 − spread bps) + 0.3·min(100, size/10), null parts left out.",
        "0-100",
        nullable=True,
        low=0,
        high=100,
    ),
)
BAR_CLOSE = (
    Column("threshold", F8, "What the bar had to reach; null for time bars.", nullable=True),
    Column("overflow", F8, "By how much the closing tick passed the threshold.", nullable=True),
    Column("efficiency", F8, "threshold / what was reached: 1 closed exactly on it.", RATIO, nullable=True),
    Column("theta", F8, "Accumulated imbalance or run at the close; null for other families.", nullable=True),
    Column("expected_theta", F8, "Expectation of |theta| before the bar; null for other families.", nullable=True),
    Column("trigger_direction", I1, "Side that closed the bar; 0 for families without one.", low=-1, high=1),
    Column("gaps", U4, "Steps without a bar of their own just before: empty windows, ranges or bricks jumped."),
    Column("is_complete", "bool", "The bar reached its threshold or the end of its window."),
    Column("is_warm_up", "bool", "Built before the family had enough history."),
    Column("is_phantom", "bool", "A renko brick without ticks of its own."),
    Column("close_reason", U1, "Why the bar closed.", codes="close_reason"),
)  # fmt: skip

# -- light tables of ticks -----------------------------------------------------------------------------

LIGHT_SYMBOL = Column("symbol", TEXT, "Ticker.")
TRADING_DATE = Column("trading_date", "datetime64[D]", "The partition's trading date, Eastern Time.")
ROW = Column("row", I8, "Arrival number of the tick in what the source sent, from 0.", low=0)
INGEST_ID = Column("ingest_id", TEXT, "The ingest that met the tick; its source is in the manifest.")
RULE = Column("rule", TEXT, "Name of the rule (quality.validation, quality.flags).")
FLAG_COUNT = Column("count", I8, "Ticks the rule found.", low=1)
FLAG_ROWS = Column("rows", ROW_LIST, "Arrival numbers of the first hundred of them.")
SOURCE_DAILY_BAR = (
    Column("open", F8, "First last-qualified price of the date, as the source has it.", USD),
    Column("high", F8, "Highest, as the source has it.", USD),
    Column("low", F8, "Lowest, as the source has it.", USD),
    Column("close", F8, "Last, as the source has it.", USD),
    Column("volume", I8, "Volume of all sessions, as the source has it.", SHARES),
)
