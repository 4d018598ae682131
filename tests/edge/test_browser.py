"""The status page in a real Chromium: what an operator sees, what runs, and what never leaves the host."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from cleaner.model import Outcome
from cleaner.retention import Reason, Verdict
from cleaner.snapshot import Snapshot
from cleaner.web import Server, StatusPage, routes
from tests.core.worlds import AT, HOUR
from tests.edge import scenes
from tests.edge.scenes import job, owner, snapshot, view, vitals
from tests.world.chromium import Browser

pytestmark = pytest.mark.system

SHOP, EVIL = owner("team/shop"), owner("team/<script>document.title='owned'</script><img src=//evil.example/x onerror=alert(1)>")
PHONE = (390, 844)


class World:
    """A page that is served, and what it is to show: both can be changed."""

    def __init__(self) -> None:
        self.known: Snapshot = snapshot(scenes.calm_views(40, 4))
        self.at = AT
        self.page = StatusPage(lambda: self.known, vitals, scenes.history(), lambda: self.at)
        self.server = self._serve(0)

    def _serve(self, port: int) -> Server:
        answers = routes(lambda *_: ("text/plain", "", b""), vitals, self._shown)
        server = Server(("127.0.0.1", port), answers, _raise)
        server.start()
        return server

    def _shown(self, query: str) -> str:
        return self.page(query)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}/"

    def back(self) -> None:
        """Serve again at the same address."""
        self.server = self._serve(self.server.port)


def _raise(error: Exception) -> None:
    raise error


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.server.stop()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with Browser() as browser:
        yield browser


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Browser]:
    """A browser in which nothing has gone wrong and nothing was asked of anybody but us, also after the test."""
    chromium.viewport(1280, 800)
    chromium.requests.clear()
    yield chromium
    chromium.open("about:blank")
    assert {urlsplit(url).hostname for url in chromium.requests if not url.startswith("about:")} <= {"127.0.0.1"}
    assert (chromium.violations, [line for line in chromium.console if "net::ERR_" not in line]) == ([], [])
    chromium.console.clear()


def opened(path: str) -> str:
    """JavaScript for the details of a GitRepo."""
    found = f"[...document.querySelectorAll('h3')].find(title => title.textContent === '{path}')"
    return f"{found}.closest('details')"


def test_a_gitrepo_is_found_and_its_reasons_are_read(browser: Browser, world: World) -> None:
    world.known = snapshot([*scenes.calm_views(300, 4), view(SHOP, scenes.every_verdict(SHOP))])
    browser.open(world.url)

    browser.type("#text", "team/sh")
    browser.press("Enter")
    browser.wait_for("document.querySelectorAll('article').length === 1")
    browser.click("article summary")

    for reason in Reason:
        assert reason.meaning in browser.text()
    assert "text=team%2Fsh" in browser.evaluate("location.search")
    assert browser.evaluate("document.getElementById('text').value") == "team/sh"


def test_a_box_and_the_button_choose_too(browser: Browser, world: World) -> None:
    world.known = snapshot([*scenes.calm_views(3, 1), view(SHOP, [Verdict(job(SHOP, "shop-1"), Reason.SUPERSEDED)])])
    browser.open(world.url)

    browser.click("#only-due")
    browser.click("#show")

    browser.wait_for("document.querySelectorAll('article').length === 1")
    assert "team/shop" in browser.text()


def test_a_name_full_of_script_stays_text(browser: Browser, world: World) -> None:
    world.known = snapshot([view(EVIL, [Verdict(job(EVIL, EVIL.name.replace(" ", "/")), Reason.UNREADABLE, None, EVIL.name)])])
    browser.open(world.url)

    assert "<script>document.title='owned'</script><img src=//evil.example/x onerror=alert(1)>" in browser.text()
    assert browser.evaluate("document.querySelectorAll('script, img').length") == 1

    world.at += 60  # and as text it is brought up to date
    browser.wait_for("document.querySelector('#state').innerText.includes('1m 30s ago')")
    assert "All is well" in browser.evaluate("document.title")


def test_a_script_that_got_in_would_not_run(world: World, chromium: Browser) -> None:
    """The policy holds by itself: here the page itself is made to have a hole."""
    whole = world.page
    world.page = lambda query: whole(query).replace("<main>", "<main><script>document.title='owned'</script>")  # type: ignore[assignment]
    chromium.open(world.url)

    assert any(violation.startswith("script-src") for violation in chromium.violations)
    assert "owned" not in chromium.evaluate("document.title")
    chromium.open("about:blank")
    chromium.violations.clear()
    chromium.console.clear()


def test_the_page_follows_and_disturbs_nobody(browser: Browser, world: World) -> None:
    browser.open(world.url)
    browser.evaluate(f"{opened('fleet-05/app-00005')}.open = true")
    browser.evaluate(f"{opened('fleet-05/app-00005')}.querySelector('summary').focus()")
    browser.evaluate("document.getElementById('full').open = false")
    browser.evaluate("document.getElementById('text').value = 'half a wo'")
    browser.evaluate("window.scrollTo(0, 700)")

    first = view(owner("aaa/first"), [Verdict(job(owner("aaa/first"), "first-1", Outcome.FAILED), Reason.CURRENT)])
    world.known, world.at = snapshot([first, *scenes.calm_views(40, 5)]), AT + HOUR
    browser.wait_for("document.body?.innerText.includes('aaa/first')")

    assert browser.evaluate(f"{opened('fleet-05/app-00005')}.open")
    assert browser.evaluate("document.querySelectorAll('article details[open]').length") == 1
    assert "app-00005-00004" in browser.text()
    assert not browser.evaluate("document.getElementById('full').open")
    assert browser.evaluate("document.activeElement.textContent").startswith("fleet-05/app-00005")
    assert browser.evaluate("document.getElementById('text').value") == "half a wo"
    assert abs(browser.evaluate("window.scrollY") - 700) < 150  # the browser keeps what is looked at in its place


def test_what_is_typed_and_selected_stays(browser: Browser, world: World) -> None:
    browser.open(world.url)
    browser.type("#text", "payme")
    browser.evaluate("document.getElementById('text').setSelectionRange(1, 3)")

    world.known = snapshot(scenes.calm_views(41, 4))
    browser.wait_for("document.querySelectorAll('article').length === 41")

    assert browser.evaluate("[document.activeElement.id, text.value, text.selectionStart, text.selectionEnd]") == [
        "text",
        "payme",
        1,
        3,
    ]


def test_a_lost_connection_does_not_look_alive(browser: Browser, world: World) -> None:
    browser.open(world.url)
    world.server.stop()

    browser.wait_for(
        "/^no answer since \\d\\d:\\d\\d:\\d\\d UTC$/.test(told.textContent) && document.body.classList.contains('lost')"
    )
    assert "no answer" in browser.evaluate("document.title")
    world.back()
    browser.wait_for("told.textContent.startsWith('as of') && !document.body.classList.contains('lost')")


def test_without_script_it_is_all_there_and_loads_itself_again(browser: Browser, world: World) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(world.url + "?text=app-00007")
        assert browser.evaluate("document.querySelectorAll('article').length") == 1
        browser.click("article summary")
        assert Reason.YOUNG.meaning in browser.text()
        world.known = snapshot(scenes.calm_views(8, 9))
        browser.wait_for("document.body?.innerText.includes('9 kept')")
        assert browser.evaluate("location.search") == "?text=app-00007"
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_telephone_need_not_scroll_sideways(browser: Browser, world: World, scheme: str) -> None:
    known, living, past = scenes.rich()
    world.page = scenes.page(known, living, past)
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.viewport(*PHONE, mobile=True)
    browser.open(world.url)
    browser.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")

    assert browser.evaluate("document.documentElement.scrollWidth") == PHONE[0]
    wide = "[...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.id)"
    assert browser.evaluate(wide) == []


CONTRAST = """(() => {
  const channel = v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4
  const light = ([r, g, b]) => .2126 * channel(r) + .7152 * channel(g) + .0722 * channel(b)
  const parts = colour => colour.match(/[\\d.]+/g).map(Number)
  const behind = e => {
    const colour = parts(getComputedStyle(e).backgroundColor)
    return colour[3] === 0 ? behind(e.parentElement) : colour
  }
  const low = new Set()
  for (const e of document.querySelectorAll('body *')) {
    const says = [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())
    if (!says || !e.checkVisibility() || e.matches('script, style')) continue
    const [a, b] = [light(parts(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x)
    const contrast = (a + .05) / (b + .05)
    if (contrast < 4.5) low.add(`${e.tagName} ${e.className} ${e.textContent.slice(0, 40)} ${contrast}`)
  }
  return [...low]
})()"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read_by_day_and_by_night(browser: Browser, world: World, scheme: str) -> None:
    known, living, past = scenes.rich()
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    for page in (
        scenes.page(known, living, past),
        scenes.page(known, vitals(dry_run=True, paused=True), scenes.history()),
        scenes.page(snapshot()),
    ):
        world.page = page
        browser.open(world.url)
        browser.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")

        assert browser.evaluate(CONTRAST) == []
