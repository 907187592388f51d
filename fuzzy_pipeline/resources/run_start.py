"""What every run does before it begins: refuse other settings and a full disk, and note changed settings."""

from __future__ import annotations

import dagster as dg

from fuzzy_pipeline.operations.settings_changes import note_settings
from fuzzy_pipeline.resources.run_locks import hold_while_alive
from fuzzy_pipeline.resources.run_tags import check_same_settings
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.workbench import workbench
from fuzzy_pipeline.store_care.disk_space import check_disk_space, measured_date_bytes

_begun: set[str] = set()


def begin(run: dg.DagsterRun, settings: Settings) -> None:
    """Check what a run needs; the dearer part once a run and process.

    Raises
    ------
    SettingsError
        The run was asked for with other settings.
    StoreFullError
        Too little of the disk is free for a date.
    """
    check_same_settings(run.tags, settings)
    if run.run_id in _begun:
        return
    hold_while_alive(settings.home, run.run_id)
    store = workbench(settings).store_if_any()
    date_bytes = measured_date_bytes(store, settings.heavy_uri) if store is not None else None
    check_disk_space(settings, settings.care, date_bytes)
    note_settings(settings)
    _begun.add(run.run_id)
