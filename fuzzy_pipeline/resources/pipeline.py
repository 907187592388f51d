"""Settings, store and engine for assets and checks."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from pydantic import PrivateAttr

from fuzzy_pipeline.engine import Engine, open_engine
from fuzzy_pipeline.settings import EngineSettings, Settings, load_settings
from fuzzy_pipeline.stores.store import Store, open_store


class SettingsResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The settings of the process a run is in.

    They are read when a run starts, not when definitions load: no value (and no secret) enters the definitions
    that the web UI shows.
    """

    def open(self) -> Settings:
        """Settings from the environment and ``.env``."""
        return load_settings()


class StoreResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The store of the settings, for reading beside a run."""

    settings: SettingsResource

    @contextmanager
    def open(self) -> Iterator[Store]:
        """The store, closed at the end of the block; raises as ``open_store``."""
        store = open_store(self.settings.open())
        try:
            yield store
        finally:
            store.close()


class EngineResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """How symbols are mapped: ``processes`` or ``inline``; workers live as long as the run."""

    kind: str = "processes"
    workers: int = 0
    min_symbols: int = 8

    _engine: Engine | None = PrivateAttr(default=None)

    def open(self) -> Engine:
        """The engine of this run."""
        if self._engine is None:
            fields = {"kind": self.kind, "workers": self.workers, "min_symbols": self.min_symbols}
            self._engine = open_engine(EngineSettings.model_validate(fields))
        return self._engine

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002
        """End the workers with the run."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None
