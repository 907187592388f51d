"""What is done for the store every week without being asked: compaction, and pruning of what was replaced.

Deleting data whose time is over is not among it: that is asked for with ``fuzzy store retain``.
"""

from __future__ import annotations

from dataclasses import dataclass

from fuzzy_pipeline.operations.audit import AuditLog
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.store_care.prune import TablePruning, prune
from fuzzy_pipeline.stores.compaction import CompactionReport, compact
from fuzzy_pipeline.stores.parquet import ParquetLightStore
from fuzzy_pipeline.stores.store import Store
from fuzzy_pipeline.trading_calendar import now_eastern


@dataclass(frozen=True, slots=True)
class WeeklyCare:
    """What was compacted and what was pruned."""

    compacted: list[CompactionReport]
    pruned: list[TablePruning]


def compact_store(store: Store) -> list[CompactionReport]:
    """Compact the light tier of a store; one in memory has nothing to compact."""
    if not isinstance(store.light, ParquetLightStore):
        return []
    return compact(store.light, today=now_eastern().date())


def weekly_care(store: Store, settings: Settings) -> WeeklyCare:
    """Compact and prune; every deletion goes into the audit log.

    Raises
    ------
    StoreError
        The store cannot be read or written.
    """
    return WeeklyCare(compact_store(store), prune(store, settings.care, on_delete=AuditLog.of(settings).append))
