"""The demo with all that watches it: a Prometheus that scraped a real demo, and the dashboard drawn over it in Chromium."""

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grafana.monitoring import World, watched
from grafana.page import DASHBOARD
from grafana.screenshot import opened
from tests.modes.running import ROOT, environment
from tests.world.chromium import Browser

pytestmark = pytest.mark.system

# Only a migration tells of these, and the demo has none: there is no older Fleet's work to clear.
OF_MIGRATIONS = {"Unblocked", "Forced", "Problems"}

PANELS = (
    "[...document.querySelectorAll('[data-panel]')].map(panel => [panel.dataset.panel, panel.dataset.state, panel.innerText])"
)

# What a person reads in the panels, by its box, as far as nothing around it hides it: legends and tables scroll.
OVERLAPS = """(() => {
    const visible = word => {
        let {left, right, top, bottom} = word.getBoundingClientRect();
        for (let around = word.parentElement; around; around = around.parentElement) {
            if (getComputedStyle(around).overflow === "visible") continue;
            const frame = around.getBoundingClientRect();
            [left, right] = [Math.max(left, frame.left), Math.min(right, frame.right)];
            [top, bottom] = [Math.max(top, frame.top), Math.min(bottom, frame.bottom)];
        }
        return {left, right, top, bottom};
    };
    const seen = [...document.querySelectorAll("[data-panel]")].flatMap(panel =>
        [...panel.querySelectorAll("h2, th, td, button, canvas, [role=columnheader]")].map(word => [word, visible(word)])
            .filter(([, box]) => box.right > box.left && box.bottom > box.top));
    const over = (one, other) => Math.min(one.right, other.right) - Math.max(one.left, other.left) > 1
        && Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top) > 1;
    const within = (one, other) => one.contains(other) || other.contains(one);
    return seen.flatMap(([word, box], n) => seen.slice(n + 1)
        .filter(([another, other]) => !within(word, another) && over(box, other))
        .map(([another]) => `${word.innerText} / ${another.innerText}`));
})()"""

CUT = """[...document.querySelectorAll("[data-panel] h2")]
    .filter(title => title.scrollWidth > title.clientWidth + 1).map(title => title.title)"""


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A demo that has run for so long that every panel has something to show."""
    with watched() as running:
        running.prometheus.eventually('gitjob_cleaner_run_exit_code{mode="sweep"} == 0')
        running.prometheus.eventually("sum(increase(gitjob_cleaner_jobs_deleted_total[1m])) > 3")
        running.prometheus.eventually("sum(gitjob_cleaner_guard_gitrepos) > 0")
        yield running


@pytest.fixture(scope="module")
def browser(world: World) -> Iterator[Browser]:
    """A browser with the dashboard, all its rows open."""
    with Browser() as chromium:
        chromium.viewport(1600, 1000)
        opened(chromium, world.page, 60)
        chromium.evaluate("document.querySelectorAll('[data-row][aria-expanded=false]').forEach(row => row.click())")
        chromium.wait_for("!document.querySelector('[data-row][aria-expanded=false], [data-state=loading]')")
        yield chromium


def panels(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All panels, those of closed rows too."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panels(panel)
        else:
            yield panel


def test_every_panel_is_drawn_and_shows_something(browser: Browser) -> None:
    titles = [panel["title"] for panel in panels(json.loads(DASHBOARD.read_text()))]
    missing = f"{PANELS}.filter(([title, state]) => state !== 'drawn' && !{json.dumps(sorted(OF_MIGRATIONS))}.includes(title))"
    browser.wait_for(f"{missing}.length === 0")  # what is young when the page opens comes with its next looks

    drawn = browser.evaluate(PANELS)
    assert sorted(title for title, _, _ in drawn) == sorted(titles)
    assert {title for title, state, _ in drawn if state != "drawn"} <= OF_MIGRATIONS
    assert [title for title, _, text in drawn if "No data" in text or "cannot draw" in text] == []


def test_it_asks_nobody_else_and_complains_of_nothing(world: World, browser: Browser) -> None:
    assert {url for url in browser.requests if not url.startswith(world.page)} == set()
    assert (browser.errors, browser.failures, browser.violations) == ([], {}, [])


@pytest.mark.parametrize("width", [1600, 1280])
def test_nothing_lies_over_anything_else(browser: Browser, width: int) -> None:
    browser.viewport(width, 1000)
    browser.wait_for(f"document.querySelector('main').clientWidth === {width}")

    assert browser.evaluate(OVERLAPS) == []


def test_no_title_is_cut(browser: Browser) -> None:
    browser.viewport(1600, 1000)
    browser.wait_for("document.querySelector('main').clientWidth === 1600")

    assert browser.evaluate(CUT) == []


def test_it_ends_when_it_is_told_to_and_leaves_no_process() -> None:
    mark = uuid.uuid4().hex
    command = [sys.executable, "-m", "grafana.monitoring"]
    with subprocess.Popen(command, env=environment(MARK=mark), cwd=ROOT, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        told = "".join(iter(started.stdout.readline, "Ctrl-C ends it all.\n"))
        assert len(marked(mark)) > 4
        started.send_signal(signal.SIGINT)
        assert started.wait(60) == 0

    assert told.count("http://127.0.0.1:") == 4
    assert marked(mark) == []


def test_it_ends_by_itself() -> None:
    ended = run("--for", "1s")

    assert (ended.returncode, ended.stderr) == (0, "")


def test_without_node_it_names_what_installs_it(tmp_path: Path) -> None:
    for program in ("prometheus", "prometheus-pushgateway", "env"):
        (tmp_path / program).symlink_to(which(program))

    ended = run(PATH=str(tmp_path), XDG_CACHE_HOME=str(tmp_path / "cache"))

    assert ended.returncode == 1
    assert ended.stderr == "demo-monitoring: there is no npm here, which builds the page that draws the dashboard: make system\n"


def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    command = [sys.executable, "-m", "grafana.monitoring", *arguments]
    return subprocess.run(command, env=environment() | more, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)


def which(program: str) -> str:
    """Where a program is."""
    return next(path for folder in os.get_exec_path() if os.access(path := f"{folder}/{program}", os.X_OK))


def marked(mark: str) -> list[str]:
    """The command lines of all processes with a mark in their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in process.joinpath("environ").read_bytes():
                found.append(process.joinpath("cmdline").read_text())
        except OSError:  # it ended, or is not ours
            continue
    return found
