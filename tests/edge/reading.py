"""The status page as a reader has it: its text, its tables and its links, by the standard library's own parser."""

from html.parser import HTMLParser

VOID = {"meta", "link", "input", "br"}


class Reader(HTMLParser):
    """Takes a page in. `rows` has the cells of all tables; `open_tags` must be empty at the end."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open_tags: list[str] = []
        self.rows: list[list[str]] = []
        self.texts: list[str] = []
        self.headings: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open_tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("th", "td"):
            self.rows[-1].append("")
        elif tag in ("h1", "h2", "h3"):
            self.headings.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open_tags.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.open_tags):
            self.texts.append(data)
        if self.rows and {"th", "td"} & set(self.open_tags):
            self.rows[-1][-1] += data
        if {"h1", "h2", "h3"} & set(self.open_tags):
            self.headings[-1] += data

    @property
    def text(self) -> str:
        """All that can be read."""
        return " ".join(self.texts)

    @property
    def gitrepos(self) -> list[str]:
        """The GitRepos shown, in their order."""
        return [heading for heading in self.headings if "/" in heading]

    def row(self, head: str) -> list[str]:
        """The one row with this in its first cell."""
        (found,) = [row for row in self.rows if row and head in row[0]]
        return found

    def values(self, name: str) -> list[str]:
        """All values of an attribute."""
        return [attributes[name] or "" for _, attributes in self.tags if name in attributes]

    def count(self, tag: str) -> int:
        """How many elements of a kind there are."""
        return sum(name == tag for name, _ in self.tags)
