"""Every error a user can meet, in one place.

Belongs here: exception classes and nothing else. A message names what failed and where (file, symbol,
date, row, rule) and, when there is one, the command that mends it.
"""

from __future__ import annotations


class FuzzyError(Exception):
    """Base of every error raised on purpose by this package."""


class SettingsError(FuzzyError):
    """A setting is missing or makes no sense."""


class CalendarError(FuzzyError):
    """A date is outside the calendar, or is not a trading date where one is needed."""


class SchemaError(FuzzyError):
    """Arrays or a file do not have the declared columns, types or lengths."""


class EngineError(FuzzyError):
    """The engine itself failed (a worker process died), not the work it was given."""


class SymbolDaysFailed(FuzzyError):
    """At least one symbol of a date failed; the others were stored."""


# -- sources -----------------------------------------------------------------


class SourceError(FuzzyError):
    """A source could not give what was asked for."""

    retryable = False


class SourceFileError(SourceError):
    """A tick file is missing, truncated, malformed or lacks a column."""


class NoDataError(SourceError):
    """The source answered that it has nothing for this symbol and date."""


class UnknownSymbolError(SourceError):
    """The source does not know the symbol."""


class UnauthorizedError(SourceError):
    """The source refused the credentials or the subscription does not cover the request."""


class RequestError(SourceError):
    """The source refused the request as malformed: a programming or settings error."""


class HistoryLimitError(SourceError):
    """The date is further back than the source keeps history; raised before any request."""


class SourceUnavailableError(SourceError):
    """The source could not be reached, closed the connection or sent a passing error."""

    retryable = True


class SourceTimeoutError(SourceUnavailableError):
    """The source did not answer in time."""


class TooManyRequestsError(SourceUnavailableError):
    """The source asked for fewer requests."""


class ProtocolError(SourceUnavailableError):
    """The source sent a line that the protocol does not allow; the reply is discarded whole."""


# -- ticks -------------------------------------------------------------------


class RejectedDayError(FuzzyError):
    """A symbol-day has too many rows set aside to be trusted."""


class ConservationError(FuzzyError):
    """Bars hold other shares than the ticks they were built from: a defect, never stored."""


class BarLimitError(FuzzyError):
    """Prices so wild that their bars would not fit into memory; nothing of the symbol's bars is stored."""


# -- stores ------------------------------------------------------------------


class StoreError(FuzzyError):
    """The store could not do what was asked for."""


class StoreKindError(StoreError):
    """Real data was offered to a simulated store, or the other way round."""


class StoreSchemaError(StoreError):
    """The store was written with another schema version than this code's."""


class StoreFullError(StoreError):
    """The disk or the store's map is full; nothing was committed."""


class NotStoredError(StoreError):
    """Nothing is committed under this table, symbol and date."""
