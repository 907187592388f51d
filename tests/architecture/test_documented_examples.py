"""The examples of the methodology pages, read from the pages and computed again: a page cannot go stale unnoticed."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fuzzy_pipeline.bar_settings import BarSettings
from fuzzy_pipeline.bars.build import build_bars
from fuzzy_pipeline.enrichment import EnrichmentRules, enrich_day
from fuzzy_pipeline.quality.validation import HARD_RULES, validate_ticks
from fuzzy_pipeline.schema.codes import Participant, Session
from fuzzy_pipeline.settings import EligibilityProfile, IngestSettings
from tests.architecture.source_tree import ROOT

PAGES = ROOT / "docs" / "methodology"
DATE = dt.date(2024, 5, 6)
ARROW_TIME = re.compile(r"(\d\d):(\d\d):(\d\d(?:\.\d+)?)")
Row = dict[str, str]


def example_tables(page: str) -> list[list[Row]]:
    """The tables below a page's "Example" heading, as rows of header -> cell."""
    text = (PAGES / page).read_text(encoding="utf-8").partition("\n## Example\n")[2].partition("\n## ")[0]
    found: list[list[Row]] = []
    for block in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
        lines = [[cell.strip().replace("`", "") for cell in line.strip("|").split("|")] for line in block.splitlines()]
        header, _rule, *rows = lines
        found.append([dict(zip(header, row, strict=True)) for row in rows])
    return found


def number(cell: str) -> float:
    """The result in a cell: what stands after the last ``=``, without signs of emphasis and words."""
    text = cell.rpartition("=")[2].split(", no ")[0].replace("*", "").replace(",", "").replace("−", "-").strip()
    return float(text) if text else float("nan")


def microseconds(clock: str) -> int:
    match = ARROW_TIME.fullmatch(clock)
    assert match, clock
    return round((int(match[1]) * 3600 + int(match[2]) * 60) * 1e6 + float(match[3]) * 1e6)


def arrays(rows: list[dict[str, Any]]) -> dict[str, NDArray[Any]]:
    """Raw ticks from rows; up to four condition codes each."""
    conditions = [(*row["codes"], 0, 0, 0, 0)[:4] for row in rows]
    size = np.array([row["size"] for row in rows], np.uint64)
    return {
        "tick_id": np.array([row["tick_id"] for row in rows], np.uint64),
        "date": np.full(len(rows), np.datetime64(DATE, "D")),
        "time": np.array([row["time"] for row in rows], np.int64),
        "last": np.array([row["price"] for row in rows]),
        "last_sz": size,
        "last_type": np.array([row["basis"] for row in rows], "S1"),
        "mkt_ctr": np.full(len(rows), 5, np.uint32),
        "tot_vlm": np.cumsum(size, dtype=np.uint64),
        "bid": np.array([row["bid"] for row in rows]),
        "ask": np.array([row["ask"] for row in rows]),
        **{f"cond{n + 1}": np.array([row[n] for row in conditions], np.uint8) for n in range(4)},
    }


def tape() -> dict[str, NDArray[Any]]:
    """The eight ticks of the enrichment page."""
    rows = []
    for row in example_tables("enrichment.md")[0]:
        bid, _, ask = row["bid × ask"].partition(" × ")
        rows.append(
            {
                "tick_id": int(row["#"]),
                "time": microseconds(row["time"]),
                "price": number(row["price"]),
                "size": int(number(row["size"])),
                "basis": row["basis"],
                "codes": [int(code, 16) for code in re.findall(r"\b[0-9A-F]{2}\b", row["codes"])],
                "bid": float(bid) if ask else float("nan"),
                "ask": float(ask) if ask else float("nan"),
            }
        )
    return arrays(rows)


def enriched(profile: EligibilityProfile = "iqfeed") -> dict[str, NDArray[Any]]:
    return enrich_day(tape(), "X", DATE, EnrichmentRules(eligibility_profile=profile))


def bar(profile: EligibilityProfile, row: int) -> dict[str, Any]:
    bars = build_bars(enriched(profile), DATE, BarSettings(intervals=("1m",)), families=("time",))["time"]
    return {name: values[row] for name, values in bars.columns.items()}


