"""The GitRepos: each with its Jobs, why they are kept and until when, and those that are gone."""

from collections.abc import Iterator
from hashlib import blake2s
from math import inf

from cleaner.model import Moment, Owner
from cleaner.retention import Reason, Stuck, Verdict
from cleaner.snapshot import View
from cleaner.web.asked import ONLY, SORTS, Asked
from cleaner.web.errors_kept import kept_errors
from cleaner.web.history import Deleted, Deletions
from cleaner.web.markup import count, distance, name, number, outcome, row, section, since, table, text, told, when
from cleaner.web.scene import Scene, Shown, failed, kept, shown, unreadable

JOBS = 50
"""Jobs shown of one GitRepo."""

_COLUMNS = ("Job", "Outcome", "Ended", "Verdict, and why", "Until")
_GONE_COLUMNS = ("Job", "Outcome", "Ended", "Why", "Deleted")

_UNTIL = {
    Reason.NOT_OWNED: "the garbage collector takes it",
    Reason.RUNNING: "it has finished",
    Reason.DELETING: "its finalizers are done",
    Reason.UNREADABLE: "it can be understood",
    Reason.PROTECTED: "the annotation or finalizer goes",
    Reason.LEAVING: "its GitRepo is gone",
    Reason.CURRENT: "there is a newer commit",
    Reason.UNSETTLED: "its GitRepo has settled and polls",
    Reason.ASLEEP: "its GitRepo polls again, or wake is set",
    Reason.NEWEST: "newer ones of its outcome end",
}
"""What ends a reason that no time ends."""

_WHY = {reason: f"<b>{reason.value}</b>, {text(reason.meaning)}" for reason in Reason}


def gitrepo_section(scene: Scene) -> str:
    """Make the list of GitRepos, with its form."""
    found = shown(scene)
    articles = "".join(_article(view, scene) for view in found.views)
    pages = _pages(found, scene.asked)
    return section(
        "gitrepos", "GitRepos", _form(scene.asked), _found(found, scene), pages, f'<div id="list">{articles}</div>', pages
    )


def _form(asked: Asked) -> str:
    boxes = "".join(
        f'<label><input type="checkbox" name="only" id="only-{key}" value="{key}"{" checked" if key in asked.only else ""}>'
        f" {label}</label>"
        for key, label in ONLY.items()
    )
    options = "".join(
        f'<option value="{key}"{" selected" if key == asked.sort else ""}>{label}</option>' for key, label in SORTS.items()
    )
    return (
        '<form method="get" action="?#gitrepos" role="search">'
        f'<label>Find <input type="search" name="text" id="text" value="{text(asked.text)}" placeholder="namespace/name"'
        ' autocomplete="off" spellcheck="false"></label>'
        f"<fieldset><legend>Only with</legend>{boxes}</fieldset>"
        f'<label>Sort by <select name="sort" id="sort">{options}</select></label>'
        '<button id="show">Show</button></form>'
    )


def _found(found: Shown, scene: Scene) -> str:
    total, asked = len(scene.snapshot.views), scene.asked
    if asked.text or asked.only:
        all_of_them = f' · <a href="{text(asked.query(text="", only=(), page=1))}#gitrepos">show all</a>'
        return f"<p>{number(found.matching)} of {count(total, 'GitRepo')} match{all_of_them}</p>"
    return f"<p>{count(total, 'GitRepo')}</p>" if total else "<p>None is known yet.</p>"


def _pages(found: Shown, asked: Asked) -> str:
    if found.pages == 1:
        return ""
    before = _page_link(asked, found.page - 1, "← before") if found.page > 1 else ""
    after = _page_link(asked, found.page + 1, "next →") if found.page < found.pages else ""
    return f'<nav class="pages" aria-label="Pages">{before} page {found.page} of {found.pages} {after}</nav>'


def _page_link(asked: Asked, page: int, label: str) -> str:
    return f'<a href="{text(asked.query(page=page), 10_000)}#gitrepos">{label}</a>'


