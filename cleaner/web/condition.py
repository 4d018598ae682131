"""Whether all is well, and if not, what is not: the first line that somebody reads who was woken up."""

from collections.abc import Iterator

import msgspec

from cleaner.durations import Seconds
from cleaner.web.markup import count, distance, name, span, stamp, text
from cleaner.web.scene import Scene
from cleaner.web.troubles import Trouble

OVERDUE: Seconds = 900.0
"""How long a Job may be due before it is no longer just the next to go."""

SILENT: Seconds = 180.0
"""How long a watch may give no sign of life: the API sends one every minute."""

RECENT: Seconds = 3600.0
"""How long an error counts as news."""

CANARY: Seconds = 86400.0
"""How long current Jobs stay after one has come back."""


class Remark(msgspec.Struct, frozen=True):
    """
    One thing to know, as HTML.

    `level` is `bad` where somebody should look, `held` where deletions rest because somebody wants it so, else `note`.
    """

    level: str
    html: str


class Condition(msgspec.Struct, frozen=True):
    """The headline, without markup, its level (`bad`, `held` or `well`), and all remarks, the worst first."""

    level: str
    headline: str
    remarks: list[Remark]


def condition(scene: Scene) -> Condition:
    """Tell how things are."""
    remarks = [*_process(scene), *_deletions(scene), *_sight(scene), *_troubles(scene)]
    bad, held = ([remark for remark in remarks if remark.level == level] for level in ("bad", "held"))
    notes = [remark for remark in remarks if remark.level == "note"]
    if bad:
        return Condition("bad", f"{count(len(bad), 'thing needs', 'things need')} a look", [*bad, *held, *notes])
    if held:
        return Condition("held", _HEADLINES[_held(scene)], [*held, *notes])
    return Condition("well", "All is well", notes)


_HEADLINES = {
    "starting": "Starting: nothing has been read yet",
    "paused": "Paused: nothing is deleted",
    "standby": "Standing by: another one leads",
}


def _held(scene: Scene) -> str:
    if scene.vitals.paused:
        return "paused"
    return "starting" if scene.snapshot.swept is None else "standby"


def _process(scene: Scene) -> Iterator[Remark]:
    vitals, snapshot = scene.vitals, scene.snapshot
    yield from (Remark("bad", f"This process is ailing: {text(sign)}.") for sign in vitals.ailing)
    if vitals.paused:
        yield Remark("held", "<code>gitjob-cleaner/pause</code> is set on the cleaner's Namespace or Lease: nothing is deleted.")
    if snapshot.swept is None:
        yield Remark("held", "No sweep has read the cluster yet.")
    if vitals.leading is False and vitals.holder:
        yield Remark("held", f"{name(vitals.holder)} leads; this process only looks.")
    elif vitals.leading is False:
        yield Remark("bad", "Nobody is known to lead: nothing is deleted.")


def _deletions(scene: Scene) -> Iterator[Remark]:
    snapshot, vitals = scene.snapshot, scene.vitals
    if snapshot.brake is not None and not (snapshot.brake.brake == "pause" and vitals.paused):
        yield Remark("bad", f"A brake holds: <b>{text(snapshot.brake.brake)}</b>: {text(snapshot.brake.text)}.")
    due = snapshot.oldest_due
    acts = vitals.leading is not False and not vitals.paused and not vitals.dry_run
    if acts and due is not None and scene.now - due > OVERDUE:
        link = '<a href="?only=due&amp;sort=due#gitrepos">'
        yield Remark("bad", f"{link}{count(snapshot.backlog, 'Job')} overdue</a>: the oldest for {span(scene.now - due)}.")
    if vitals.throttled:
        yield Remark("note", "Deletions go slower than allowed: the API asks for patience.")


def _sight(scene: Scene) -> Iterator[Remark]:
    """What we cannot see."""
    snapshot, now = scene.snapshot, scene.now
    for (kind, namespace), sign in sorted(scene.vitals.signs.items()):
        if now - sign > SILENT:
            where = f"{text(kind)} in {name(namespace)}" if namespace else text(kind)
            yield Remark("bad", f"The watch on {where} is silent: its last sign of life came {distance(sign, now)}.")
    if snapshot.refused:
        everywhere = any(not refused.namespace for refused in snapshot.refused)
        what = "The whole cluster is refused" if everywhere else f"{count(len(snapshot.refused), 'Namespace')} refused"
        yield Remark("bad", f'<a href="#refused">{what}</a>: nothing is judged or deleted there.')
    last = scene.past.sweeps[0] if scene.past.sweeps else None
    if last is not None and last.outcome not in ("done", "braked", "stopped"):
        yield Remark("bad", f'<a href="#sweeps">The last sweep</a> ended <b>{text(last.outcome)}</b>{_why(last.detail)}.')


def _why(detail: str) -> str:
    return f": {text(detail)}" if detail else ""


def _troubles(scene: Scene) -> Iterator[Remark]:
    now, errors = scene.now, scene.past.errors
    canaries = [trouble for trouble in errors if trouble.kind == "canary" and now - trouble.last < CANARY]
    for trouble in canaries[:3]:
        until = stamp(trouble.last + CANARY)
        yield Remark("bad", f"The canary: {name(trouble.where)} came back; current Jobs of its GitRepo stay until {until}.")
    told = ("canary", "refused", "brake")
    recent = [trouble for trouble in errors if trouble.grave and trouble.kind not in told and now - trouble.last < RECENT]
    if recent:
        yield Remark(
            "bad",
            f'<a href="#errors">{count(len(recent), "error")} in the last hour</a>, the last: {_shortly(recent[0], scene)}.',
        )
    stuck = sum(bool(view.stuck) for view in scene.snapshot.views.values())
    if stuck:
        link = f'<a href="?only=stuck#gitrepos">{count(stuck, "GitRepo is", "GitRepos are")} stuck</a>'
        yield Remark("note", f"{link}, and only somebody can help; what helps is said there.")
    if scene.snapshot.unreadable:
        yield Remark("note", f'<a href="#unreadable">{count(len(scene.snapshot.unreadable), "object")}</a> cannot be read.')


def _shortly(last: Trouble, scene: Scene) -> str:
    return f"{text(last.kind)}, {name(last.where)}, {distance(last.last, scene.now)}"
