"""The one script: it keeps the page current. Without it, the page asks to be loaded again every 15 seconds."""

from base64 import b64encode
from hashlib import sha256


def allowed(inline: str) -> str:
    """Name an inline script or style as a Content-Security-Policy does."""
    return f"sha256-{b64encode(sha256(inline.encode()).digest()).decode()}"


# `turn` leaves alone what has not changed: what somebody has opened, typed, selected or focused stays. A part whose place
# has moved is put in anew, so what was open and what had the focus is carried over by id.
SCRIPT = """
const told = document.getElementById('told'), time = () => new Date().toISOString().slice(11, 19)
let heard = time(), next
function turn(old, fresh) {
  if (old.isEqualNode(fresh)) return
  if (old.nodeName !== fresh.nodeName || old.id !== fresh.id || !fresh.hasChildNodes()) return old.replaceWith(fresh)
  for (const {name, value} of [...fresh.attributes]) if (old.getAttribute(name) !== value) old.setAttribute(name, value)
  for (const {name} of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name)
  const before = [...old.childNodes], after = [...fresh.childNodes]
  after.forEach((part, place) => place < before.length ? turn(before[place], part) : old.append(part))
  before.slice(after.length).forEach(part => part.remove())
}
function show(fresh) {
  const focused = document.activeElement, owner = focused.id || focused.parentElement?.id
  for (const open of document.querySelectorAll('main details')) fresh.getElementById(open.id)?.toggleAttribute('open', open.open)
  document.title = fresh.title
  for (const part of ['main', 'footer']) turn(document.querySelector(part), fresh.querySelector(part))
  const again = document.getElementById(owner)
  if (!focused.isConnected && again) (focused.id ? again : again.querySelector(focused.nodeName))?.focus({preventScroll: true})
}
async function look() {
  clearTimeout(next)
  if (!document.hidden) try {
    const answer = await fetch(location.href, {cache: 'no-store', signal: AbortSignal.timeout(10000)})
    if (!answer.ok) throw answer.status
    show(new DOMParser().parseFromString(await answer.text(), 'text/html'))
    told.textContent = `as of ${heard = time()} UTC`
    document.body.classList.remove('lost')
  } catch {
    told.textContent = document.title = `no answer since ${heard} UTC`
    document.body.classList.add('lost')
  }
  clearTimeout(next)
  next = setTimeout(look, 5000)
}
document.addEventListener('visibilitychange', look)
next = setTimeout(look, 5000)
"""

SCRIPT_HASH = allowed(SCRIPT)
