"""The programs that `make system` installs, as the tests drive them: a real Prometheus and a real Chromium."""

import contextlib
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.world.chromium import Browser, RefusedError, ThrownError
from tests.world.ports import free_ports
from tests.world.processes import Child, ChildDiedError
from tests.world.prometheus import Prometheus, promtool
from tests.world.prometheus import RefusedError as QueryRefusedError

pytestmark = pytest.mark.system

METRICS = "# HELP deletions_total Jobs deleted.\n# TYPE deletions_total counter\ndeletions_total 7\n"

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>start</title><link rel="icon" href="data:,">
<h1>Größe</h1><p hidden>nobody sees this</p>
<input id="name"><button id="go" onclick="document.title = document.getElementById('name').value">go</button>
<button id="covered" style="position: absolute; top: 300px">under</button>
<div style="position: absolute; top: 0; height: 3000px; left: 0; width: 100%; pointer-events: none"></div>
<div style="position: absolute; top: 290px; height: 90px; left: 0; width: 100%">over</div>
<a href="/second.html" style="position: absolute; top: 2900px">further</a>"""

LOUD = """<!doctype html><title>loud</title><link rel="icon" href="data:,"><script>
console.log("quiet", 1); console.error("loud", 2); setTimeout(() => { throw new Error("nobody catches this"); });
new Image().src = "http://elsewhere.example/dot.png"; new Worker("/worker.js"); fetch("/missing");
</script>"""

STRICT = """<!doctype html><meta http-equiv="Content-Security-Policy" content="default-src 'self'">
<p>strict</p><script>document.title = "it ran"</script>"""

PAGES = {
    "index.html": PAGE,
    "second.html": "<!doctype html><title>second</title><p>arrived</p>",
    "loud.html": LOUD,
    "worker.js": 'fetch("/from-a-worker")',
    "strict.html": STRICT,
}


class Metrics(BaseHTTPRequestHandler):
    """A program that is scraped."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(METRICS.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def scraped() -> Iterator[str]:
    """Where there are metrics, as `host:port`."""
    with HTTPServer(("127.0.0.1", 0), Metrics) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the pages; a process of its own serves them, since a browser opens connections whenever it likes."""
    folder = tmp_path_factory.mktemp("site")
    for name, text in PAGES.items():
        (folder / name).write_text(text)
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(folder)]
    server = Child("http.server", command, tmp_path_factory.mktemp("log") / "http.log")
    _await(lambda: _listens(port))
    yield f"http://127.0.0.1:{port}"
    server.stop()


@pytest.fixture(scope="module")
def nobody() -> str:
    """A `host:port` where nobody listens."""
    return f"127.0.0.1:{free_ports(1)[0]}"


@pytest.fixture(scope="module")
def prometheus(scraped: str, nobody: str) -> Iterator[Prometheus]:
    rules = '{"groups": [{"name": "test", "rules": [{"record": "doubled", "expr": "deletions_total * 2"}]}]}'
    with Prometheus([scraped, nobody], interval=0.5, files={"rules.yml": rules}) as started:
        yield started


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as started:
        yield started


def test_a_scraped_value_comes_with_its_labels(prometheus: Prometheus, scraped: str) -> None:
    (series,) = prometheus.eventually("deletions_total == 7")

    assert series["metric"] == {"__name__": "deletions_total", "instance": scraped, "job": "test"}
    assert series["value"][1] == "7"


def test_a_target_that_does_not_answer_is_down(prometheus: Prometheus, nobody: str) -> None:
    (series,) = prometheus.eventually("up == 0")

    assert series["metric"]["instance"] == nobody


def test_rules_are_evaluated(prometheus: Prometheus) -> None:
    assert prometheus.eventually("doubled")[0]["value"][1] == "14"


def test_a_range_has_a_value_for_each_step(prometheus: Prometheus) -> None:
    prometheus.eventually("count_over_time(deletions_total[1m]) >= 3")
    now = time.time()

    (series,) = prometheus.query_range("deletions_total", now - 60, now, 0.25)

    assert len(series["values"]) >= 3
    assert {value for _, value in series["values"]} == {"7"}


def test_a_query_without_series_is_empty_and_a_scalar_is_one_series(prometheus: Prometheus) -> None:
    assert prometheus.query("nobody_knows_this") == []
    assert prometheus.query("1 + 1")[0]["value"][1] == "2"


def test_a_bad_query_is_refused_in_the_words_of_prometheus(prometheus: Prometheus) -> None:
    with pytest.raises(QueryRefusedError, match="unexpected end of input"):
        prometheus.query("up{")


def test_a_prometheus_that_does_not_start_tells_why_and_leaves_nothing() -> None:
    broken = Prometheus(config="no_such_setting: 1")

    with pytest.raises(ChildDiedError, match="no_such_setting"):
        broken.start()
    broken.stop()

    assert not broken._folder.exists()


def test_promtool_reads_its_input_and_tells_what_is_wrong() -> None:
    good = promtool("check", "metrics", stdin=METRICS)
    bad = promtool("check", "metrics", stdin="no metrics at all")

    assert (good.returncode, good.stdout + good.stderr) == (0, "")
    assert bad.returncode != 0
    assert "error" in bad.stderr


def test_the_text_of_a_page_is_what_a_person_sees(browser: Browser, site: str) -> None:
    browser.open(site)

    assert "Größe" in browser.text()
    assert "nobody" not in browser.text()
    assert browser.errors == []


def test_values_of_javascript_come_back_and_exceptions_are_raised(browser: Browser, site: str) -> None:
    browser.open(site)

    assert browser.evaluate("Promise.resolve({a: [1, null, 'b']})") == {"a": [1, None, "b"]}
    with pytest.raises(ThrownError, match="not today"):
        browser.evaluate("Promise.reject(new Error('not today'))")


def test_a_person_types_clicks_and_presses_keys(browser: Browser, site: str) -> None:
    browser.open(site)
    browser.type("#name", "forgotten")
    browser.type("#name", "fleet")
    browser.press("s")
    browser.press("Tab")
    browser.press("Enter")
    assert browser.evaluate("document.title") == "fleets"

    browser.click("a")  # after a scroll
    assert browser.wait_for("document.title == 'second' && document.body?.innerText") == "arrived"


def test_what_a_person_cannot_click_is_not_clicked(browser: Browser, site: str) -> None:
    browser.open(site)

    with pytest.raises(ThrownError, match="covered by <div"):
        browser.click("#covered")
    with pytest.raises(ThrownError, match="nothing matches #absent"):
        browser.click("#absent")


def test_the_console_and_all_requests_are_heard(browser: Browser, site: str) -> None:
    browser.open(f"{site}/loud.html")
    _await(lambda: {f"{site}/from-a-worker", f"{site}/missing"} <= set(browser.requests))
    _await(lambda: "http://elsewhere.example/dot.png" in browser.failures)
    _await(lambda: any("404" in line and f"{site}/missing" in line for line in browser.errors))

    assert "log: quiet 1" in browser.console
    assert "error: loud 2" in browser.errors
    assert any("nobody catches this" in line for line in browser.errors)
    assert browser.failures["http://elsewhere.example/dot.png"] == "net::ERR_NAME_NOT_RESOLVED"


def test_what_a_policy_forbids_is_heard(browser: Browser, site: str) -> None:
    browser.open(f"{site}/strict.html")

    _await(lambda: bool(browser.violations))
    assert browser.violations == ["script-src-elem: inline"]
    assert browser.evaluate("document.title") == ""
    assert any("Content Security Policy" in line for line in browser.errors)


def test_a_page_that_cannot_be_had_is_refused(browser: Browser, nobody: str) -> None:
    with pytest.raises(RefusedError, match="ERR_CONNECTION_REFUSED"):
        browser.open(f"http://{nobody}/")


def test_screenshots_have_the_size_that_was_asked_for(browser: Browser, site: str, tmp_path: Path) -> None:
    browser.open(site)

    assert _size(browser.screenshot(tmp_path / "desk.png", 800, 600)) == (800, 600)
    assert _size(browser.screenshot(tmp_path / "all.png", 800, 600, full_page=True)) == (800, 3000)
    assert _size(browser.screenshot(tmp_path / "phone.png", 390, 844, mobile=True)) == (780, 1688)


def test_a_browser_leaves_no_process_and_no_profile() -> None:
    with Browser() as browser:
        group, folder = browser._process.pid, browser._folder
        assert len(_alive(group)) > 1

    _await(lambda: _alive(group) == [])
    assert not folder.exists()


def test_a_browser_that_dies_is_told_at_once() -> None:
    with Browser() as browser:
        browser._process.kill()
        with pytest.raises(ChildDiedError, match="the browser ended"):
            browser.evaluate("1")


def _await(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.05)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _size(png: Path) -> tuple[int, ...]:
    head = png.read_bytes()[:24]
    assert head.startswith(b"\x89PNG")
    return struct.unpack(">II", head[16:])


def _alive(group: int) -> list[str]:
    """The processes of a group that run; those that are dead and wait for init to bury them do not."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, its_group = stat.read_text().rpartition(")")[2].split()[:3]
            found += [stat.parent.name] if int(its_group) == group and state != "Z" else []
    return found
