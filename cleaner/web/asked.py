"""What of the page is asked for: a plain query, so that every view of it has an address and can be sent to somebody."""

from urllib.parse import parse_qs, urlencode

import msgspec

SORTS = {
    "name": "name",
    "kept": "kept Jobs",
    "due": "due for longest",
    "failure": "last failure",
    "deletion": "last deletion",
}
ONLY = {"failed": "failed Jobs", "stuck": "something stuck", "due": "Jobs due", "errors": "errors"}


class Asked(msgspec.Struct, frozen=True):
    """`text` is looked for in `namespace/name`; `only` wants any of these; `page` counts from 1."""

    text: str = ""
    only: tuple[str, ...] = ()
    sort: str = "name"
    page: int = 1

    def query(self, **changed: object) -> str:
        """Write it as a query, with changes; what is as by default is left out."""
        asked = msgspec.structs.replace(self, **changed)
        pairs = [("text", asked.text), *(("only", each) for each in asked.only)]
        pairs += [("sort", asked.sort if asked.sort != "name" else ""), ("page", str(asked.page) if asked.page > 1 else "")]
        return "?" + urlencode([pair for pair in pairs if pair[1]], errors="replace")


def read_asked(query: str) -> Asked:
    """Read a query; what nobody understands counts as not asked."""
    try:
        fields = parse_qs(query, max_num_fields=50)
    except ValueError:
        return Asked()
    text, sort, page = (fields.get(key, [""])[0] for key in ("text", "sort", "page"))
    return Asked(
        text=text.strip(),
        only=tuple(key for key in ONLY if key in fields.get("only", ())),
        sort=sort if sort in SORTS else "name",
        page=max(1, int(page)) if page.isascii() and page.isdigit() and len(page) < 8 else 1,
    )
