"""A real, headless Chromium (`make system` installs it), driven over the DevTools protocol.

Commands and events are JSON texts, each ended by a NUL, in two pipes. Chromium ends when they close, so it never outlives
the tests, in whatever way those end.
"""

import base64
import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from tests.world.processes import ChildDiedError

DEADLINE = 60.0
"""Seconds until the browser must have answered or a page have loaded: generous, for a busy machine."""

PATIENCE = 5.0
"""Seconds between asking the browser to end and killing it."""

_FLAGS = [
    "--headless",
    "--remote-debugging-pipe",
    "--no-sandbox",  # root and containers have none, and only the tests' own pages are opened
    "--disable-gpu",
    "--disable-dev-shm-usage",  # containers have little of it
    "--no-startup-window",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-breakpad",
    "--hide-scrollbars",
    "--lang=en-US",
    # Whatever a page, or the browser by itself, asks of the world outside ends here.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]

# Chromium wants its pipes at 3 and 4. They are our ends of its input and output; what it says goes to the log.
_LAUNCH = ["sh", "-c", 'exec "$@" 3<&0 4>&1 0</dev/null 1>&2', "sh", "chromium"]

# Pages come with their service workers and shared workers; a page has its frames (those of other sites) and workers.
_PAGES = [{"type": kind} for kind in ("page", "service_worker", "shared_worker")]
_PARTS = [{"type": kind} for kind in ("iframe", "worker")]

# Whatever begins waits until it is watched.
_ATTACH: dict[str, Any] = {"autoAttach": True, "waitForDebuggerOnStart": True, "flatten": True}

_WHERE = """(selector => {
    const element = document.querySelector(selector);
    if (!element) throw new Error(`nothing matches ${selector}`);
    element.scrollIntoView({block: "center", behavior: "instant"});
    const box = element.getBoundingClientRect();
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    const top = document.elementFromPoint(x, y);
    if (!element.contains(top)) throw new Error(`${selector} is hidden or covered by ${top?.outerHTML.slice(0, 100)}`);
    return [x, y];
})"""

_FOCUS = """(selector => {
    const element = document.querySelector(selector);
    if (!element) throw new Error(`nothing matches ${selector}`);
    element.focus();
    if (document.activeElement !== element) throw new Error(`${selector} does not take the focus`);
    if (element.select) element.select();
})"""

_KEY_CODES = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}

Event = dict[str, Any]


class RefusedError(RuntimeError):
    """The browser did not carry out a command; the message tells why in its own words."""


class ThrownError(RuntimeError):
    """JavaScript of a test threw; the message is the exception."""


class DevTools:
    """Commands to a browser and events from it. There is no thread: events are taken in while somebody waits."""

    def __init__(self, pipes: subprocess.Popen[bytes], on_event: Callable[[Event], None]) -> None:
        self._to: IO[bytes] = _opened(pipes.stdin)
        self._back: IO[bytes] = _opened(pipes.stdout)
        self._on_event = on_event
        self._sent = 0
        self._partial = b""
        self._awaited: set[int] = set()
        self._answers: dict[int, Event] = {}

    def send(self, method: str, session: str | None = None, **params: Any) -> int:
        """Send a command and care for no answer; the command's number."""
        self._sent += 1
        command = {"id": self._sent, "method": method, "params": params} | ({"sessionId": session} if session else {})
        try:
            self._to.write(json.dumps(command).encode() + b"\0")
            self._to.flush()
        except BrokenPipeError:
            raise ChildDiedError(f"the browser ended before {method}") from None
        return self._sent

    def call(self, method: str, session: str | None = None, **params: Any) -> Any:
        """Send a command; its result."""
        number = self.send(method, session, **params)
        self._awaited.add(number)
        self.take_in_until(lambda: number in self._answers, method)
        answer = self._answers.pop(number)
        if "error" in answer:
            raise RefusedError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def take_in_until(self, condition: Callable[[], bool], what: str) -> None:
        """Take in what the browser says until a condition holds; TimeoutError if it never does."""
        deadline = time.monotonic() + DEADLINE
        while not condition():
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"{what}: not within {DEADLINE:.0f} s")
            self._take_in(left)

    def _take_in(self, seconds: float) -> None:
        if not select.select([self._back], [], [], seconds)[0]:
            return
        heard = os.read(self._back.fileno(), 1 << 20)
        if not heard:
            raise ChildDiedError("the browser ended")
        *messages, self._partial = (self._partial + heard).split(b"\0")
        for message in map(json.loads, messages):
            if "method" in message:
                self._on_event(message)
            elif message["id"] in self._awaited:
                self._awaited.remove(message["id"])
                self._answers[message["id"]] = message

    def close(self) -> None:
        """Let go of both pipes: the browser ends."""
        with contextlib.suppress(BrokenPipeError):
            self._to.close()
        self._back.close()


