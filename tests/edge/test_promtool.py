"""What Prometheus' own tool says to our metrics and to the questions that the docs ask them."""

from pathlib import Path

import pytest
import yaml

from docs import generate
from tests.edge.telling import full, text_of
from tests.world.prometheus import promtool

pytestmark = pytest.mark.system


@pytest.mark.parametrize("per_gitrepo", [True, False])
def test_promtool_has_nothing_to_say_to_the_metrics(per_gitrepo: bool) -> None:
    found = promtool("check", "metrics", stdin=text_of(full(per_gitrepo).metrics.exposition("", "")))

    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


def test_every_question_of_the_docs_can_be_parsed(tmp_path: Path) -> None:
    rules = [{"record": f"question:{n}", "expr": query} for n, query in enumerate(generate.QUERIES.values())]
    page = tmp_path / "rules.yaml"
    page.write_text(yaml.safe_dump({"groups": [{"name": "questions", "rules": rules}]}), encoding="utf-8")
    found = promtool("check", "rules", page)

    assert found.returncode == 0, found.stderr
    assert f"{len(rules)} rules found" in found.stdout
