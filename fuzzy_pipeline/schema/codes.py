"""Fixed codes: the small integers stored in place of text, and the condition-code sets of each profile.

Belongs here: meanings of stored codes. A code never changes its meaning; new ones are added at the end.
Market centres, trade conditions and security types as IQFeed names them: ``schema.code_tables``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cache

import numpy as np
from numpy.typing import NDArray

from fuzzy_pipeline.settings import ConditionProfile

BLOCK_TRADE_SHARES = 10_000
"""A print of this size or more is a block trade."""


class Session(IntEnum):
    """Session of a tick."""

    CLOSED = 0
    PRE = 1
    REGULAR = 2
    AFTER = 3


class SignMethod(IntEnum):
    """How a trade sign was found."""

    NONE = 0
    QUOTE = 1
    TICK_TEST = 2


class Participant(IntEnum):
    """Participant type, a heuristic from size and condition codes."""

    UNKNOWN = 0
    RETAIL = 1
    INSTITUTIONAL = 2
    ALGO = 3


class CloseReason(IntEnum):
    """Why a bar closed."""

    TIME = 0
    THRESHOLD = 1
    SESSION_END = 2
    CAP = 3


class Basis(IntEnum):
    """Basis for last, as its ASCII code."""

    LAST_QUALIFIED = ord("C")
    EXTENDED = ord("E")
    OTHER = ord("O")
    SETTLE = ord("S")


class Exchange(IntEnum):
    """Exchange of a US-equity market centre; every other id is OTHER."""

    OTHER = 0
    NASDAQ = 1
    NYSE_AMERICAN = 2
    NYSE = 3
    NYSE_CHICAGO = 4
    NASDAQ_PHLX = 5
    NYSE_NATIONAL = 6
    NYSE_ARCA = 7
    NASDAQ_BX = 8
    CBOE = 9
    CBOE_BZX = 10
    FINRA_NASDAQ_TRF = 11
    FINRA_NYSE_TRF = 12
    CBOE_EDGA = 13
    CBOE_EDGX = 14
    CBOE_BYX = 15
    NASDAQ_PSX = 16
    IEX = 17
    FINRA_NASDAQ_TRF_CHICAGO = 18
    MEMX = 19
    FINRA_ADF = 20


MARKET_CENTER_EXCHANGE: dict[int, Exchange] = {
    5: Exchange.NASDAQ,
    6: Exchange.NYSE_AMERICAN,
    7: Exchange.NYSE,
    8: Exchange.NYSE_CHICAGO,
    9: Exchange.NASDAQ_PHLX,
    10: Exchange.NYSE_NATIONAL,
    11: Exchange.NYSE_ARCA,
    12: Exchange.NASDAQ_BX,
    13: Exchange.CBOE,
    15: Exchange.FINRA_ADF,
    18: Exchange.CBOE_BZX,
    19: Exchange.FINRA_NASDAQ_TRF,
    24: Exchange.FINRA_NYSE_TRF,
    25: Exchange.CBOE_EDGA,
    26: Exchange.CBOE_EDGX,
    28: Exchange.CBOE_BYX,
    80: Exchange.NASDAQ_PSX,
    153: Exchange.IEX,
    # Not in DTN's published list: joined by the dates on which these ids appear in captured ticks.
    164: Exchange.FINRA_NASDAQ_TRF_CHICAGO,
    187: Exchange.MEMX,
}
"""IQFeed market-centre id -> exchange (listed-markets reply ``SLM``)."""

OFF_EXCHANGE = frozenset(
    {Exchange.FINRA_NASDAQ_TRF, Exchange.FINRA_NYSE_TRF, Exchange.FINRA_NASDAQ_TRF_CHICAGO, Exchange.FINRA_ADF}
)
"""Reported through a trade reporting facility; says off exchange, not dark pool."""

CODE_TABLES: dict[str, type[IntEnum]] = {
    "session": Session,
    "trade_sign_method": SignMethod,
    "participant_type": Participant,
    "close_reason": CloseReason,
    "basis": Basis,
    "exchange": Exchange,
}
"""Name in ``Column.codes`` -> code table (``trade_condition`` is ``schema.code_tables``)."""


@cache
def exchange_of_market_center() -> NDArray[np.uint8]:
    """uint8[65536]: exchange code by market-centre id, 0 OTHER for ids without a known exchange."""
    table = np.zeros(1 << 16, dtype=np.uint8)
    for market_center, exchange in MARKET_CENTER_EXCHANGE.items():
        table[market_center] = exchange
    table.flags.writeable = False
    return table


@dataclass(frozen=True, slots=True)
class ConditionCodes:
    """Which condition codes mean what: the codes that the flags and the trade sign look for."""

    regular: frozenset[int]
    extended_hours: frozenset[int]
    odd_lot: frozenset[int]
    intermarket_sweep: frozenset[int]
    derivatively_priced: frozenset[int]
    closing_print: frozenset[int]
    no_aggressor: frozenset[int]
    official_print: frozenset[int]


IQFEED_CONDITIONS = ConditionCodes(
    regular=frozenset({0x01}),
    extended_hours=frozenset({0x17}),
    odd_lot=frozenset({0x87}),
    intermarket_sweep=frozenset({0x3D}),
    derivatively_priced=frozenset({0x3E}),
    closing_print=frozenset({0x40}),
    # Auctions 8A 40 25 3F 42, average price 05, derivatively priced 3E, late or out-of-sequence prints 10 13 19 3A.
    no_aggressor=frozenset({0x8A, 0x40, 0x25, 0x3F, 0x42, 0x05, 0x3E, 0x10, 0x13, 0x19, 0x3A}),
    official_print=frozenset({0x39, 0x2E}),
)
"""IQFeed's own meanings (trade-conditions reply ``STC``), confirmed on captured ticks."""

