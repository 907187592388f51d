"""Where bars end: what a family's rule gives back, and how it is fed.

Belongs here: the interface of every family. A cutter belongs to one series (one parameter) of one session; it is fed
the session's counted ticks whole or in pieces, with the same result, and keeps what the open bar has gathered.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fuzzy_pipeline.bar_settings import BarSettings, FamilyName, SessionName
from fuzzy_pipeline.bars.session_ticks import SessionTicks
from fuzzy_pipeline.schema.codes import CloseReason
from fuzzy_pipeline.schema.tables import BAR_TABLES, Table

SeriesState = Mapping[str, float]
"""What one series of a family hands to the next trading date; whole numbers stay exact below 2^53."""

_CLOSING: dict[str, tuple[str, Any]] = {
    "threshold": ("f8", np.nan),
    "overflow": ("f8", np.nan),
    "efficiency": ("f8", np.nan),
    "theta": ("f8", np.nan),
    "expected_theta": ("f8", np.nan),
    "trigger_direction": ("i1", 0),
    "gaps": ("u4", 0),
    "is_complete": ("?", True),
    "is_warm_up": ("?", False),
    "is_phantom": ("?", False),
    "close_reason": ("u1", int(CloseReason.THRESHOLD)),
}
"""Type and default of the columns that say how a bar closed."""


@dataclass(frozen=True, slots=True)
class BarEnds:
    """Bars of one series that closed, in order.

    ``ends`` int64[n] are the positions after each bar's last tick, counted from the first tick fed in the call that
    gave them; equal neighbours are a bar without ticks. ``closing`` holds every column of ``_CLOSING``.
    ``bar_start`` and ``timestamp`` int64[n] [UTC ns] are set where they do not follow from the ticks: time bars.
    ``brick_open`` and ``brick_close`` float64[n] [USD] are set where prices do not follow from the ticks: renko;
    NaN for a bar that is no brick. With ``carries_close`` a bar without price-setting ticks takes the close of the one
    before.
    """

    ends: NDArray[np.int64]
    closing: Mapping[str, NDArray[Any]]
    bar_start: NDArray[np.int64] | None = None
    timestamp: NDArray[np.int64] | None = None
    brick_open: NDArray[np.float64] | None = None
    brick_close: NDArray[np.float64] | None = None
    carries_close: bool = False

    def __len__(self) -> int:
        return len(self.ends)


def closing_columns(bars: int, **given: Any) -> dict[str, NDArray[Any]]:
    """The columns that say how bars closed: those given (arrays or one value for all), the others at their defaults.

    Parameters
    ----------
    bars : int
        Number of bars.
    **given
        ``threshold``, ``overflow``, ``efficiency``, ``theta``, ``expected_theta``, ``trigger_direction``, ``gaps``,
        ``is_complete``, ``is_warm_up``, ``is_phantom``, ``close_reason``.

    Returns
    -------
    dict of arrays
        All of them, ``bars`` long, in the types of the schema.

    Raises
    ------
    KeyError
        Another name.
    """
    unknown = given.keys() - _CLOSING.keys()
    if unknown:
        raise KeyError(f"no closing columns: {sorted(unknown)}")
    columns = {}
    for name, (dtype, default) in _CLOSING.items():
        value = given.get(name, default)
        if isinstance(value, np.ndarray):
            columns[name] = value.astype(dtype, copy=False)
        else:
            columns[name] = np.full(bars, value, dtype=dtype)
    return columns


def reached_threshold(ends: NDArray[np.int64], reached: NDArray[np.float64], threshold: float, **given: Any) -> BarEnds:
    """Bars that closed on the tick that brought them to a fixed threshold.

    Parameters
    ----------
    ends : int64[n]
        Positions after each bar's last tick.
    reached : float64[n]
        What each bar gathered, at least the threshold.
    threshold : float
        Same unit.
    **given
        Further closing columns.

    Returns
    -------
    BarEnds
        ``overflow`` = reached − threshold, ``efficiency`` = threshold / reached.
    """
    columns = closing_columns(
        len(ends), threshold=threshold, overflow=reached - threshold, efficiency=threshold / reached, **given
    )
    return BarEnds(ends, columns)


def cut_by_session_end(open_ticks: int, **given: Any) -> BarEnds:
    """The bar that the session's end found open: one when it has ticks, else none.

    Parameters
    ----------
    open_ticks : int
        Ticks since the last bar closed.
    **given
        Closing columns that are known, such as ``threshold``; ``overflow`` and ``efficiency`` stay null.

    Returns
    -------
    BarEnds
        Ends at 0: after the last tick fed before.
    """
    bars = 1 if open_ticks else 0
    columns = closing_columns(bars, is_complete=False, close_reason=int(CloseReason.SESSION_END), **given)
    return BarEnds(np.zeros(bars, dtype=np.int64), columns)


class SeriesCutter(Protocol):
    """Cuts the ticks of one session into the bars of one series."""

    def feed(self, ticks: SessionTicks) -> BarEnds:
        """Bars that close with these ticks, which follow those fed before."""
        ...

    def finish(self) -> BarEnds:
        """The bars that the session's end closes: at most the open one, but for time bars that fill empty windows."""
        ...

    def state(self) -> SeriesState:
        """After ``finish``: what the next date's cutter starts from; empty for families that carry nothing."""
        ...


