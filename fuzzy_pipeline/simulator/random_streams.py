"""Independent random streams, one a purpose, that depend only on names and never on call order.

Belongs here: the derivation of seeds. Python's ``hash`` differs between processes, so names go through BLAKE2b.
"""

from __future__ import annotations

import datetime as dt
from hashlib import blake2b

import numpy as np


def random_stream(seed: int, purpose: str, symbol: str, date: dt.date | None = None) -> np.random.Generator:
    """Generator that is the same for equal arguments, in every process and on every machine.

    Two streams that differ in any argument are independent. The values drawn from a stream are NumPy's: they stay
    the same as long as NumPy keeps the algorithms of its distributions, which it may change between minor versions.
    """
    name = "|".join((purpose, symbol, "" if date is None else date.isoformat()))
    digest = int.from_bytes(blake2b(name.encode(), digest_size=16).digest(), "little")
    return np.random.default_rng(np.random.SeedSequence([seed, digest]))
