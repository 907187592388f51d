"""What error texts become, and how reply lines are framed."""

from __future__ import annotations

import pytest

from fuzzy_pipeline import errors
from fuzzy_pipeline.sources.iqfeed import messages as m


@pytest.mark.parametrize(
    ("text", "kind", "retryable"),
    [
        ("!NO_DATA!", errors.NoDataError, False),
        ("Unauthorized user ID.", errors.UnauthorizedError, False),
        ("Invalid symbol.", errors.UnknownSymbolError, False),
        ("Invalid symbol format.", errors.UnknownSymbolError, False),
        ("Invalid start date.", errors.RequestError, False),
        ("Invalid number of parameters.", errors.RequestError, False),
        ("!SYNTAX_ERROR!", errors.RequestError, False),
        ("Could not connect to History socket.", errors.SourceUnavailableError, True),
        ("Unknown Server Error code 0.", errors.SourceUnavailableError, True),
        ("Socket Error: 10054 (WSAECONNRESET)", errors.SourceUnavailableError, True),
        ("Too many simultaneous history requests", errors.TooManyRequestsError, True),
        ("Too many simultaneous history requests.", errors.TooManyRequestsError, True),
        ("something new", errors.SourceError, False),
    ],
)
def test_every_error_line_has_its_class(text: str, kind: type[errors.SourceError], retryable: bool) -> None:
    error = m.error_from_text(text, "HTT,KO")
    assert type(error) is kind
    assert error.retryable is retryable
    assert "HTT,KO" in str(error)
    assert text in str(error)


def test_no_data_is_written_with_two_commas_and_an_end_line() -> None:
    assert m.error_lines("X1", m.NO_DATA) == b"X1,E,!NO_DATA!,,\r\nX1,!ENDMSG!,\r\n"
    assert m.error_lines("", m.NO_DATA) == b"E,!NO_DATA!,,\r\n!ENDMSG!,\r\n"


def test_a_syntax_error_has_no_end_line() -> None:
    assert m.error_lines("X1", m.SYNTAX_ERROR) == b"E,!SYNTAX_ERROR!,\r\n"


@pytest.mark.parametrize(
    ("protocol", "request_id", "prefix"),
    [("6.2", "R2", "R2,LH,"), ("6.2", "", "LH,"), ("6.1", "R2", "R2,"), ("6.1", "", "")],
)
def test_the_message_id_comes_after_the_request_id_and_only_under_6_2(
    protocol: m.WireProtocol, request_id: str, prefix: str
) -> None:
    assert m.line_prefix(protocol, request_id) == prefix
