"""The rules of the house that no linter holds."""

import ast
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "cleaner").rglob("*.py"))
FILES = [
    ROOT / name
    for name in subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
]


def bodies() -> Iterator[tuple[str, int]]:
    """Every function of the package and how many lines its body has, docstring aside."""
    for module in MODULES:
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                documented = len(node.body) > 1 and ast.get_docstring(node) is not None
                first = node.body[1 if documented else 0]
                yield f"{module.relative_to(ROOT)}:{node.name}", (node.end_lineno or 0) - first.lineno + 1


def test_functions_are_short() -> None:
    sizes = dict(bodies())

    assert {name: size for name, size in sizes.items() if size > 40} == {}
    assert statistics.median(sizes.values()) <= 8
    assert statistics.quantiles(sizes.values(), n=10)[-1] <= 20


def test_modules_are_rooms_not_halls() -> None:
    long = {str(m.relative_to(ROOT)): m.read_text(encoding="utf-8").count("\n") for m in MODULES}

    assert {name: lines for name, lines in long.items() if lines > 300} == {}


def test_there_is_one_broad_except() -> None:
    broad = [
        str(module.relative_to(ROOT))
        for module in MODULES
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.ExceptHandler) and (node.type is None or getattr(node.type, "id", "") == "Exception")
    ]

    assert broad == ["cleaner/guard.py"]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(ROOT)))
def test_names_are_the_fields_own(module: Path) -> None:
    names = [node.name for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))) if isinstance(node, ast.ClassDef)]

    assert [name for name in [*names, module.stem] if re.search(r"manager|handler|helper|utils?$", name, re.IGNORECASE)] == []


def test_no_test_is_skipped_or_mocked() -> None:
    words = re.compile(r"\b(Magic|Async)" + r"Mock|unittest\." + r"mock|\bmocker\b|pytest\." + r"skip|mark\.(skip|xfail)")
    found = [str(f.relative_to(ROOT)) for f in FILES if f.suffix == ".py" and words.search(f.read_text(encoding="utf-8"))]

    assert found == []


def test_nothing_names_a_machine_or_a_registry() -> None:
    words = re.compile(
        r"(^|[\s\"'`=(:])/(work|farm|root|home/\w+)/|pypi\.org|pythonhosted|proxy\.golang|npmjs\.org|\bTODO\b|\bFIXME\b"
    )
    texts = [
        f
        for f in FILES
        if f.exists() and f != Path(__file__) and f.suffix in {".py", ".md", ".toml", ".txt", ".json", ".yaml", ""}
    ]
    found = [f"{f.relative_to(ROOT)}: {m[0]}" for f in texts if (m := words.search(f.read_text(encoding="utf-8")))]

    assert found == []


def test_importing_anything_starts_nothing() -> None:
    names = [".".join(m.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for m in MODULES]
    code = f"import importlib, threading\nfor n in {names!r}: importlib.import_module(n)\nassert threading.active_count() == 1"

    done = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
