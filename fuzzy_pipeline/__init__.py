"""fuzzy_pipeline: US-equity ticks to enriched ticks, bars and day statistics, by trading date.

The market-data side (everything but ``assets``, ``resources``, ``schedules``, ``checks`` and ``definitions``)
is plain Python and does not import Dagster.
"""

from importlib.metadata import version

__version__ = version("fuzzy-pipeline")
