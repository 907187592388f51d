"""Benchmarks: ours beside the usual tools, same columns, checked equal before timing; ratios taken in one run.

Belongs here: one module per benchmark, each with ``main() -> dict`` and runnable as ``python -m benchmarks.<name>``;
``measure`` times and writes, ``peers`` holds the other implementations.

Everything is compared on one thread: polars, numba and BLAS read their thread counts once, when they are imported,
so they are set here, before any module of the package can import them.
"""

from __future__ import annotations

import os

for _variable in ("NUMBA_NUM_THREADS", "POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_variable] = "1"
