"""What was told and what still has to be: deduplication, delivery with further tries, and recoveries.

Belongs here: the memory of alerts, a small file under the home. An alert is written down before it is sent, so that a
killed process or a dead mail server loses none; one may be sent twice, never not at all. Nothing here fails the work
an alert is about.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from fuzzy_pipeline.alert_settings import AlertSettings
from fuzzy_pipeline.errors import StoreError
from fuzzy_pipeline.operations.alert_channels import Channel, DeliveryError, channels_of, deliver, log_alert
from fuzzy_pipeline.operations.alerts import Alert, recovery_of
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.stores.file_lock import disk_errors, held
from fuzzy_pipeline.trading_calendar import now_eastern

LOG = logging.getLogger(__name__)

STATE_FILE = Path("alerts") / "state.json"
"""Under the home. It holds no secret: alerts are masked when they are built."""

LOCK_TIMEOUT_S = 30.0
INCIDENT_DAYS = 30
"""An incident that nothing mends (a symbol that left the settings) is forgotten after so long."""


class Incident(BaseModel):
    """Something that was told and is not mended yet."""

    alert: Alert
    first_at: dt.datetime
    told_at: dt.datetime
    times_seen: int = 1


class Delivery(BaseModel):
    """A message that still has to go through a channel."""

    alert: Alert
    channel: Channel
    since: dt.datetime
    tries: int = 0
    last_error: str = ""


class AlertState(BaseModel):
    """Everything remembered: incidents by cause, and messages to deliver, the oldest first."""

    incidents: dict[str, Incident] = Field(default_factory=dict)
    pending: list[Delivery] = Field(default_factory=list)


class AlertDesk:
    """Takes alerts, tells each cause once, and keeps trying to deliver."""

    def __init__(self, settings: Settings, chosen: AlertSettings, now: Callable[[], dt.datetime] = now_eastern) -> None:
        self.path = settings.home / STATE_FILE
        self._chosen = chosen
        self._now = now

    def raise_alert(self, alert: Alert, *, once: bool = False) -> bool:
        """Tell of something; False when the same cause was told within ``repeat_hours`` (``once``: while it is open).

        The log is told at once, the other channels by ``deliver_pending``. Where nothing can be remembered (a full
        disk), it is sent right away.
        """
        now = self._now()
        try:
            with self._changing() as state:
                known = state.incidents.get(alert.cause)
                if known is not None:
                    known.times_seen += 1
                    if once or now - known.told_at < dt.timedelta(hours=self._chosen.repeat_hours):
                        return False
                first_at = known.first_at if known is not None else now
                seen = known.times_seen if known is not None else 1
                state.incidents[alert.cause] = Incident(alert=alert, first_at=first_at, told_at=now, times_seen=seen)
                self._enqueue(state, alert, now)
        except StoreError as error:
            LOG.warning("an alert cannot be remembered, so it is sent without further tries: %s", error)
            for channel in channels_of(self._chosen):
                self._try(Delivery(alert=alert, channel=channel, since=now))
        log_alert(alert)
        return True

    def deliver_pending(self) -> list[Delivery]:
        """Try to deliver everything; what is left over, with why. Another process that delivers is let finish."""
        what = f"delivering alerts of {self.path.parent}"
        left: list[Delivery] = []
        try:
            with disk_errors(what), held(self.path.with_name(".delivery.lock"), LOCK_TIMEOUT_S, what):
                done: list[Delivery] = []
                for delivery in self.state().pending:
                    tried = self._try(delivery)
                    done.append(delivery) if tried is None else left.append(tried)
                self._settle(done, left)
        except StoreError as error:
            LOG.warning("alerts stay undelivered until the next try: %s", error)
        return left

    def close_mended(self, is_mended: Callable[[Alert], bool | None]) -> list[Alert]:
        """Close incidents that are mended; what is told of it (a setting), one message a date or objective.

        ``is_mended`` gives None for an incident that cannot be judged any more: it is closed without a word, and so
        is one older than ``INCIDENT_DAYS``.
        """
        now = self._now()
        mended: dict[object, list[Alert]] = {}
        if not self.state().incidents:
            return []
        with self._changing() as state:
            for cause, incident in list(state.incidents.items()):
                alert, verdict = incident.alert, is_mended(incident.alert)
                if verdict:
                    mended.setdefault(alert.date or alert.objective, []).append(alert)
                elif verdict is not None and now - incident.first_at < dt.timedelta(days=INCIDENT_DAYS):
                    continue
                del state.incidents[cause]
            recoveries = [recovery_of(alerts, now) for alerts in mended.values()] if self._chosen.recoveries else []
            for recovery in recoveries:
                self._enqueue(state, recovery, now)
        for recovery in recoveries:
            log_alert(recovery)
        return recoveries

    def state(self) -> AlertState:
        """Everything remembered; nothing when there is no file, or a damaged one.

        Raises
        ------
        StoreError
            The file cannot be read.
        """
        with disk_errors(f"reading {self.path}"):
            try:
                return AlertState.model_validate_json(self.path.read_bytes())
            except FileNotFoundError:
                return AlertState()
            except ValidationError:
                LOG.warning("%s is damaged: what was told before is not known any more", self.path)
                return AlertState()

    def _enqueue(self, state: AlertState, alert: Alert, now: dt.datetime) -> None:
        state.pending += [Delivery(alert=alert, channel=channel, since=now) for channel in channels_of(self._chosen)]

    def _try(self, delivery: Delivery) -> Delivery | None:
        """None when it was delivered or its channel was switched off; else the delivery with why it failed."""
        if delivery.channel not in channels_of(self._chosen):
            return None
        try:
            deliver(delivery.alert, delivery.channel, self._chosen)
        except DeliveryError as error:
            LOG.warning("alert not delivered (%s): %s", error, delivery.alert.headline)
            return delivery.model_copy(update={"tries": delivery.tries + 1, "last_error": str(error)})
        return None

    def _settle(self, done: list[Delivery], left: list[Delivery]) -> None:
        """Forget what was delivered and what is too old; what was added meanwhile stays."""
        if not done and not left:
            return
        oldest = self._now() - dt.timedelta(hours=self._chosen.retry_hours)
        with self._changing() as state:
            known = {_key(delivery): delivery for delivery in state.pending}
            for delivery in done:
                known.pop(_key(delivery), None)
            for delivery in left:
                if delivery.since <= oldest:
                    LOG.error("alert given up after %d tries: %s", delivery.tries, delivery.alert.headline)
                    known.pop(_key(delivery), None)
                else:
                    known[_key(delivery)] = delivery
            state.pending = list(known.values())

    @contextmanager
    def _changing(self) -> Iterator[AlertState]:
        """The state under its lock, written when the block ends well."""
        what = f"writing {self.path}"
        with disk_errors(what), held(self.path.with_name(".state.lock"), LOCK_TIMEOUT_S, what):
            state = self.state()
            before = state.model_dump_json()
            yield state
            text = state.model_dump_json(indent=1)
            if state.model_dump_json() != before:
                temporary = self.path.with_name(f".{self.path.name}.tmp")
                with temporary.open("w", encoding="utf-8") as file:
                    file.write(text + "\n")
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(self.path)


def _key(delivery: Delivery) -> tuple[str, str, str, str]:
    alert = delivery.alert
    return delivery.channel, alert.kind, alert.cause, alert.raised_at.isoformat()
