"""`make picture`: the dashboard over a demo that has run for a while, as a picture for the README."""

import argparse
import sys
import time
from pathlib import Path

from cleaner.durations import Seconds, parse_duration
from grafana.monitoring import watched
from tests.world.chromium import Browser

WIDTH = 1600

_SETTLED = "document.querySelector('[data-panel]') && !document.querySelector('[data-state=loading]')"
_TOP_OF = "document.querySelector(`[data-row=${JSON.stringify(%s)}]`).getBoundingClientRect().top"


def opened(browser: Browser, page: str, span: Seconds) -> None:
    """Have the dashboard of the last seconds in the browser, each panel with an answer."""
    browser.open(f"{page}/?from=now-{span:.0f}s")
    browser.wait_for(_SETTLED)


def picture(browser: Browser, path: Path, until: str) -> Path:
    """Write what an operator sees of the open page, from its top to the heading of a row."""
    height = int(browser.evaluate(_TOP_OF % repr(until)))
    return browser.screenshot(path, WIDTH, height)


def main() -> int:
    """Run the demo with all that watches it, and write a picture of the dashboard."""
    parser = argparse.ArgumentParser(prog="python -m grafana.screenshot", description=main.__doc__)
    parser.add_argument("path", type=Path, help="the PNG to write")
    parser.add_argument("--for", dest="duration", type=parse_duration, default=180.0, help="how long the demo runs before, 3m")
    parser.add_argument("--until", default="What do my GitRepos do?", help="the row before which the picture ends")
    said = parser.parse_args()
    # A service, as most have it; whoever has a CronJob instead sees the same panels filled by its last runs.
    with watched(sweeps=False) as world, Browser() as browser:
        browser.viewport(WIDTH, 1000)
        time.sleep(said.duration)
        opened(browser, world.page, said.duration)
        picture(browser, said.path, said.until)
    sys.stdout.write(f"{said.path}: {said.path.stat().st_size} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
