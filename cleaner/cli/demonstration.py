"""`gitjob-cleaner demo`: the service of `run` on a sandbox and a stand-in for Fleet, and a live table."""

import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path

from cleaner.cli.serve import end, listen, wired
from cleaner.cli.wiring import Stop
from cleaner.demo.sandbox import Sandbox
from cleaner.demo.show import COMMIT_EVERY, Files, write_files
from cleaner.demo.stand_in import FleetStandIn, Pace
from cleaner.durations import parse_duration
from cleaner.logs import Log
from cleaner.report.live import LiveTable
from cleaner.settings.load import load_settings

_WELCOME = """\
A sandbox with a Kubernetes API and a stand-in for Fleet {version} runs at {url}: commits come every few seconds, their Jobs run,
succeed, fail and pile up, and the service (the same as `gitjob-cleaner run`) deletes those that nothing needs any more.

    its page     {page}/
    its metrics  {page}/metrics

To look around from a second terminal, paste:

{exports}

and try: gitjob-cleaner explain payments | gitjob-cleaner sweep --dry-run | kubectl get jobs -A
"""

_DRAWN_EVERY = 0.5


def demo(flags: Mapping[str, str]) -> int:
    """Show the cleaner at work until Ctrl-C, or for as long as `--for` says."""
    port = flags.get("port", "0")
    if not (port.isascii() and port.isdigit() and int(port) < 65536):
        sys.stderr.write(f"gitjob-cleaner: --port: {port!r} is not a port from 0 (a free one) to 65535\n")
        return 2
    stop = Stop()
    stop.listen()
    try:
        sandbox = Sandbox(int(port))
    except OSError as error:
        sys.stderr.write(f"gitjob-cleaner: --port: {port} cannot be used: {error.strerror}\n")
        return 2
    with tempfile.TemporaryDirectory(prefix="gitjob-cleaner-demo-") as folder, sandbox, _fleet(sandbox):
        timer = _end_after(flags.get("duration"), stop)
        _run(write_files(Path(folder), sandbox), sandbox.url, stop)
        timer.cancel()
    return 0


def _fleet(sandbox: Sandbox) -> FleetStandIn:
    return FleetStandIn(sandbox.url, pace=Pace(commit_every=COMMIT_EVERY))


def _end_after(duration: str | None, stop: Stop) -> threading.Timer:
    seconds = parse_duration(duration) if duration else threading.TIMEOUT_MAX
    timer = threading.Timer(seconds, stop.pull, ("the time is up",))
    if duration:
        timer.start()
    return timer


def _run(files: Files, url: str, stop: Stop) -> None:
    log = Log(sys.stderr, "error")
    settings = load_settings({"config": str(files.settings), "kubeconfig": str(files.kubeconfig)}, {})
    table = LiveTable(sys.stdout)
    serving = wired(settings, stop, log, "demo", table)
    listen(serving.server, settings.listen)
    page = f"http://127.0.0.1:{serving.server.port}"
    _welcome(files, url, page, serving.version())
    table.watch(serving.service.snapshot, f"page {page}/  metrics {page}/metrics")
    serving.service.start()
    with table:
        _draw_until(stop, table)
    end(serving, log)
    sys.stdout.write(f"{table.tally.summary()}.\n")


def _welcome(files: Files, url: str, page: str, version: str) -> None:
    exports = "\n".join(f"    {line}" for line in files.exports())
    sys.stdout.write(_WELCOME.format(version=version, url=url, page=page, exports=exports) + "\n")
    sys.stdout.flush()


def _draw_until(stop: Stop, table: LiveTable) -> None:
    clock = stop.clock()
    while stop() is None:
        table.draw(clock.now())
        clock.sleep(_DRAWN_EVERY)
