"""Draw the pictures of docs/methodology: the bars of each family over the ticks of a session.

Run with ``python tools/draw_bars.py FOLDER SYMBOL DATE`` (tick files as in
docs/how-to/use_your_own_files.md). The pictures in the repository show IBM on 2013-10-08.
"""

from __future__ import annotations

import argparse
import datetime as dt
from pathlib import Path

from fuzzy_pipeline.assets.reports import readable_parameter, ticks_by_bar
from fuzzy_pipeline.bars.build import build_bars
from fuzzy_pipeline.charts import bar_lengths_png, bars_over_ticks_png
from fuzzy_pipeline.enrichment import enrich_day
from fuzzy_pipeline.settings import FilesSettings
from fuzzy_pipeline.sources.files import FilesSource

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"


def main() -> None:
    """Read the ticks, build every family, write two pictures each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of tick files")
    parser.add_argument("symbol")
    parser.add_argument("date", help="YYYY-MM-DD")
    given = parser.parse_args()
    date = dt.date.fromisoformat(given.date)
    fetched = FilesSource(FilesSettings(path=given.folder)).fetch_ticks(given.symbol, date)
    ticks = enrich_day(fetched.columns, given.symbol, date)
    title = f"{given.symbol} {date} ({fetched.kind})"
    for name, bars in build_bars(ticks, date).items():
        parameter = readable_parameter(bars)
        if parameter is None:
            raise SystemExit(f"no {name} bars in {given.folder}")
        over = bars_over_ticks_png(bars.of(parameter), ticks, f"{title}: {name} bars, {parameter}")
        (IMAGES / f"{name}_bars.png").write_bytes(over)
        (IMAGES / f"{name}_bar_lengths.png").write_bytes(
            bar_lengths_png(ticks_by_bar(bars), f"{title}: ticks per {name} bar")
        )


if __name__ == "__main__":
    main()
