"""Which bars are built: one validated section a family, and how their parameters are written.

Belongs here: the choices and their texts, such as ``"5m"``, ``"50k"`` or ``"ewma_volume_10k"``. What they mean for
ticks is each family's module in ``bars``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

FamilyName = Literal["time", "tick", "volume", "dollar", "imbalance", "run", "volatility", "range", "renko"]
SessionName = Literal["pre", "regular", "after", "all"]
Fill = Literal["skip", "previous_close", "null"]
Unit = Literal["tick", "volume", "dollar"]
ImbalanceRule = Literal["ewma", "fixed", "ratio"]

FAMILY_NAMES: tuple[FamilyName, ...] = get_args(FamilyName)

DEFAULT_INTERVALS = (
    "1s", "5s", "15s", "30s", "1m", "2m", "3m", "5m", "10m", "15m", "20m", "30m", "1h", "2h", "4h", "1d",
)  # fmt: skip

_SECONDS = {"s": 1, "m": 60, "h": 3600}
_POWERS = {"": 1, "k": 1_000, "M": 1_000_000, "B": 1_000_000_000}


class Section(BaseModel):
    """Base of the nested sections: unknown keys and later changes are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def interval_seconds(interval: str) -> int:
    """Length of a time-bar interval [s]; ``"1d"`` is the whole session and gives 0.

    Raises
    ------
    ValueError
        Not a positive whole number of ``s``, ``m`` or ``h`` shorter than a day, nor ``1d``.
    """
    if interval == "1d":
        return 0
    match = re.fullmatch(r"([1-9][0-9]*)([smh])", interval)
    if not match or int(match[1]) * _SECONDS[match[2]] >= 86_400:
        raise ValueError(f"{interval!r} is no interval: write for example 30s, 7m, 2h or 1d")
    return int(match[1]) * _SECONDS[match[2]]


def amount(text: str) -> int:
    """A whole amount of ticks, shares or dollars: ``"500"``, ``"50k"``, ``"1M"``.

    Raises
    ------
    ValueError
        Not a positive whole number with an optional ``k``, ``M`` or ``B``.
    """
    match = re.fullmatch(r"([1-9][0-9]{0,8})([kMB]?)", text)
    if not match:
        raise ValueError(f"{text!r} is no amount: write for example 500, 50k or 1M")
    return int(match[1]) * _POWERS[match[2]]


def dollars(text: str) -> float:
    """A price distance, ``"0.25"``. [USD]

    Raises
    ------
    ValueError
        Not a positive number with at most four decimals.
    """
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,4})?", text) or float(text) <= 0:
        raise ValueError(f"{text!r} is no price distance: write for example 0.10 or 2.00 (at most four decimals)")
    return float(text)


def basis_points(text: str) -> float:
    """A volatility, ``"25bps"``. [bps]

    Raises
    ------
    ValueError
        Not a positive number followed by ``bps``.
    """
    match = re.fullmatch(r"([0-9]{1,4}(?:\.[0-9]{1,2})?)bps", text)
    if not match or float(match[1]) <= 0:
        raise ValueError(f"{text!r} is no volatility: write for example 25bps")
    return float(match[1])


@dataclass(frozen=True, slots=True)
class ImbalanceSeries:
    """One series of imbalance bars: the rule, what is accumulated, and the rule's amount.

    ``amount`` is the first expectation (``ewma``), the threshold (``fixed``) in units, or the percentage (``ratio``).
    """

    rule: ImbalanceRule
    unit: Unit
    amount: int


def imbalance_series(text: str) -> ImbalanceSeries:
    """``"ewma_volume_10k"``, ``"fixed_tick_500"``, ``"ratio_dollar_20"``.

    Raises
    ------
    ValueError
        Not rule, unit and amount, or a ratio of 100 % or more.
    """
    match = re.fullmatch(r"(ewma|fixed|ratio)_(tick|volume|dollar)_([0-9]+[kMB]?)", text)
    if not match:
        raise ValueError(
            f"{text!r} is no series of imbalance bars: write for example ewma_volume_10k, fixed_tick_500 or "
            "ratio_volume_20"
        )
    size = amount(match[3])
    if match[1] == "ratio" and size >= 100:  # a bar of one side only has 100 %
        raise ValueError(f"{text!r}: a ratio is a percentage below 100")
    return ImbalanceSeries(match[1], match[2], size)  # type: ignore[arg-type]  # the pattern admits these only


def run_unit(text: str) -> Unit:
    """What a series of run bars accumulates: ``"tick"``, ``"volume"`` or ``"dollar"``.

    Raises
    ------
    ValueError
        Another word.
    """
    if text not in get_args(Unit):
        raise ValueError(f"{text!r} is no series of run bars: write {', '.join(get_args(Unit))}")
    return text  # type: ignore[return-value]  # checked in the line before


def _distinct(series: Iterable[str], meaning: Callable[[str], Any]) -> tuple[str, ...]:
    """The texts unchanged; ``ValueError`` when there is none or two mean the same."""
    texts = tuple(series)
    if not texts:
        raise ValueError("name at least one")
    known: dict[Any, str] = {}
    for text in texts:
        found = meaning(text)
        if found in known:
            raise ValueError(f"{known[found]} and {text} are the same")
        known[found] = text
    return texts


class TickBarSettings(Section):
    """Tick bars: how many ticks make a bar."""

    series: tuple[str, ...] = ("50", "100", "200", "500", "1000")

    _series_are_amounts = field_validator("series")(classmethod(lambda _, value: _distinct(value, amount)))


class VolumeBarSettings(Section):
    """Volume bars: how many shares make a bar."""

    series: tuple[str, ...] = ("1k", "5k", "10k", "50k", "100k")

    _series_are_amounts = field_validator("series")(classmethod(lambda _, value: _distinct(value, amount)))


