"""Which ticks may set open, last and close, which high and low, and which count in volume.

Belongs here: the three eligibility profiles as tables a kernel looks codes up in.

``iqfeed``: basis C or E sets prices, everything counts in volume; reproduces IQFeed's own second bars.
``sip``: the consolidated-tape matrix of CTS v2.11b and UTP v4.1 by sale condition; one "no" disqualifies.
``all``: every tick sets prices and counts.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from fuzzy_pipeline.settings import EligibilityProfile

PROFILE_NUMBERS: dict[EligibilityProfile, int] = {"iqfeed": 0, "sip": 1, "all": 2}

# Bits of what a sale condition takes away under the SIP matrix.
NO_LAST, NO_HIGH_LOW, NO_VOLUME, LAST_ONLY_IF_FIRST, LAST_UNTIL_SHORTLY_AFTER_CLOSE = (1 << n for n in range(5))

SOLD_LAST_GRACE_US = 10_000_000
"""UTP lets a late report (sold last) set the last sale until ten seconds after the close [µs]."""

# IQFeed code -> what it takes away; codes that change nothing are left out.
_SIP_BITS: dict[int, int] = {
    0x05: NO_LAST | NO_HIGH_LOW,  # average price
    0x06: NO_LAST | NO_HIGH_LOW,  # cash trade
    0x08: NO_LAST | NO_HIGH_LOW,  # next day
    0x11: NO_LAST | NO_HIGH_LOW,  # next-day clearing
    0x14: NO_LAST | NO_HIGH_LOW,  # seller
    0x17: NO_LAST | NO_HIGH_LOW,  # Form T
    0x3A: NO_LAST | NO_HIGH_LOW,  # Form T, sold out of sequence
    0x36: NO_LAST | NO_HIGH_LOW,  # contingent
    0x44: NO_LAST | NO_HIGH_LOW,  # stock-option trade, reported as contingent
    0x43: NO_LAST | NO_HIGH_LOW,  # price variation
    0x87: NO_LAST | NO_HIGH_LOW,  # odd lot
    0x89: NO_LAST | NO_HIGH_LOW,  # qualified contingent
    0x0A: LAST_ONLY_IF_FIRST,  # bunched sold
    0x13: LAST_ONLY_IF_FIRST,  # prior reference price
    0x19: LAST_ONLY_IF_FIRST,  # sold out of sequence
    0x3E: LAST_ONLY_IF_FIRST,  # derivatively priced
    0x10: LAST_UNTIL_SHORTLY_AFTER_CLOSE,  # sold last
    0x2E: NO_LAST | NO_HIGH_LOW | NO_VOLUME,  # market centre official close
    0x39: NO_LAST | NO_HIGH_LOW | NO_VOLUME,  # market centre official open
    0x88: NO_VOLUME,  # corrected consolidated close
}


@cache
def sip_bits() -> NDArray[np.uint8]:
    """uint8[256]: what each condition code takes away under the SIP matrix; 0 for code 0."""
    table = np.zeros(256, dtype=np.uint8)
    for code, bits in _SIP_BITS.items():
        table[code] = bits
    table.flags.writeable = False
    return table
