"""`gitjob-cleaner demo`: wires the sandbox, the stand-in for Fleet, the sweeps and the live table."""

import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path

from cleaner.cli.wiring import Stop, cluster_of, observed_by, order_of
from cleaner.demo.sandbox import Sandbox
from cleaner.demo.show import COMMIT_EVERY, Files, sweep_on, write_files
from cleaner.demo.stand_in import FleetStandIn, Pace
from cleaner.durations import parse_duration
from cleaner.logs import Log
from cleaner.report.live import LiveTable
from cleaner.settings.load import load_settings

_WELCOME = """\
A sandbox with a Kubernetes API and a stand-in for Fleet {version} runs at {url}: commits come every few seconds, their Jobs run,
succeed, fail and pile up, and every two seconds a sweep deletes those that nothing needs any more. To look around from a second
terminal, paste:

{exports}

and try: gitjob-cleaner explain payments | gitjob-cleaner sweep --dry-run | kubectl get jobs -A
"""


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
    clock, log = stop.clock(), Log(sys.stderr, "error")
    settings = load_settings({"config": str(files.settings), "kubeconfig": str(files.kubeconfig)}, {})
    connection, cluster = cluster_of(settings, "demo", clock)
    exports = "\n".join(f"    {line}" for line in files.exports())
    sys.stdout.write(_WELCOME.format(version=cluster.fleet().version, url=url, exports=exports) + "\n")
    sys.stdout.flush()
    with LiveTable(sys.stdout) as table:
        tell = observed_by([log], log.observer_failed)
        sweep_on(cluster, order_of(settings), clock, stop, lambda result: table.show(result, clock.now()), tell)
    sys.stdout.write(f"{table.tally.summary()}.\n")
    connection.close()
