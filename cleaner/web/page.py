"""The status page: rendered anew for each request from what is known, which costs the GitRepos shown and no more."""

from collections import Counter
from collections.abc import Callable

from cleaner import __version__
from cleaner.model import Moment
from cleaner.snapshot import Snapshot, Vitals
from cleaner.web import lists
from cleaner.web.asked import read_asked
from cleaner.web.condition import Condition, condition
from cleaner.web.gitrepos import gitrepo_section
from cleaner.web.history import History
from cleaner.web.markup import count, distance, name, number, stamp, text, when
from cleaner.web.scene import Scene
from cleaner.web.script import SCRIPT
from cleaner.web.style import STYLE

_MARKS = {"well": "✓", "held": "‖", "bad": "!", "note": "·"}


class StatusPage:
    """The page for a query, from the callables that tell what is known at the moment of asking. It never plans."""

    def __init__(
        self,
        snapshot: Callable[[], Snapshot],
        vitals: Callable[[], Vitals],
        history: History,
        now: Callable[[], Moment],
    ) -> None:
        self._snapshot, self._vitals, self._history, self._now = snapshot, vitals, history, now

    def __call__(self, query: str = "") -> str:
        """Render it. `query` is the address's part after the `?`."""
        past = self._history.past()
        errors = Counter(trouble.owner for trouble in past.errors if trouble.owner is not None)
        return render(Scene(self._snapshot(), self._vitals(), past, self._now(), read_asked(query), errors))


def render(scene: Scene) -> str:
    """Write the whole document."""
    found = condition(scene)
    mark, dry = _MARKS[found.level], "DRY RUN · " if scene.vitals.dry_run else ""
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">'
        f'<title>{mark} {dry}{found.headline} · gitjob-cleaner</title><link rel="icon" href="data:,">'
        f'<noscript><meta http-equiv="refresh" content="15"></noscript><style>{STYLE}</style></head><body>'
        f'<header><h1>gitjob-cleaner</h1><p id="told" role="status">as of {stamp(scene.now)}</p></header>'
        f"<main>{_state(found, scene)}{_nav(scene)}{gitrepo_section(scene)}{lists.reasons(scene)}{lists.sweeps(scene)}"
        f"{lists.errors(scene)}{lists.refused(scene)}{lists.unreadable(scene)}</main>"
        f"<footer>{_footer(scene)}</footer><script>{SCRIPT}</script></body></html>"
    )


def _state(found: Condition, scene: Scene) -> str:
    dry = '<p class="dry">DRY RUN <small>nothing is deleted</small></p>' if scene.vitals.dry_run else ""
    remarks = "".join(
        f'<li class="{remark.level}"><b>{_MARKS[remark.level]}</b> <span>{remark.html}</span></li>' for remark in found.remarks
    )
    facts = "".join(f"<div><dt>{term}</dt><dd>{value}</dd></div>" for term, value in _facts(scene))
    return (
        f'<section id="state" class="{found.level}" aria-labelledby="state-title">{dry}'
        f'<h2 id="state-title"><span aria-hidden="true">{_MARKS[found.level]}</span> {found.headline}</h2>'
        f'<ul id="remarks">{remarks}</ul><dl>{facts}</dl></section>'
    )


def _facts(scene: Scene) -> list[tuple[str, str]]:
    snapshot, past, now = scene.snapshot, scene.past, scene.now
    detail = "" if snapshot.fleet.detail.removeprefix("v") == snapshot.fleet.version else snapshot.fleet.detail
    fleet = text(snapshot.fleet.version) + (f" <small>{text(detail)}</small>" if detail else "")
    recreates = " <small>makes a deleted current Job again</small>" if snapshot.fleet.recreates else ""
    kept = sum(amount for (_, reason), amount in snapshot.tally.items() if not reason.deletes)
    backlog = number(snapshot.backlog) + (
        f" <small>the oldest for {when(snapshot.oldest_due, now).replace(' ago', '')}</small>" if snapshot.oldest_due else ""
    )
    return [
        ("Last sweep", _last_sweep(scene)),
        ("Next due", when(snapshot.next_due, now)),
        ("Leader", _leader(scene)),
        ("Cleaner", f"{text(__version__)}"),
        ("Fleet", fleet + recreates),
        ("GitRepos", number(len(snapshot.views))),
        ("Jobs kept", number(kept)),
        ("Jobs due", backlog),
        ("Deleted", f"{number(past.deleted)} <small>since {when(past.began, now)}</small>"),
        ("Watches", _watches(scene)),
    ]


def _last_sweep(scene: Scene) -> str:
    snapshot, past = scene.snapshot, scene.past
    if not past.sweeps:
        return when(snapshot.swept, scene.now)
    last = past.sweeps[0]
    return f"{text(last.outcome)} {when(last.started + last.seconds, scene.now)}"


def _leader(scene: Scene) -> str:
    vitals, led = scene.vitals, scene.past.led
    if vitals.leading is None:
        return "this process, without election"
    if not vitals.leading:
        return name(vitals.holder) if vitals.holder else "nobody known"
    began = f" <small>since {when(led[0], scene.now)}</small>" if led is not None and led[1].leading else ""
    return f"this process{f', {name(vitals.holder)}' if vitals.holder else ''}{began}"


def _watches(scene: Scene) -> str:
    """Tell the one that has been silent for longest; the others are better."""
    signs = scene.vitals.signs
    if not signs:
        return "none"
    return f"{number(len(signs))} <small>the quietest heard of {distance(min(signs.values()), scene.now)}</small>"


def _nav(scene: Scene) -> str:
    snapshot, past = scene.snapshot, scene.past
    parts = (
        ("gitrepos", "GitRepos", len(snapshot.views)),
        ("reasons", "Reasons", None),
        ("sweeps", "Sweeps", None),
        ("errors", "Errors", len(past.errors)),
        ("refused", "Refused", len(snapshot.refused)),
        ("unreadable", "Unreadable", len(snapshot.unreadable)),
    )
    links = " ".join(
        f'<a href="#{key}">{title}{"" if amount is None else f" {number(amount)}"}</a>' for key, title, amount in parts
    )
    return f'<nav id="parts" aria-label="Parts of the page">{links}</nav>'


def _footer(scene: Scene) -> str:
    return (
        f"Known {when(scene.snapshot.at, scene.now)} · all times are UTC · "
        '<a href="metrics">metrics</a> <a href="healthz">health</a> <a href="readyz">readiness</a> · '
        f"{count(len(scene.snapshot.views), 'GitRepo')}"
    )
