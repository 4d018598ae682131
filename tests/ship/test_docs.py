"""What the docs say is what the code does."""

import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest

from cleaner import __version__
from cleaner.cli.parser import COMMANDS, parse
from cleaner.cluster import Fate
from cleaner.preflight import CheckDocument, CheckLine, RightPart, State
from cleaner.report import Document
from cleaner.retention import Reason
from cleaner.retry import Came
from cleaner.retry.telling import RetryDocument, RetryLine
from docs import generate

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
COMMAND_LINES = [line.split("#")[0].strip() for block in BLOCKS for line in block.splitlines() if line.strip()]


def test_the_table_of_settings_is_the_codes() -> None:
    assert generate.readme(README) == README


def test_the_json_schema_is_the_codes() -> None:
    assert (ROOT / "docs/sweep.schema.json").read_text(encoding="utf-8") == generate.schema()


@pytest.mark.parametrize("line", [line for line in COMMAND_LINES if line.startswith("gitjob-cleaner")])
def test_every_command_of_the_readme_can_be_parsed(line: str) -> None:
    command, _ = parse(shlex.split(line)[1:])

    assert command in COMMANDS


@pytest.mark.parametrize("line", [line for line in COMMAND_LINES if line.startswith("make")])
def test_every_make_target_of_the_readme_exists(line: str) -> None:
    done = subprocess.run(["make", "--dry-run", *line.split()[1:]], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_the_readme_promises_two_commands() -> None:
    assert [block.strip() for block in BLOCKS[:2]] == ["make demo", "make test"]


def test_every_reason_is_in_the_readme() -> None:
    missing = [reason.value for reason in Reason if f"`{reason.value}`" not in README]

    assert missing == []


def test_every_result_is_in_the_page_on_json() -> None:
    page = (ROOT / "docs/json.md").read_text(encoding="utf-8")

    assert [fate.value for fate in Fate if fate is not Fate.AGAIN and f"`{fate.value}`" not in page] == []


def test_every_result_of_a_retry_is_in_the_page_on_json() -> None:
    page = section("# The JSON of a retry")
    fields = {*RetryDocument.__struct_fields__, *RetryLine.__struct_fields__}

    assert [name for name in (*fields, *(came.value for came in Came)) if f"`{name}`" not in page] == []


def section(title: str) -> str:
    """One part of the page on JSON."""
    return (ROOT / "docs/json.md").read_text(encoding="utf-8").partition(title)[2].partition("\n# ")[0]


def test_every_field_of_a_check_is_in_the_page_on_json() -> None:
    page = section("# The JSON of a check")
    fields = {*CheckDocument.__struct_fields__, *CheckLine.__struct_fields__, *RightPart.__struct_fields__}

    assert [name for name in (*fields, *(state.value for state in State)) if f"`{name}`" not in page] == []


def test_every_check_is_in_the_page_on_json() -> None:
    """A line's first field is a literal wherever one is made."""
    page = section("# The JSON of a check")
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "cleaner/preflight").glob("*.py"))
    names = set(re.findall(r'(?:fine|warning|failed|Line)\(\s*"([a-z-]+)"', sources))

    assert {"settings", "right", "clean-up", "lease"} <= names
    assert [name for name in sorted(names) if f"`{name}`" not in page] == []


def test_the_page_on_rights_is_the_codes() -> None:
    assert (ROOT / "docs/rights.md").read_text(encoding="utf-8") == generate.rights_page()


def test_every_command_is_in_the_readme() -> None:
    assert [name for name in COMMANDS if not re.search(rf"^\| `{name}[ `]", README, re.MULTILINE)] == []


def test_every_field_of_the_document_is_in_the_page_on_json() -> None:
    page = (ROOT / "docs/json.md").read_text(encoding="utf-8")

    assert [name for name in Document.__struct_fields__ if f"`{name}`" not in page and f"`{name}." not in page] == []


def test_every_decision_has_its_number_and_an_explanation() -> None:
    pages = sorted((ROOT / "docs/decisions").glob("*.md"))

    assert [page.name[:3] for page in pages] == [f"{n:03}" for n in range(1, len(pages) + 1)]
    assert all(page.read_text(encoding="utf-8").startswith(f"# {page.name[:3]}: ") for page in pages)


def test_every_relative_link_of_the_docs_leads_somewhere() -> None:
    pages = [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *(ROOT / "docs").rglob("*.md"),
        ROOT / "benchmarks/README.md",
        ROOT / "grafana/README.md",
    ]
    links = [
        (page, link) for page in pages for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8"))
    ]

    assert links
    assert [f"{page.name}: {link}" for page, link in links if not (page.parent / link).exists()] == []


def test_the_changelog_knows_what_is_shipped() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    assert "## Unreleased" in changelog or f"## {__version__}" in changelog


def test_every_runtime_library_has_a_line_among_the_decisions() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = [re.split(r"[<>=]", dependency)[0] for dependency in project["dependencies"]]
    page = (ROOT / "docs/decisions/005-libraries.md").read_text(encoding="utf-8")

    assert [name for name in names if f"| {name} " not in page] == []
