"""What Prometheus' own tool says to our rules, to their tests, and to the questions of the runbooks."""

from pathlib import Path

import pytest
import yaml

from tests.ship.test_rules import PAGES, ROOT, RULES, RULES_FILE, exprs_of
from tests.world.prometheus import promtool

pytestmark = pytest.mark.system

TESTS = sorted((ROOT / "tests/data/rules").glob("*.yaml"))


def test_promtool_has_nothing_to_say_to_the_rules() -> None:
    found = promtool("check", "rules", "--lint=all", "--lint-fatal", RULES_FILE)

    assert (found.returncode, found.stderr) == (0, "")
    assert f"SUCCESS: {len(RULES)} rules found" in found.stdout


@pytest.mark.parametrize("page", TESTS, ids=lambda page: page.stem)
def test_the_alerts_fire_when_they_should(page: Path) -> None:
    found = promtool("test", "rules", page)

    assert found.returncode == 0, found.stdout + found.stderr
    assert "SUCCESS" in found.stdout


def test_every_question_of_the_runbooks_can_be_parsed(tmp_path: Path) -> None:
    exprs = [expr for page in PAGES.values() for expr in exprs_of(page)]
    rules = [{"record": f"question:{n}", "expr": expr} for n, expr in enumerate(exprs)]
    page = tmp_path / "rules.yaml"
    page.write_text(yaml.safe_dump({"groups": [{"name": "questions", "rules": rules}]}), encoding="utf-8")
    found = promtool("check", "rules", page)

    assert found.returncode == 0, found.stderr
    assert f"{len(rules)} rules found" in found.stdout
