"""Settings: one validated model, read from ``FUZZY_*`` environment variables and ``.env`` files.

Belongs here: what a user may choose, its defaults and its limits. Nested sections use two underscores:
``FUZZY_IQFEED__PORT=9100``.
"""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from fuzzy_pipeline.alert_settings import AlertSettings, ObjectiveSettings
from fuzzy_pipeline.bar_settings import BarSettings, Section
from fuzzy_pipeline.catch_up_settings import CatchUpSettings
from fuzzy_pipeline.errors import SettingsError
from fuzzy_pipeline.quality_settings import QualitySettings
from fuzzy_pipeline.ranking_settings import RankingSettings
from fuzzy_pipeline.store_settings import RetentionSettings, StoreCareSettings

ConditionProfile = Literal["iqfeed", "fuzzy_oss20"]
EligibilityProfile = Literal["iqfeed", "sip", "all"]
SourceName = Literal["simulator", "files", "iqfeed"]

SYMBOL_PATTERN = re.compile(r"[A-Z0-9][A-Z0-9.\-]{0,29}")


class IQFeedSettings(Section):
    """How to reach IQConnect's lookup port and how gently to use it."""

    host: str = "127.0.0.1"
    port: int = Field(default=9100, ge=1, le=65535)
    protocol: Literal["6.2", "6.1"] = "6.2"
    client_name: str = "fuzzy_pipeline"
    timeout_s: float = Field(default=30.0, gt=0, description="No bytes for this long is a failure.")
    tries: int = Field(default=3, ge=1, le=10)
    backoff_s: float = Field(default=1.0, ge=0, description="First pause between tries; doubles, with jitter.")
    requests_per_second: float = Field(default=50.0, gt=0)
    datapoints_per_send: int = Field(default=500, ge=1)


class FilesSettings(Section):
    """Where tick files are: a ``symbol=/date=`` tree, or a folder of single files."""

    path: Path = Path("ticks")


class RetrySettings(Section):
    """Symbols whose source failed in passing (unreachable, silent, too many requests) are asked for again."""

    rounds: int = Field(default=2, ge=0, le=10, description="Further rounds after all symbols of a date were tried.")
    pause_s: float = Field(default=20.0, ge=0, description="Before each round; doubles.")


class SimulatorSettings(Section):
    """The simulated market behind the loopback IQFeed."""

    seed: int = Field(default=20, ge=0)
    ticks_per_day: int = Field(default=20_000, ge=100, le=5_000_000, description="Mean ticks of a symbol-day.")


class HistorySettings(Section):
    """How far back a source may be asked."""

    trading_days_when_open: int = Field(default=8, ge=1)
    calendar_days: int = Field(default=180, ge=1)


class IngestSettings(Section):
    """When a symbol-day is refused, and the bounds of the soft rules."""

    max_set_aside_share: float = Field(default=0.05, ge=0, le=1)
    outside_quote_spreads: float = Field(default=10.0, gt=0)
    wide_spread_medians: float = Field(default=50.0, gt=1)
    price_jump_share: float = Field(default=0.05, gt=0)
    outlier_sigmas: float = Field(default=3.0, gt=0)
    median_outlier_share: float = Field(default=0.01, gt=0, description="From the median of 21 ticks around.")


class EngineSettings(Section):
    """How the symbols of a date are mapped."""

    kind: Literal["processes", "inline"] = "processes"
    workers: int = Field(default=0, ge=0, description="0: one worker a core.")
    min_symbols: int = Field(default=8, ge=1, description="Fewer symbols are done without starting workers.")


class StoreSettings(Section):
    """Where data lives; empty paths follow ``home``."""

    heavy_uri: str = Field(default="", description="ArcticDB URI; empty: LMDB under home/store/heavy.")
    light_path: Path | None = None
    map_size: str = Field(default="64GB", description="LMDB address space per library.")
    lock_timeout_s: float = Field(default=600.0, gt=0)

    @field_validator("light_path", mode="before")
    @classmethod
    def _empty_path_follows_home(cls, value: object) -> object:
        return None if value == "" else value


