"""Reads a page as a person does: text of sections, cells of tables, links, and whether tags are closed."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"meta", "link", "input", "br", "use", "rect", "line", "circle", "path"}
OPTIONAL_END = {"td"}
SPACED = {"p", "li", "th", "tr", "h2", "h3", "h4", "dt", "dd", "span", "summary", "code"}


class Page(HTMLParser):
    """A parsed page."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[str] = []
        self.resources: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.unclosed: list[str] = []
        self.sections: dict[str, str] = {}
        self.rows: dict[str, dict[str, list[str]]] = {}
        self.scripts: list[str] = []
        self.labels: list[str] = []
        self.text = ""
        self._open: list[tuple[str, dict[str, str | None]]] = []
        self._cells: list[str] | None = None
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        if given.get("id"):
            self.ids.append(str(given["id"]))
        if given.get("aria-label"):
            self.labels.append(str(given["aria-label"]))
        for name in ("href", "src", "action", "data", "srcset", "xlink:href"):
            if given.get(name) is not None:
                (self.links if tag == "a" else self.resources).append(str(given[name]))
        if tag in ("td", "th", "tr"):
            self._close_optional()
        if tag == "tr":
            self._cells = []
        if tag in ("td", "th") and self._cells is not None:
            self._cells.append("")
        if tag not in VOID:
            self._open.append((tag, given))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag == "tr":
            self._close_optional()
            table = next((given.get("id") for name, given in reversed(self._open) if name == "table"), None)
            if table and self._cells:
                self.rows.setdefault(table, {})[self._cells[0].strip()] = [cell.strip() for cell in self._cells[1:]]
            self._cells = None
        if not self._open or self._open[-1][0] != tag:
            if tag not in VOID:
                self.unclosed.append(f"</{tag}> closes {self._open[-1][0] if self._open else 'nothing'}")
            return
        if tag in SPACED:
            self._into_sections(" ")
        self._open.pop()

    def handle_data(self, data: str) -> None:
        tags = [name for name, _ in self._open]
        if "script" in tags:
            self.scripts.append(data)
            return
        if "style" in tags:
            return
        self.text += data
        self._into_sections(data)
        if self._cells:
            self._cells[-1] += data

    def _into_sections(self, text: str) -> None:
        for name, given in self._open:
            if name == "section" or given.get("id") == "verdict":
                key = str(given.get("id"))
                self.sections[key] = self.sections.get(key, "") + text

    def section(self, name: str) -> str:
        """Text of a section, white space made single."""
        return " ".join(self.sections[name].split())

    def _close_optional(self) -> None:
        self._into_sections(" ")
        while self._open and self._open[-1][0] in OPTIONAL_END:
            self._open.pop()
