"""Numbers, times and plurals as the reports write them.

Belongs here: turning a value into the text a person reads. An unknown value is a dash.
"""

from __future__ import annotations

import datetime as dt
import math

UNKNOWN = "–"


def number(value: float | None, digits: int = 0) -> str:
    """Grouped by thousands.

    Examples
    --------
    >>> number(58449), number(-1.5, 2), number(None)
    ('58,449', '−1.50', '–')
    """
    return UNKNOWN if value is None else _minus(f"{value:,.{digits}f}")


def short(value: float | None) -> str:
    """Three digits and a unit, for headlines.

    Examples
    --------
    >>> short(949), short(58_449), short(1_080_000), short(999_950)
    ('949', '58.4 k', '1.08 M', '1.00 M')
    """
    if value is None:
        return UNKNOWN
    for factor, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= factor * 0.9995:
            scaled = value / factor
            return f"{scaled:.{2 if abs(scaled) < 9.995 else 1 if abs(scaled) < 99.95 else 0}f} {unit}"
    return f"{value:,.0f}"


def share(value: float | None) -> str:
    """Per cent; what is not 0 never reads 0.

    Examples
    --------
    >>> share(0.0), share(0.0123), share(0.00001), share(None)
    ('0 %', '1.23 %', '<0.01 %', '–')
    """
    if value is None:
        return UNKNOWN
    if value == 0:
        return "0 %"
    return "<0.01 %" if value < 0.0001 else f"{100 * value:.2f} %"


def score(value: float | None) -> str:
    """Three decimals, cut off: 0.9499 is below 0.95 and must not read like it.

    Examples
    --------
    >>> score(1.0), score(0.94999), score(0.9999), score(None)
    ('1', '0.949', '0.999', '–')
    """
    if value is None:
        return UNKNOWN
    return "1" if value == 1 else f"{math.floor(value * 1000 + 1e-9) / 1000:.3f}"


def measured(value: float | None) -> str:
    """A measure of unknown unit, four significant digits.

    Examples
    --------
    >>> measured(0.61234), measured(-12), measured(1234567.0), measured(None)
    ('0.6123', '−12', '1,234,567', '–')
    """
    if value is None:
        return UNKNOWN
    if not math.isfinite(value):
        return str(value)
    whole = value == round(value) or abs(value) >= 10_000
    return _minus(f"{value:,.0f}" if whole else f"{value:.4g}")


def _minus(text: str) -> str:
    """A real minus sign, as wide as a digit."""
    return text.replace("-", "−")


def bounds(minimum: float | None, maximum: float | None) -> str:
    """What passes.

    Examples
    --------
    >>> bounds(0.95, None), bounds(None, 5), bounds(0.2, 5.0), bounds(0.0, 0.0), bounds(None, None)
    ('at least 0.95', 'at most 5', '0.2 to 5', 'exactly 0', '')
    """
    if minimum is not None and maximum is not None:
        same = minimum == maximum
        return f"exactly {measured(minimum)}" if same else f"{measured(minimum)} to {measured(maximum)}"
    if minimum is not None:
        return f"at least {measured(minimum)}"
    return f"at most {measured(maximum)}" if maximum is not None else ""


def count(amount: int, noun: str, plural: str = "") -> str:
    """A number with its noun.

    Examples
    --------
    >>> count(1, "symbol"), count(1200, "symbol"), count(2, "has", "have")
    ('1 symbol', '1,200 symbols', '2 have')
    """
    return f"{amount:,} {noun if amount == 1 else plural or noun + 's'}"


def listed(names: list[str], most: int = 12) -> str:
    """Names, the first of them when they are many.

    Examples
    --------
    >>> listed(["A", "B"]), listed(["A", "B", "C", "D"], 2)
    ('A, B', 'A, B and 2 more')
    """
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"


def words(name: str) -> str:
    """A name of code as words.

    Examples
    --------
    >>> words("unexplained_silent_minutes")
    'unexplained silent minutes'
    """
    return name.replace("_", " ")


def long_date(date: dt.date) -> str:
    """A date with its weekday.

    Examples
    --------
    >>> long_date(dt.date(2025, 11, 28))
    'Friday, 28 November 2025'
    """
    return f"{date:%A}, {date.day} {date:%B %Y}"


def clock(instant: dt.datetime) -> str:
    """Wall-clock time to the second."""
    return f"{instant:%H:%M:%S}"


def moment(instant: dt.datetime | None) -> str:
    """Date and minute, Eastern Time."""
    return UNKNOWN if instant is None else f"{instant:%Y-%m-%d %H:%M} ET"