class Settings(BaseSettings):
    """Everything a user may choose."""

    model_config = SettingsConfigDict(
        env_prefix="FUZZY_", env_file=".env", env_nested_delimiter="__", extra="forbid", frozen=True,
        hide_input_in_errors=True,
    )  # fmt: skip

    home: Path = Path(".fuzzy")
    source: SourceName = "simulator"
    symbols: Annotated[tuple[str, ...], NoDecode] = ("AAPL", "JPM", "KO", "SPY", "XOM")
    first_date: dt.date = dt.date(2013, 1, 2)
    condition_profile: ConditionProfile = "iqfeed"
    eligibility_profile: EligibilityProfile = "iqfeed"
    chunk_ticks: int = Field(default=1_000_000, ge=1)
    iqfeed: IQFeedSettings = IQFeedSettings()
    files: FilesSettings = FilesSettings()
    simulator: SimulatorSettings = SimulatorSettings()
    history: HistorySettings = HistorySettings()
    retries: RetrySettings = RetrySettings()
    ingest: IngestSettings = IngestSettings()
    bars: BarSettings = BarSettings()
    rankings: RankingSettings = RankingSettings()
    quality: QualitySettings = QualitySettings()
    catch_up: CatchUpSettings = CatchUpSettings()
    alerts: AlertSettings = AlertSettings()
    objectives: ObjectiveSettings = ObjectiveSettings()
    retention: RetentionSettings = RetentionSettings()
    care: StoreCareSettings = StoreCareSettings()
    engine: EngineSettings = EngineSettings()
    store: StoreSettings = StoreSettings()

    @field_validator("symbols", mode="before")
    @classmethod
    def _split_symbols(cls, value: object) -> object:
        return parse_symbols(value) if isinstance(value, str) else value

    @field_validator("symbols")
    @classmethod
    def _symbols_are_tickers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return check_symbols(value)

    @model_validator(mode="after")
    def _home_is_absolute(self) -> Settings:
        object.__setattr__(self, "home", self.home.expanduser().resolve())
        return self

    @property
    def light_path(self) -> Path:
        """Folder of the light tier."""
        return self.store.light_path or self.home / "store" / "light"

    @property
    def heavy_uri(self) -> str:
        """ArcticDB URI of the heavy tier."""
        default = f"lmdb://{self.home / 'store' / 'heavy'}?map_size={self.store.map_size}"
        return self.store.heavy_uri or default

    @property
    def dagster_home(self) -> Path:
        """Folder of Dagster's instance: run history, event logs, schedules."""
        return self.home / "dagster"


def parse_symbols(text: str) -> tuple[str, ...]:
    """Tickers from ``"AAPL, msft SPY"``: split on commas and spaces, upper case, first mention wins."""
    return tuple(dict.fromkeys(part.upper() for part in re.split(r"[,\s]+", text.strip()) if part))


def check_symbols(symbols: tuple[str, ...]) -> tuple[str, ...]:
    """The symbols unchanged; ``ValueError`` naming those that cannot be tickers."""
    bad = [symbol for symbol in symbols if not SYMBOL_PATTERN.fullmatch(symbol)]
    if bad or not symbols:
        raise ValueError(f"not tickers: {bad}" if bad else "name at least one symbol")
    return symbols


def load_settings(**overrides: object) -> Settings:
    """Settings from the environment, the ``.env`` file of the home and that of the working directory.

    Earlier ones win: overrides, ``FUZZY_*`` variables, ``<home>/.env``, ``./.env``, defaults. A home's own file makes
    every command on that home use the same source and symbols.

    Raises
    ------
    SettingsError
        A value is refused; the message names each setting, its variable and the reason.
    """
    try:
        found = Settings(**overrides)  # type: ignore[arg-type]
        of_home = found.home / ".env"
        if of_home.is_file() and "_env_file" not in overrides:
            found = Settings(_env_file=(".env", of_home), **(overrides | {"home": found.home}))  # type: ignore[call-arg,arg-type]
    except ValidationError as error:
        lines = [
            f"  FUZZY_{'__'.join(str(part).upper() for part in item['loc'])}: {item['msg']}" for item in error.errors()
        ]
        raise SettingsError("settings refused:\n" + "\n".join(lines)) from error
    return found
