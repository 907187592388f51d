"""Generated pages are current, and links between pages lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.architecture.source_tree import ROOT

LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.MULTILINE | re.DOTALL)
CODE_SPAN = re.compile(r"`[^`\n]*`")


def broken_links(page: Path, text: str, root: Path = ROOT) -> list[str]:
    """Relative links of a page whose file does not exist; code is not looked at."""
    prose = CODE_SPAN.sub("", FENCE.sub("", text))
    found = []
    for target in LINK.findall(prose):
        if re.match(r"[a-z][a-z0-9+.-]*:", target) or target.startswith("#"):
            continue
        file = target.partition("#")[0]
        if not (page.parent / file).exists():
            found.append(f"{page.relative_to(root)}: {target}")
    return found


def pages() -> list[Path]:
    """Markdown a visitor may meet."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def test_generated_pages_are_what_the_code_says() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "generate_docs.py"), "--check"],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_relative_links_lead_to_files() -> None:
    assert len(pages()) > 20
    assert [line for page in pages() for line in broken_links(page, page.read_text(encoding="utf-8"))] == []


def test_a_link_to_nowhere_is_found(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("# There\n", encoding="utf-8")
    text = "[a](there.md#part) [b](https://example.org/x) ![c](gone.png) [d](#here) `[e](code.md)`\n"
    text += "```\n[f](fence.md)\n```\n"
    assert broken_links(tmp_path / "page.md", text, tmp_path) == ["page.md: gone.png"]


def test_no_page_loads_anything_from_elsewhere() -> None:
    """The site works on a machine without a network: pictures, scripts and styles are its own."""
    remote = re.compile(
        r"!\[[^\]]*\]\(\s*(?:https?:)?//|<(?:img|script|link|iframe)[^>]+(?:src|href)=[\"'](?:https?:)?//"
    )
    site = sorted((ROOT / "docs").rglob("*.md"))
    assert [str(page) for page in site if remote.search(page.read_text(encoding="utf-8"))] == []
