"""Write the parts of the docs that come from the code: the README's table of settings and the JSON schema of a pass."""

import json
import re
from pathlib import Path

import msgspec

from cleaner.report import Document
from cleaner.settings import describe_default, fields_of

ROOT = Path(__file__).parents[1]
_MARKED = re.compile(r"(<!-- settings -->\n).*?(<!-- /settings -->)", re.DOTALL)


def settings_table() -> str:
    """Every setting: its name, what it takes, its default and its meaning."""
    rows = ["| setting | takes | default | meaning |", "|---|---|---|---|"]
    for field in fields_of():
        kind, meaning = field.metadata["kind"], field.metadata["meaning"]
        rows.append(f"| `{field.name}` | {kind} | {describe_default(field)} | {meaning} |")
    return "\n".join(rows) + "\n"


def readme(text: str) -> str:
    """The README with its table written anew."""
    return _MARKED.sub(lambda found: found[1] + settings_table() + found[2], text)


def schema() -> str:
    """The JSON schema of the document that `--output json` writes."""
    return json.dumps(msgspec.json.schema(Document), indent=2, sort_keys=True) + "\n"


def main() -> None:
    """Write both."""
    page = ROOT / "README.md"
    page.write_text(readme(page.read_text(encoding="utf-8")), encoding="utf-8")
    (ROOT / "docs/sweep.schema.json").write_text(schema(), encoding="utf-8")


if __name__ == "__main__":
    main()
