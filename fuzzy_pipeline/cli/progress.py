"""Progress of runs in this process, told by the steps through their log records."""

from __future__ import annotations

import atexit
import datetime as dt
import gc
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from fuzzy_pipeline.cli.console import err

if TYPE_CHECKING:
    from fuzzy_pipeline.schedules.launch import RunOutcome
    from fuzzy_pipeline.settings import Settings

STEP_LOGGER = "fuzzy_pipeline.steps.run_date"


class StepProgress(logging.Handler):
    """Moves a progress bar per step and date, and shows warnings: why a bar stands still."""

    def __init__(self, progress: Progress) -> None:
        super().__init__(logging.INFO)
        self._progress = progress
        self._tasks: dict[tuple[str, dt.date], TaskID] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Take ``progress`` = (step, date, done, of how many) from the record."""
        told = getattr(record, "progress", None)
        if told is None:
            if record.levelno == logging.WARNING:
                self._progress.console.print(record.getMessage(), highlight=False, soft_wrap=True)
            return
        step, date, done, total = told
        task = self._tasks.get((step, date))
        if task is None:
            task = self._tasks[step, date] = self._progress.add_task(f"{date} {step}", total=total)
        self._progress.update(task, completed=done)


@contextmanager
def step_progress() -> Iterator[None]:
    """Show the progress of steps that run in this process while inside."""
    logger = logging.getLogger(STEP_LOGGER)
    level = logger.level
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err()) as progress:
        handler = StepProgress(progress)
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        try:
            yield
        finally:
            logger.removeHandler(handler)
            logger.setLevel(level)


def materialise(
    settings: Settings, date: dt.date, symbols: Sequence[str], assets: Sequence[str], force: bool
) -> RunOutcome:
    """One date now, in this process, with progress bars."""
    with err().status("starting …"), _uncollected():
        from fuzzy_pipeline.schedules import launch
    with step_progress():
        return launch.run_now(settings, date, symbols=symbols, assets=assets, force=force)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the garbage collector off what is made inside, for good.

    Importing Dagster makes 200,000 objects that live as long as the process; looking through them again and again
    took about a tenth of the time of a run with nothing to compute.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        atexit.register(gc.unfreeze)  # extensions look for leaks when the process ends
        gc.enable()
