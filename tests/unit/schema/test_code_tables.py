"""Code tables: the codes the pipeline relies on, as DTN's own replies name them."""

from __future__ import annotations

import pytest

from fuzzy_pipeline.errors import SchemaError
from fuzzy_pipeline.schema import code_tables
from fuzzy_pipeline.schema.code_tables import market_centers, security_types, trade_conditions


@pytest.mark.parametrize(
    ("code", "hex_text", "short"),
    [
        (1, "01", "REGULAR"),
        (23, "17", "FORMT"),
        (46, "2E", "MC_OFCLCLOSE"),
        (57, "39", "MC_OFCLOPEN"),
        (61, "3D", "INTRMRK_SWEEP"),
        (62, "3E", "DERIVPRI"),
        (64, "40", "CLSING"),
        (66, "42", "CROSS_TRADE"),
        (135, "87", "ODDLOT"),
        (138, "8A", "MC_OPEN"),
    ],
)
def test_condition_codes_have_dtns_names(code: int, hex_text: str, short: str) -> None:
    condition = trade_conditions()[code]
    assert (condition.hex, condition.short) == (hex_text, short)


def test_condition_codes_run_from_1_to_0x9b_and_0_is_no_code() -> None:
    assert list(trade_conditions()) == list(range(1, 0x9C))


@pytest.mark.parametrize(
    ("center", "short"), [(5, "NASDAQ"), (7, "NYSE"), (11, "NYSE_ARCA"), (19, "NTRF"), (24, "NYSE_TRF"), (153, "IEX")]
)
def test_market_centers_have_dtns_names(center: int, short: str) -> None:
    assert market_centers()[center].short == short


def test_only_the_two_ids_known_from_captures_alone_are_flagged_as_inferred() -> None:
    assert [center.id for center in market_centers().values() if center.inferred] == [164, 187]


def test_documented_market_centers_are_155_and_end_at_159() -> None:
    documented = [center.id for center in market_centers().values() if not center.inferred]
    assert (len(documented), max(documented)) == (155, 159)


def test_security_types_are_numbered_1_to_18() -> None:
    assert list(security_types()) == list(range(1, 19))
    assert security_types()[1].short == "EQUITY"


def test_every_row_names_its_source_and_has_no_comma_that_would_break_a_line_of_the_wire() -> None:
    for table in (market_centers(), trade_conditions(), security_types()):
        for row in table.values():
            assert row.source
            assert "," not in row.short + row.description


def test_tables_are_read_once_and_cannot_be_changed() -> None:
    assert market_centers() is market_centers()
    with pytest.raises(TypeError):
        market_centers()[5] = market_centers()[7]  # type: ignore[index]


def test_an_id_listed_twice_is_refused() -> None:
    row = market_centers()[5]
    with pytest.raises(SchemaError, match="twice"):
        code_tables._by_key("market_centers.csv", [(5, row), (5, row)])


def test_a_code_that_disagrees_with_its_hex_digits_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = [{"code": "135", "hex": "17", "short": "ODDLOT", "description": "", "source": "x"}]
    monkeypatch.setattr(code_tables, "_rows", lambda name: wrong)
    with pytest.raises(SchemaError, match="135 is not hex 17"):
        trade_conditions.__wrapped__()