class DollarBarSettings(Section):
    """Dollar bars: how many dollars make a bar."""

    series: tuple[str, ...] = ("50k", "100k", "500k", "1M")

    _series_are_amounts = field_validator("series")(classmethod(lambda _, value: _distinct(value, amount)))


class Guards(Section):
    """What keeps bars with a moving expectation from collapsing to single ticks and from swallowing the day."""

    span: int = Field(default=100, ge=2, description="Past bars in the moving averages.")
    warm_up_bars: int = Field(default=20, ge=1, description="Bars before the averages are trusted.")
    min_expected_ticks: int = Field(default=50, ge=2, description="Least expected ticks a bar.")
    max_expected_ticks: int = Field(default=2_000, ge=2, description="Most expected ticks a bar.")
    band: float = Field(
        default=4.0, ge=1, description="Expected ticks stay within this factor of what the series starts from."
    )
    cap: float = Field(default=5.0, gt=1, description="A bar closes after this many times its expected ticks.")

    @model_validator(mode="after")
    def _bounds_are_in_order(self) -> Guards:
        if self.min_expected_ticks >= self.max_expected_ticks:
            raise ValueError(
                f"min_expected_ticks {self.min_expected_ticks} is not below max_expected_ticks "
                f"{self.max_expected_ticks}"
            )
        return self


class ImbalanceBarSettings(Guards):
    """Imbalance bars: series, and guards of the moving expectation."""

    series: tuple[str, ...] = (
        "ewma_volume_5k", "ewma_volume_10k", "ewma_volume_20k", "fixed_volume_10k", "fixed_volume_20k",
        "ratio_volume_10", "ratio_volume_20", "ratio_volume_30",
    )  # fmt: skip
    ratio_min_ticks: int = Field(default=50, ge=2, description="Least ticks of a ratio bar.")
    ratio_max_ticks: int = Field(default=2_000, ge=2, description="A ratio bar closes at this many ticks.")

    _series_are_known = field_validator("series")(classmethod(lambda _, value: _distinct(value, imbalance_series)))

    @model_validator(mode="after")
    def _ratio_bounds_are_in_order(self) -> ImbalanceBarSettings:
        if self.ratio_min_ticks > self.ratio_max_ticks:
            raise ValueError(f"ratio_min_ticks {self.ratio_min_ticks} is above ratio_max_ticks {self.ratio_max_ticks}")
        return self


class RunBarSettings(Guards):
    """Run bars: series, and guards of the moving expectation."""

    series: tuple[str, ...] = ("tick", "volume", "dollar")
    first_expected_ticks: int = Field(default=500, ge=2, description="Expected ticks of the first bars.")

    _series_are_units = field_validator("series")(classmethod(lambda _, value: _distinct(value, run_unit)))

    @model_validator(mode="after")
    def _first_is_within_the_bounds(self) -> RunBarSettings:
        if not self.min_expected_ticks <= self.first_expected_ticks <= self.max_expected_ticks:
            raise ValueError(
                f"first_expected_ticks {self.first_expected_ticks} is not within {self.min_expected_ticks} to "
                f"{self.max_expected_ticks}"
            )
        return self


class VolatilityBarSettings(Section):
    """Volatility bars: the realised volatility that makes a bar."""

    series: tuple[str, ...] = ("10bps", "25bps", "50bps")

    _series_are_volatilities = field_validator("series")(classmethod(lambda _, value: _distinct(value, basis_points)))


class RangeBarSettings(Section):
    """Range bars: the high − low that makes a bar."""

    series: tuple[str, ...] = ("0.10", "0.25", "0.50", "1.00", "2.00")

    _series_are_distances = field_validator("series")(classmethod(lambda _, value: _distinct(value, dollars)))


class RenkoBarSettings(Section):
    """Renko bars: the height of a brick."""

    series: tuple[str, ...] = ("0.10", "0.25", "0.50", "1.00")

    _series_are_distances = field_validator("series")(classmethod(lambda _, value: _distinct(value, dollars)))


class BarSettings(Section):
    """Which families, sessions and series of bars are built."""

    families: tuple[FamilyName, ...] = FAMILY_NAMES
    sessions: tuple[SessionName, ...] = ("regular",)
    intervals: tuple[str, ...] = DEFAULT_INTERVALS
    fill: Fill = "skip"
    tick: TickBarSettings = TickBarSettings()
    volume: VolumeBarSettings = VolumeBarSettings()
    dollar: DollarBarSettings = DollarBarSettings()
    imbalance: ImbalanceBarSettings = ImbalanceBarSettings()
    run: RunBarSettings = RunBarSettings()
    volatility: VolatilityBarSettings = VolatilityBarSettings()
    range: RangeBarSettings = RangeBarSettings()
    renko: RenkoBarSettings = RenkoBarSettings()

    @field_validator("sessions")
    @classmethod
    def _all_stands_alone(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("name at least one session")
        if "all" in value and len(value) > 1:
            raise ValueError("'all' is 04:00-20:00 as one session and stands alone")
        if len(set(value)) != len(value):
            raise ValueError("a session is named twice")
        return tuple(sorted(value, key=("pre", "regular", "after", "all").index))

    @field_validator("families")
    @classmethod
    def _families_are_in_order(cls, value: tuple[FamilyName, ...]) -> tuple[FamilyName, ...]:
        if not value:
            raise ValueError("name at least one family")
        return tuple(name for name in FAMILY_NAMES if name in value)

    @field_validator("intervals")
    @classmethod
    def _intervals_are_durations(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _distinct(value, interval_seconds)