def test_the_enrichment_example() -> None:
    shown = example_tables("enrichment.md")[1]
    ticks = enriched()
    assert len(shown) == 8
    for header, column in {
        "sequence": "tick_sequence",
        "midpoint": "midpoint",
        "effective spread": "effective_spread",
        "price improvement": "price_improvement",
        "volume rate": "volume_rate",
        "change": "price_change",
    }.items():
        expected = [number(row[header]) for row in shown]
        assert ticks[column].tolist() == pytest.approx(expected, abs=1e-9, nan_ok=True), column
    assert [Participant(code).name.lower() for code in ticks["participant_type"]] == [r["participant"] for r in shown]
    assert [Session(code).name.lower() for code in ticks["session"]] == [row["session"] for row in shown]


def test_the_trade_sign_example() -> None:
    shown = example_tables("trade_sign.md")[0]
    ticks = enriched()
    assert ticks["trade_sign"].tolist() == [int(number(row["sign"])) for row in shown]
    assert ticks["trade_sign_method"].tolist() == [int(row["method"]) for row in shown]
    assert len(shown) == 8


@pytest.mark.parametrize("profile", ["iqfeed", "sip", "all"])
def test_the_eligibility_example(profile: EligibilityProfile) -> None:
    shown = {row[""]: row[profile] for row in example_tables("eligibility.md")[0]}
    found = bar(profile, 1)
    assert (found["open"], found["close"]) == tuple(number(part) for part in shown["open / close"].split(" / "))
    assert (found["high"], found["low"]) == tuple(number(part) for part in shown["high / low"].split(" / "))
    assert found["volume"] == number(shown["volume"])
    assert found["qualified_volume"] == number(shown["qualified volume"])
    assert found["vwap"] == pytest.approx(number(shown["vwap"]), abs=5e-5)


@pytest.mark.parametrize(("row", "name"), [(0, "09:30"), (1, "09:31"), (2, "15:59")])
def test_the_time_bar_example(row: int, name: str) -> None:
    shown = {line[""]: line[name] for line in example_tables("time_bars.md")[0]}
    found = bar("iqfeed", row)
    prices = [found[column] for column in ("open", "high", "low", "close")]
    times = 4 if "four times" in shown["open, high, low, close"] else 1
    expected = [float(price) for price in re.findall(r"\d+\.\d+", shown["open, high, low, close"])] * times
    assert prices == expected
    assert found["tick_count"] == len(shown["ticks"].split(","))
    for column in ("volume", "qualified_volume", "total_volume", "gaps"):
        assert found[column] == number(shown[column]), column
    assert found["dollar_volume"] == pytest.approx(number(shown["dollar_volume"]))
    assert found["vwap"] == pytest.approx(number(shown["vwap"]), abs=5e-5)
    bought, sold = shown["buy_volume, sell_volume"].split(", ")
    assert (found["buy_volume"], found["sell_volume"]) == (int(bought), int(sold))


def test_the_liquidity_score_of_the_time_bar_example() -> None:
    text = (PAGES / "time_bars.md").read_text(encoding="utf-8")
    expected = re.search(r"0\.3·8 \+ 0\.4·80 \+ 0\.3·33\.75 = ([\d.]+\d)", text)
    assert expected
    assert bar("iqfeed", 0)["liquidity_score"] == pytest.approx(float(expected[1]))


def test_the_validation_example() -> None:
    shown = example_tables("validation.md")[0]
    rows = [
        {
            "tick_id": int(row["tick_id"]),
            "time": microseconds(row["time"]),
            "price": number(row["last"]),
            "size": int(number(row["last_sz"])),
            "basis": "C",
            "codes": [int(row["code"], 16)],
            "bid": 9.99,
            "ask": 10.01,
        }
        for row in shown
    ]
    found = validate_ticks(arrays(rows), "X", DATE, IngestSettings(max_set_aside_share=0.5))
    verdicts = {int(row): f"set aside: {rule}" for row, rule in zip(found.rows, found.rules, strict=True)}
    verdicts |= {int(row): "official print" for row in found.official_rows}
    for rule in ("out_of_order_time", "unknown_condition"):
        verdicts |= {int(row): f"kept, flagged {rule}" for row in found.flagged.get(rule, [])}
    assert [verdicts.get(row, "kept") for row in range(7)] == [row["verdict"] for row in shown]


def test_the_validation_page_names_every_hard_rule() -> None:
    text = (PAGES / "validation.md").read_text(encoding="utf-8")
    assert [rule for rule in HARD_RULES if f"| `{rule}` |" not in text] == []
