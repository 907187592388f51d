"""Whom to tell of failures, and what the nightly run promises: two settings sections.

Belongs here: the choices. What is done with them is in ``operations.alerts`` and ``operations.objectives``.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator

from fuzzy_pipeline.bar_settings import Section

EARLIEST_DEADLINE = dt.time(21)
"""In summer time a date's run begins at 21:00 Eastern."""

_NOON = dt.time(12)


class AlertSettings(Section):
    """Who is told when a nightly run fails or a date is not done in time. The log is always told.

    No check here looks into a secret: the message of a refused value would show it.
    """

    enabled: bool = True
    webhook_url: Annotated[SecretStr, Field(description="Incoming webhook; anyone who knows it can post there.")] = (
        SecretStr("")
    )
    webhook_format: Literal["slack", "teams"] = Field(
        default="slack", description="slack: a text (Mattermost and others take it too); teams: an Adaptive Card."
    )
    email_to: Annotated[tuple[str, ...], Field(description='Recipients; JSON: ["ops@example.org"].')] = ()
    email_from: str = Field(default="", description="Sender; empty: the first recipient.")
    smtp_host: str = Field(default="", description="Mail server; empty sends no e-mail.")
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="tls: encrypted from the first byte, usually port 465; none: no encryption."
    )
    smtp_user: SecretStr = SecretStr("")
    smtp_password: SecretStr = SecretStr("")
    timeout_s: float = Field(default=10.0, gt=0, le=120, description="Longest wait for a server's answer.")
    repeat_hours: float = Field(default=6.0, ge=0, description="The same cause is told again only after so long.")
    retry_hours: float = Field(default=24.0, ge=0, description="A message that could not be delivered is kept so long.")
    recoveries: bool = Field(default=True, description="Tell when what an alert was about is mended.")
    foreground_runs: bool = Field(
        default=False, description="Also tell of runs of fuzzy run and fuzzy catch-up, which show their errors anyway."
    )
    ui_url: str = Field(default="", description="Address of the web UI as readers reach it, for links to runs.")


class ObjectiveSettings(Section):
    """Service-level objectives of the nightly run over the latest trading dates."""

    window_dates: int = Field(default=20, ge=1, le=250, description="Trading dates an objective looks back.")
    deadline: dt.time = Field(
        default=dt.time(23), description="Eastern; before noon it is the next calendar day's: 06:30 is next morning."
    )
    nightly_done: float = Field(
        default=0.95, gt=0, lt=1, description="Least share of dates whose verdict is complete by the deadline."
    )
    freshness: float = Field(
        default=0.95, gt=0, lt=1, description="Least share of dates complete before the next date's run can begin."
    )
    failure_share: float = Field(
        default=0.01, gt=0, lt=1, description="Greatest share of expected symbol-days that failed."
    )

    @field_validator("deadline")
    @classmethod
    def _deadline_is_in_the_evening_or_next_morning(cls, value: dt.time) -> dt.time:
        if value.tzinfo is not None:
            raise ValueError("a deadline is Eastern Time: write it without a zone")
        if _NOON <= value < EARLIEST_DEADLINE:
            raise ValueError(
                f"a date's run begins at {EARLIEST_DEADLINE:%H:%M} in summer: choose a later time, or one before noon "
                "for the next day"
            )
        return value
