"""The page that draws the dashboard: built once by npm and esbuild, and served on loopback beside the API of a Prometheus."""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import threading
import urllib.error
import urllib.request
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.world.binaries import alone

APP = Path(__file__).parent / "picture"
DASHBOARD = Path(__file__).parent / "gitjob-cleaner.json"

_SOURCES = ("package.json", "package-lock.json", ".npmrc", "build.mjs", "src")
_PROXIED = "/prometheus"
_DEADLINE = 30.0

# The page needs nothing from elsewhere, and a browser is to hold it to that. Grafana's components make styles and functions
# at run time.
_POLICY = "default-src 'self'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"

# A proxy that the environment names has no business on loopback.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class LackingError(RuntimeError):
    """A program is not installed; the message names it, and what installs it."""


class CannotBuildError(RuntimeError):
    """The page could not be built; the message tells why."""


def built() -> Path:
    """The folder of the page as browsers want it; it and what npm installs for it are cached outside the checkout."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gitjob-cleaner" / "picture"
    page = cache / f"page-{_digest(_SOURCES)}"
    if not page.exists():
        with alone(cache):
            if not page.exists():  # another process may have built it while we waited
                _build(page, _modules(cache))
    return page


class Page:
    """
    The page on loopback, from `with` until its end.

    `prometheus` is the URL that it asks, through us, so that all comes from one origin. `scrape_interval` is in seconds, as
    is `refresh`, the time between two looks. `port` 0 is a free one.
    """

    def __init__(self, prometheus: str, *, scrape_interval: float, refresh: float, port: int = 0) -> None:
        settings = json.dumps({"scrapeInterval": scrape_interval, "refresh": refresh}).encode()
        answering = partial(_Answering, prometheus=prometheus, settings=settings, directory=str(built()))
        self._server = ThreadingHTTPServer(("127.0.0.1", port), answering)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1})
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Answering(SimpleHTTPRequestHandler):
    """Answers with files of the page, the dashboard, or what Prometheus answers."""

    def __init__(self, *args: object, prometheus: str, settings: bytes, directory: str) -> None:
        self._prometheus, self._settings = prometheus, settings
        super().__init__(*args, directory=directory)  # type: ignore[arg-type] # what the server gives to every one of these

    def do_GET(self) -> None:
        """Answer with a file, or with what only we know."""
        path = self.path.partition("?")[0]
        if path == "/dashboard.json":
            self._answer(HTTPStatus.OK, DASHBOARD.read_bytes())
        elif path == "/settings.json":
            self._answer(HTTPStatus.OK, self._settings)
        else:
            super().do_GET()

    def do_POST(self) -> None:
        """Hand a query to Prometheus."""
        if not self.path.startswith(f"{_PROXIED}/api/v1/query"):
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer(*_asked(self._prometheus + self.path.removeprefix(_PROXIED), body))

    def end_headers(self) -> None:
        """Say with every answer what the page may load, and that it is not to be kept."""
        self.send_header("Content-Security-Policy", _POLICY)
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing: the terminal belongs to whoever watches."""

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        # A reader that has moved on does not want its answer any more.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(body)


def _asked(url: str, body: bytes) -> tuple[int, bytes]:
    try:
        with _OPENER.open(url, body, timeout=_DEADLINE) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read()
    except OSError as error:
        told = {"status": "error", "error": f"Prometheus does not answer: {error}"}
        return HTTPStatus.BAD_GATEWAY, json.dumps(told).encode()


def _build(page: Path, modules: Path) -> None:
    """Build beside the cache and move it in, so that a page is whole or not there."""
    with tempfile.TemporaryDirectory(dir=page.parent, prefix="build-") as name:
        folder = Path(name)
        _copy(folder, _SOURCES)
        (folder / "node_modules").symlink_to(modules)
        _run(["node", "build.mjs", "dist"], folder)
        (folder / "dist").rename(page)


def _modules(cache: Path) -> Path:
    """What package-lock.json names, installed once for each that ever was."""
    lock = ("package.json", "package-lock.json", ".npmrc")
    installed = cache / f"modules-{_digest(lock)}"
    if not installed.exists():
        with tempfile.TemporaryDirectory(dir=cache, prefix="install-") as name:
            folder = Path(name)
            _copy(folder, lock)
            _run(["npm", "ci", "--include=dev", "--loglevel=error"], folder)
            folder.rename(installed)
            folder.mkdir()  # for its own removal
    return installed / "node_modules"


def _copy(folder: Path, names: tuple[str, ...]) -> None:
    for name in names:
        if (APP / name).is_dir():
            shutil.copytree(APP / name, folder / name)
        else:
            shutil.copy(APP / name, folder / name)


def _run(command: list[str], folder: Path) -> None:
    if shutil.which(command[0]) is None:
        raise LackingError(f"there is no {command[0]} here, which builds the page that draws the dashboard: make system")
    ended = subprocess.run(  # noqa: S603 # npm and node, with arguments of ours
        command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if ended.returncode != 0:
        raise CannotBuildError(f"{' '.join(command)} ended with {ended.returncode}:\n{ended.stdout}{ended.stderr}")


def _digest(names: tuple[str, ...]) -> str:
    files = (path for name in names for path in sorted([APP / name, *(APP / name).rglob("*")]) if path.is_file())
    told = hashlib.sha256()
    for path in files:
        told.update(f"{path.relative_to(APP)}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return told.hexdigest()[:16]