def _article(view: View, scene: Scene) -> str:
    key = _key(view.owner)
    troubles = "".join(f'<p class="stuck">{_stuck(stuck)}</p>' for stuck in view.stuck)
    notes = "".join(f'<p class="fine">Note: {text(note)}</p>' for note in view.plan.notes)
    said = view.gitrepo.problem if view.gitrepo is not None else ""
    problem = f'<p class="stuck">! cannot be read: {text(said)}</p>' if said else ""
    return (
        f'<article id="a{key}"><details id="d{key}"><summary><h3>{name(_path(view.owner))}</h3>'
        f'<span class="chips">{"".join(_chips(view, scene))}</span></summary>'
        f"{_jobs(view, scene.now)}{_deleted(scene.past.deletions_of(view.owner), scene.now)}"
        f"{kept_errors(scene.past.kept.get(view.owner, ()), scene.now)}</details>"
        f"{problem}{troubles}{notes}</article>"
    )


def _path(owner: Owner) -> str:
    return f"{owner.namespace}/{owner.name}"


def _key(owner: Owner) -> str:
    """Make an id that stays, and into which no name can smuggle anything."""
    said = f"{owner.namespace}/{owner.name} {owner.uid}"
    return blake2s(said.encode(errors="surrogatepass"), digest_size=8).hexdigest()


def _stuck(stuck: Stuck) -> str:
    job = f" {name(stuck.job)}" if stuck.job else ""
    return f"! stuck, <b>{stuck.kind.value}</b>{job}: {told(stuck.text)}"


def _chips(view: View, scene: Scene) -> Iterator[str]:
    """Tell the GitRepo in a few words, those that matter most first; a count of none is left out."""
    running = sum(amount for (_, reason), amount in view.tally.items() if reason is Reason.RUNNING)
    deleted = len(scene.past.deletions_of(view.owner).jobs)
    told = (
        ("note", view.gitrepo is None, "gone"),
        ("bad", len(view.stuck), "! stuck"),
        ("bad", scene.errors.get(view.owner, 0), "! errors: {:,}"),
        ("bad", unreadable(view), "? {:,} unreadable"),
        ("failed", failed(view), "✕ {:,} failed"),
        ("running", running, "▶ {:,} running"),
        ("due", view.backlog, "↓ {:,} due"),
        ("note", kept(view), "{:,} kept"),
        ("note", deleted, "{:,} deleted"),
    )
    yield from (_chip(css, label.format(amount)) for css, amount, label in told if amount)
    if view.plan.next_due is not None:
        yield _chip("note", f"next due {distance(view.plan.next_due, scene.now)}")


def _chip(css: str, label: str) -> str:
    return f'<span class="chip {css}">{label}</span> '


def _jobs(view: View, now: Moment) -> str:
    verdicts = sorted(view.plan.verdicts, key=lambda v: (v.job.finished or inf, v.job.created), reverse=True)
    if not verdicts:
        return "<p>It has no Jobs.</p>"
    more = f'<p class="fine">and {count(len(verdicts) - JOBS, "more Job")}</p>' if len(verdicts) > JOBS else ""
    rows = (_job(verdict, now) for verdict in verdicts[:JOBS])
    return table("jobs", f"{count(len(verdicts), 'Job')}, newest first", _COLUMNS, rows) + more


def _job(verdict: Verdict, now: Moment) -> str:
    job = verdict.job
    act = '<span class="due">↓ delete</span>' if verdict.deletes else "keep"
    detail = f" <i>({text(verdict.detail)})</i>" if verdict.detail else ""
    why = f"{act}: {_WHY[verdict.reason]}{detail}"
    commit = f'<span class="commit">{text(job.commit[:12])}</span>' if job.commit else ""
    return row(f"{name(job.name)} {commit}", outcome(job), _ended(verdict, now), why, _until(verdict, now))


def _ended(verdict: Verdict, now: Moment) -> str:
    return "not yet" if verdict.job.finished is None else when(verdict.job.finished, now)


def _until(verdict: Verdict, now: Moment) -> str:
    if verdict.deletes:
        return "due" if verdict.since is None else f"due since {when(verdict.since, now)}"
    return _UNTIL.get(verdict.reason, "-") if verdict.until is None else when(verdict.until, now)


def _deleted(deletions: Deletions, now: Moment) -> str:
    if not deletions.jobs:
        return f'<p class="fine">None deleted; {since(deletions.since, now)}.</p>'
    rows = (_gone(deleted, now) for deleted in deletions.jobs)
    return table("gone", f"Deleted, {since(deletions.since, now)}", _GONE_COLUMNS, rows)


def _gone(deleted: Deleted, now: Moment) -> str:
    job = deleted.job
    return row(name(job.name), outcome(job), when(job.finished, now), _WHY[deleted.reason], when(deleted.at, now))