class NoState:
    """For cutters that start every session anew."""

    def state(self) -> SeriesState:
        """Nothing."""
        return {}


@dataclass(frozen=True, slots=True)
class SessionSpan:
    """A session and its bounds. [UTC ns]"""

    session: SessionName
    start_ns: int
    end_ns: int


CutterFactory = Callable[[SessionSpan, SeriesState | None], SeriesCutter]
"""A cutter for a session, from the state of the trading date before (None: a cold start)."""


@dataclass(frozen=True, slots=True)
class BarFamily:
    """A family of bars: its name, its series under the settings, and whether they carry state across dates.

    ``version`` is raised when the rule changes; ``state_version`` when the state record does, which makes every older
    one unreadable: a cold start. ``series`` gives a cutter factory per parameter, in stored order; ``meaning`` is
    what a parameter's text says, equal for ``"50k"`` and ``"50000"`` (``ValueError`` when it says nothing).
    """

    name: FamilyName
    version: int
    series: Callable[[BarSettings], Mapping[str, CutterFactory]]
    meaning: Callable[[str], Hashable]
    carries_state: bool = False
    state_version: int = 1

    @property
    def table(self) -> Table:
        """Where its bars are stored."""
        return BAR_TABLES[self.name]

    def fingerprint(self, settings: BarSettings) -> str:
        """What the bars depend on besides the ticks: version of the rule, sessions and the family's settings."""
        section = getattr(settings, self.name, None)
        chosen = (
            section.model_dump_json()
            if section is not None
            else f"intervals={','.join(settings.intervals)};fill={settings.fill}"
        )
        versions = f"{self.name}_bars={self.version};state={self.state_version}"
        return f"{versions};sessions={','.join(settings.sessions)};{chosen}"


def joined(parts: Sequence[BarEnds]) -> BarEnds:
    """Bars of one series from several calls, one below the other.

    Parameters
    ----------
    parts : sequence of BarEnds
        In order; optional arrays must be set in all or none, and ends be counted from one origin.

    Returns
    -------
    BarEnds
    """

    def together(name: str) -> NDArray[Any] | None:
        found = [array for part in parts if (array := getattr(part, name)) is not None]
        return np.concatenate(found) if found else None

    return BarEnds(
        np.concatenate([part.ends for part in parts]),
        {name: np.concatenate([part.closing[name] for part in parts]) for name in _CLOSING},
        together("bar_start"),
        together("timestamp"),
        together("brick_open"),
        together("brick_close"),
        any(part.carries_close for part in parts),
    )


def session_ends(cutter: SeriesCutter, ticks: SessionTicks) -> BarEnds:
    """All bars of a session: its ticks fed at once, then the end.

    Parameters
    ----------
    cutter : SeriesCutter
        Fresh.
    ticks : SessionTicks
        The whole session.

    Returns
    -------
    BarEnds
        Ends never decrease, and the last is the number of ticks (no bars without ticks).
    """
    closed, rest = cutter.feed(ticks), cutter.finish()
    if not len(rest):
        return closed
    return joined([closed, replace(rest, ends=rest.ends + len(ticks))])