FUZZY_OSS20_CONDITIONS = ConditionCodes(
    regular=frozenset({1}),
    extended_hours=frozenset({135}),
    odd_lot=frozenset({23}),
    intermarket_sweep=frozenset({37}),
    derivatively_priced=frozenset({61}),
    closing_print=frozenset({81}),
    no_aggressor=frozenset({79, 81, 83, 5, 61}),
    official_print=frozenset({0x39, 0x2E}),
)
"""Meanings of an older in-house document: wrong on real data, kept so that its numbers can be reproduced."""

CONDITION_PROFILES: dict[ConditionProfile, ConditionCodes] = {
    "iqfeed": IQFEED_CONDITIONS,
    "fuzzy_oss20": FUZZY_OSS20_CONDITIONS,
}

# Bits of a condition code's meaning: kernels look a code up once and test bits.
(
    OTHER_THAN_REGULAR_BIT,
    EXTENDED_BIT,
    ODD_LOT_BIT,
    SWEEP_BIT,
    DERIVATIVE_BIT,
    CLOSING_BIT,
    NO_AGGRESSOR_BIT,
    OFFICIAL_BIT,
) = (1 << position for position in range(8))


@cache
def condition_bits(profile: ConditionProfile) -> NDArray[np.uint8]:
    """uint8[256]: meaning bits of each condition code under a profile; code 0 (none) has no bit."""
    codes = CONDITION_PROFILES[profile]
    table = np.zeros(256, dtype=np.uint8)
    for bit, members in (
        (OTHER_THAN_REGULAR_BIT, frozenset(range(1, 256)) - codes.regular),
        (EXTENDED_BIT, codes.extended_hours),
        (ODD_LOT_BIT, codes.odd_lot),
        (SWEEP_BIT, codes.intermarket_sweep),
        (DERIVATIVE_BIT, codes.derivatively_priced),
        (CLOSING_BIT, codes.closing_print),
        (NO_AGGRESSOR_BIT, codes.no_aggressor),
        (OFFICIAL_BIT, codes.official_print),
    ):
        for code in members:
            table[code] |= bit
    table.flags.writeable = False
    return table
