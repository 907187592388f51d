"""Mapping work over symbols: one after another, or in worker processes.

Belongs here: how items are spread over cores and how a failing item is told apart from the others. What is
done to an item is the caller's; nothing here knows of ticks.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Protocol, Self, TypeVar

from fuzzy_pipeline.settings import EngineSettings

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess
    from multiprocessing.queues import SimpleQueue

Item = TypeVar("Item")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class ItemFailure:
    """Why one item failed: the error's type and text for people, its traceback for the log.

    ``may_pass``: the error says of itself that trying again later may help.
    """

    error_type: str
    reason: str
    traceback: str
    may_pass: bool = False


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Item, Value]):
    """One item and either its value or its failure."""

    item: Item
    value: Value | None = None
    failure: ItemFailure | None = None


class Engine(Protocol):
    """Maps a picklable function over items; outcomes come as they are done, failures among them."""

    @property
    def workers(self) -> int:
        """How many items are worked on at once."""
        ...

    def map(self, function: Callable[[Item], Value], items: Sequence[Item]) -> Iterator[Outcome[Item, Value]]:
        """Outcomes of all items in the order they finish. Never raises for an item."""
        ...

    def close(self) -> None:
        """End the workers."""
        ...


def failure_of(error: BaseException) -> ItemFailure:
    """A failure from an exception."""
    text = "".join(traceback.format_exception(error))
    return ItemFailure(type(error).__name__, str(error) or repr(error), text, bool(getattr(error, "retryable", False)))


def _attempt(function: Callable[[Item], Value], item: Item) -> Outcome[Item, Value]:
    try:
        return Outcome(item, value=function(item))
    except Exception as error:  # noqa: BLE001  one item's error must not end the others; it is reported, not lost
        return Outcome(item, failure=failure_of(error))


class InlineEngine:
    """One item after another in this process."""

    workers = 1

    def map(self, function: Callable[[Item], Value], items: Sequence[Item]) -> Iterator[Outcome[Item, Value]]:
        """Outcomes in the order of the items."""
        return (_attempt(function, item) for item in items)

    def close(self) -> None:
        """Nothing to give back."""


class ProcessEngine:
    """Worker processes, started with spawn on first use and kept until ``close``.

    Spawn, because a forked child would share the parent's open LMDB environment. A worker that dies (killed, out
    of memory) fails only the item it was on: the rest is run again one at a time in fresh workers. Fewer than
    ``min_items`` are done in this process: starting workers takes seconds.
    """

    def __init__(self, workers: int = 0, min_items: int = 2) -> None:
        self.workers = workers or os.cpu_count() or 1
        self._min_items = min_items
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def map(self, function: Callable[[Item], Value], items: Sequence[Item]) -> Iterator[Outcome[Item, Value]]:
        """Outcomes as they finish."""
        if self._pool is None and len(items) < self._min_items:
            yield from InlineEngine().map(function, items)
            return
        pool = self._pool = self._pool or self._new_pool(self.workers)
        futures: dict[Future[Outcome[Item, Value]], Item] = {}
        try:
            for item in items:
                futures[pool.submit(_attempt, function, item)] = item
        except BrokenProcessPool:
            self._pool = None
        broken = [item for item in items if item not in futures.values()]
        for future in as_completed(futures):
            try:
                yield future.result()
            except BrokenProcessPool:
                broken.append(futures[future])
        if broken:
            self._pool = None
            pool.shutdown(wait=False, cancel_futures=True)
            yield from self._one_at_a_time(function, broken)

    def _one_at_a_time(self, function: Callable[[Item], Value], items: list[Item]) -> Iterator[Outcome[Item, Value]]:
        pool = self._new_pool(1)
        for item in items:
            try:
                yield pool.submit(_attempt, function, item).result()
            except BrokenProcessPool:
                pool.shutdown(wait=False)
                pool = self._new_pool(1)
                reason = "the worker process died (killed, or out of memory) while it worked on this item"
                yield Outcome(item, failure=ItemFailure("EngineError", reason, reason))
        pool.shutdown()

    def close(self) -> None:
        """End the workers and wait for them."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    @staticmethod
    def _new_pool(workers: int) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")
        cores = _cores()
        if not 1 < workers == len(cores):  # with cores to spare, a second run may want them
            return ProcessPoolExecutor(workers, mp_context=context, initializer=_end_with_parent)
        free = context.SimpleQueue()
        for core in cores[:workers]:
            free.put(core)
        return ProcessPoolExecutor(workers, mp_context=context, initializer=_stay_on_a_core, initargs=(free,))


def _cores() -> list[int]:
    """Cores this process may run on; none where the system does not say."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def _stay_on_a_core(free: SimpleQueue[int]) -> None:
    """Keep a worker and every thread it starts on a core of its own.

    Libraries size their thread pools by the cores they see: on two cores, two workers with threads for two each
    are 0.75 times as fast as two with threads for one.
    """
    os.sched_setaffinity(0, {free.get()})
    _end_with_parent()


def _end_with_parent() -> None:
    """End this worker when the process it works for is killed: it would wait for ever, and hold its memory."""

    def watch(parent: BaseProcess) -> None:
        parent.join()
        os._exit(1)

    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=watch, args=(parent,), name="end-with-parent", daemon=True).start()


def open_engine(settings: EngineSettings) -> Engine:
    """The engine a user chose."""
    return InlineEngine() if settings.kind == "inline" else ProcessEngine(settings.workers, settings.min_symbols)


def workers_for(symbols: int, settings: EngineSettings) -> int:
    """How many symbols are worked on at a time."""
    alone = settings.kind == "inline" or symbols < settings.min_symbols
    return 1 if alone else settings.workers or os.cpu_count() or 1