class Seen:
    """What all pages, frames and workers of a browser did, as its events tell."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.failures: dict[str, str] = {}
        self.console: list[str] = []
        self.violations: list[str] = []
        self.loaded: set[str] = set()
        self._urls: dict[str, str] = {}
        self._readers: dict[str, Callable[[Event], None]] = {
            "Network.requestWillBeSent": lambda told: self._asked(told["requestId"], told["request"]["url"]),
            "Network.webSocketCreated": lambda told: self._asked(told["requestId"], told["url"]),
            "Network.webTransportCreated": lambda told: self._asked(told["transportId"], told["url"]),
            "Network.loadingFailed": lambda told: self._failed(told["requestId"], told.get("blockedReason") or told["errorText"]),
            "Network.webSocketFrameError": lambda told: self._failed(told["requestId"], told["errorMessage"]),
            "Runtime.consoleAPICalled": self._said,
            "Runtime.exceptionThrown": lambda told: self.console.append(f"error: {_thrown(told['exceptionDetails'])}"),
            "Log.entryAdded": self._logged,
            "Page.javascriptDialogOpening": lambda told: self.console.append(f"dialog: {told['message']}"),
            "Page.lifecycleEvent": self._lived,
            "Audits.issueAdded": self._issue,
        }

    def take(self, event: Event) -> None:
        """Remember what an event tells; most tell nothing of interest here."""
        if reader := self._readers.get(event["method"]):
            reader(event["params"])

    def _asked(self, number: str, url: str) -> None:
        if not url.startswith(("data:", "blob:")):  # these hold their own answers
            self._urls[number] = url
            self.requests.append(url)

    def _failed(self, number: str, reason: str) -> None:
        if url := self._urls.get(number):
            self.failures[url] = reason

    def _said(self, told: Event) -> None:
        words = [str(word.get("value", word.get("description", word["type"]))) for word in told["args"]]
        self.console.append(f"{told['type']}: {' '.join(words)}")

    def _logged(self, told: Event) -> None:
        entry = told["entry"]
        self.console.append(f"{entry['level']}: {entry['text']} {entry.get('url', '')}".rstrip())

    def _lived(self, told: Event) -> None:
        if told["name"] == "load":
            self.loaded.add(told["loaderId"])

    def _issue(self, told: Event) -> None:
        if details := told["issue"]["details"].get("contentSecurityPolicyIssueDetails"):
            self.violations.append(f"{details['violatedDirective']}: {details.get('blockedURL', 'inline')}")


class Browser:
    """One Chromium with one page, from `with` until its end; what a page opens besides is watched too."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="chromium-"))
        self._log = self._folder / "chromium.log"
        self._seen = Seen()
        self._sessions: dict[str, str] = {}  # by target
        self._page: str
        self._process: subprocess.Popen[bytes]
        self._tools: DevTools

    def __enter__(self) -> Self:
        self._process = self._launch()
        self._tools = DevTools(self._process, self._on_event)
        try:
            self._tools.call("Target.setAutoAttach", **_ATTACH, filter=_PAGES)
            target = self._tools.call("Target.createTarget", url="about:blank")["targetId"]
            # To go elsewhere before even the empty page is there would be aborted.
            self._tools.take_in_until(lambda: target in self._sessions and bool(self._seen.loaded), "an empty page")
            self._page = self._sessions[target]
            self.viewport(1280, 800)
        except BaseException as error:
            self._explain(error)
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is not None:
            self._explain(error)
        self.stop()

    @property
    def requests(self) -> list[str]:
        """The URLs that all pages asked for, in their order, failed ones with them.

        What a Content-Security-Policy forbids is here if the browser had begun to load it (an image, a frame), and always in
        `violations`.
        """
        return self._caught_up().requests

    @property
    def failures(self) -> dict[str, str]:
        """The URLs whose requests failed, each with the reason: `csp`, or e.g. `net::ERR_CONNECTION_REFUSED`."""
        return self._caught_up().failures

    @property
    def console(self) -> list[str]:
        """All that is in the console, each with its level: `error: ...`, `warning: ...`, `log: ...`; and dialogs."""
        return self._caught_up().console

    @property
    def errors(self) -> list[str]:
        """The errors of the console: thrown and not caught, failed requests, violations of a policy, `console.error`."""
        return [line for line in self.console if line.startswith(("error: ", "assert: "))]

    @property
    def violations(self) -> list[str]:
        """What the Content-Security-Policy of a page forbade: `img-src: http://elsewhere/dot.png`, `script-src-elem: inline`."""
        return self._caught_up().violations

    def open(self, url: str) -> None:
        """Go to a page and wait until it and what it names have loaded. A page that cannot be had raises RefusedError."""
        told = self.call("Page.navigate", url=url)
        if "errorText" in told:
            raise RefusedError(f"{url}: {told['errorText']}")
        if loader := told.get("loaderId"):  # there is none where only the fragment differs
            self._tools.take_in_until(lambda: loader in self._seen.loaded, f"the load of {url}")

    def text(self) -> str:
        """The text of the page as a person sees it."""
        return str(self.evaluate("document.body.innerText"))

    def evaluate(self, js: str) -> Any:
        """The value of an expression in the page, as JSON has it; a promise is awaited. Raises ThrownError if it throws."""
        told = self.call("Runtime.evaluate", expression=js, awaitPromise=True, returnByValue=True, userGesture=True)
        if "exceptionDetails" in told:
            raise ThrownError(_thrown(told["exceptionDetails"]))
        return told["result"].get("value")

    def wait_for(self, js: str, seconds: float = DEADLINE) -> Any:
        """The first truthy value of an expression. The page may change meanwhile, even into another one."""
        deadline = time.monotonic() + seconds
        while True:
            with contextlib.suppress(RefusedError):  # asked while one page gives way to the next
                if value := self.evaluate(js):
                    return value
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"{js}: not within {seconds:.0f} s; console: {self._seen.console}; the page says:\n{self.text()}"
                )
            time.sleep(0.05)

    def click(self, selector: str) -> None:
        """Click with the mouse on the middle of the first element of a selector; ThrownError if a person could not."""
        x, y = self.evaluate(f"{_WHERE}({json.dumps(selector)})")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def type(self, selector: str, text: str) -> None:
        """Put text in place of what the field of a selector holds, as typing does; the field keeps the focus."""
        self.evaluate(f"{_FOCUS}({json.dumps(selector)})")
        self.call("Input.insertText", text=text)

    def press(self, key: str) -> None:
        """Press and release a key where the focus is, by the name that JavaScript has for it: `Enter`, `Tab`, `a`."""
        text = "\r" if key == "Enter" else key if len(key) == 1 else ""
        code = _KEY_CODES.get(key) or ord(key.upper())
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, text=text, windowsVirtualKeyCode=code)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def viewport(self, width: int, height: int, *, mobile: bool = False) -> None:
        """Give the page a size in CSS pixels; `mobile` makes it a telephone's screen (2 pixels each, touch)."""
        scale = 2 if mobile else 1
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=mobile)
        self.call("Emulation.setTouchEmulationEnabled", enabled=mobile)

    def screenshot(
        self, path: Path, width: int = 1280, height: int = 800, *, full_page: bool = False, mobile: bool = False
    ) -> Path:
        """Write what a viewport of that size shows, or the page down to its end, as a PNG. The page keeps the size."""
        self.viewport(width, height, mobile=mobile)
        area = {}
        if full_page:
            size = self.call("Page.getLayoutMetrics")["cssContentSize"]
            area = {"captureBeyondViewport": True, "clip": {**size, "scale": 1}}
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png", **area)["data"]))
        return path

    def call(self, method: str, **params: Any) -> Any:
        """The result of any command of the DevTools protocol to the page, e.g. `Emulation.setEmulatedMedia`."""
        return self._tools.call(method, self._page, **params)

    def logs_tail(self) -> str:
        """The end of what the browser wrote about itself, to be shown when something failed."""
        return self._log.read_bytes()[-4000:].decode(errors="replace") if self._log.exists() else "(no log)"

    def stop(self) -> None:
        """End it with all its processes, and forget its profile."""
        self._tools.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=PATIENCE)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _launch(self) -> subprocess.Popen[bytes]:
        folder = str(self._folder)
        # All that it writes goes into the folder; what pages show does not depend on where the tests run.
        places = dict.fromkeys(("HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"), folder)
        with self._log.open("wb") as log:
            return subprocess.Popen(
                [*_LAUNCH, *_FLAGS, f"--user-data-dir={folder}/profile"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, **places, "TZ": "UTC", "LANG": "C.UTF-8", "LANGUAGE": "en"},
                start_new_session=True,
            )

    def _on_event(self, event: Event) -> None:
        self._seen.take(event)
        match event["method"]:
            case "Target.attachedToTarget":
                self._watch(event["params"]["sessionId"])
                self._sessions[event["params"]["targetInfo"]["targetId"]] = event["params"]["sessionId"]
            case "Page.javascriptDialogOpening":  # nobody else would answer it
                self._tools.send("Page.handleJavaScriptDialog", event["sessionId"], accept=True)
            case "Inspector.targetCrashed":
                raise ChildDiedError("a page crashed")

    def _watch(self, session: str) -> None:
        """Have everything told by a new page, frame or worker, which waits for our last word before its first step."""
        for domain in ("Network", "Runtime", "Log", "Audits", "Page", "Inspector"):  # a worker lacks some: it says so, unheard
            self._tools.send(f"{domain}.enable", session)
        self._tools.send("Page.setLifecycleEventsEnabled", session, enabled=True)
        self._tools.send("Target.setAutoAttach", session, **_ATTACH, filter=_PARTS)
        self._tools.send("Runtime.runIfWaitingForDebugger", session)

    def _caught_up(self) -> Seen:
        """All that the page did until now: what it did before it answers is told before its answer."""
        self.wait_for("true")
        return self._seen

    def _explain(self, error: BaseException) -> None:
        """Put under an error what the browser knows of it: the console of the pages, and its own log if it died."""
        error.add_note(f"console of the pages: {self._seen.console}")
        if isinstance(error, ChildDiedError):
            error.add_note(self.logs_tail())


def _opened(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise RuntimeError("the browser was started without pipes")
    return pipe


def _thrown(details: Event) -> str:
    exception = details.get("exception", {})
    return str(exception.get("description", exception.get("value", details["text"])))
