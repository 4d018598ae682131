"""The lists below the GitRepos: reasons, sweeps, errors, and what cannot be seen or read."""

from collections import Counter
from collections.abc import Iterable

from cleaner.happened import NamespaceRefused, Swept, Unreadable
from cleaner.model import Moment
from cleaner.retention import Reason
from cleaner.web.markup import count, name, number, row, section, since, span, stamp, table, text, when
from cleaner.web.scene import Scene
from cleaner.web.troubles import Trouble

LISTED = 200
"""Refused Namespaces, and objects that cannot be read, that are listed."""


def reasons(scene: Scene) -> str:
    """Why all Jobs that there are stay or go."""
    amounts: Counter[Reason] = Counter()
    for (_, reason), amount in scene.snapshot.tally.items():
        amounts[reason] += amount
    rows = [
        row(reason.value, number(amounts[reason]), text(reason.meaning), "delete" if reason.deletes else "keep")
        for reason in Reason
        if amounts[reason]
    ]
    others = []
    if scene.snapshot.foreign:
        others.append(f"{count(scene.snapshot.foreign, 'Job')} of no GitRepo")
    if scene.snapshot.left_out:
        others.append(f"{count(scene.snapshot.left_out, 'Job')} out of scope")
    if scene.snapshot.pods:
        others.append(f"{count(sum(scene.snapshot.pods.values()), 'Pod')} that Jobs left behind")
    fine = f'<p class="fine">Beside these: {", ".join(others)}.</p>' if others else ""
    body = table("reasons", "All Jobs by their verdict", ("Reason", "Jobs", "Meaning", "Verdict"), rows)
    return section("reasons", "Why Jobs are kept", body if rows else "<p>There are no Jobs.</p>", fine)


def sweeps(scene: Scene) -> str:
    """The last sweeps, and the passes that changes began."""
    past, now = scene.past, scene.now
    full = _sweeps("Last sweeps", past.sweeps, past.sweeps_since, now)
    short = _sweeps("Last passes after changes", past.passes, past.passes_since, now)
    return section(
        "sweeps",
        "Sweeps",
        f'<details id="full" open><summary>{_newest(past.sweeps, now)}</summary>{full}</details>',
        f'<details id="short"><summary>{count(len(past.passes), "pass", "passes")} after changes</summary>{short}</details>',
    )


def _newest(swept: tuple[Swept, ...], now: Moment) -> str:
    return f"{count(len(swept), 'sweep')}, the last {when(swept[0].started + swept[0].seconds, now)}" if swept else "No sweep yet"


def _sweeps(title: str, swept: Iterable[Swept], complete: Moment, now: Moment) -> str:
    columns = ("Began", "By", "Outcome", "Took", "GitRepos", "Jobs", "What became of them")
    return table("sweeps", f"{title}, {since(complete, now)}", columns, (_sweep(each, now) for each in swept))


def _sweep(swept: Swept, now: Moment) -> str:
    became = [f"{number(amount)} {text(fate)}" for fate, amount in swept.fates]
    became += [f"{number(amount)} Pods {text(fate)}" for fate, amount in swept.pods]
    fates = ", ".join(became) or "nothing to do"
    left = f", {number(swept.backlog)} left" if swept.backlog else ""
    detail = f" <i>({text(swept.detail)})</i>" if swept.detail else ""
    good = swept.outcome in ("done", "stopped")
    outcome = f'<span class="{"succeeded" if good else "failed"}">{"✓" if good else "!"} {text(swept.outcome)}</span>{detail}'
    took = span(swept.seconds) if swept.seconds >= 1 else f"{swept.seconds * 1000:.0f}ms"
    jobs, gitrepos = number(swept.jobs), number(swept.gitrepos)
    return row(f"{when(swept.started, now)}", text(swept.trigger), outcome, took, gitrepos, jobs, fates + left)


def errors(scene: Scene) -> str:
    """The last errors, those that repeat once."""
    past, now = scene.past, scene.now
    complete = since(past.errors_since, now)
    if not past.errors:
        return section("errors", "Errors", f"<p>None; {complete}.</p>")
    columns = ("Last", "What", "Where", "Text", "Times")
    return section(
        "errors", "Errors", table("errors", f"Last errors, {complete}", columns, (_error(e, now) for e in past.errors))
    )


def _error(trouble: Trouble, now: Moment) -> str:
    mark = "!" if trouble.grave else "·"
    kind = f'<span class="{"failed" if trouble.grave else "note"}">{mark} {text(trouble.kind)}</span>'
    times = number(trouble.count) + (f" since <time>{stamp(trouble.first)}</time>" if trouble.count > 1 else "")
    return row(when(trouble.last, now), kind, name(trouble.where), text(trouble.text), times)


def refused(scene: Scene) -> str:
    """Where nothing is judged."""
    found = scene.snapshot.refused
    as_of = f"as of {when(scene.snapshot.swept, scene.now)}"
    if not found:
        return section("refused", "Refused Namespaces", f"<p>None, {as_of}.</p>")
    rows = [_refused(each) for each in found[:LISTED]]
    caption = f"{number(len(found))} refused, {as_of}{_only(len(found))}"
    return section("refused", "Refused Namespaces", table("refused", caption, ("Namespace", "What", "Why"), rows))


def _refused(refused: NamespaceRefused) -> str:
    where = name(refused.namespace) if refused.namespace else "the whole cluster"
    denied = "<b>a right is missing:</b> " if refused.denied else ""
    return row(where, text(refused.what), denied + text(refused.problem))


def unreadable(scene: Scene) -> str:
    """What could not even be named properly."""
    found = scene.snapshot.unreadable
    as_of = f"as of {when(scene.snapshot.swept, scene.now)}"
    if not found:
        return section("unreadable", "Unreadable objects", f"<p>None, {as_of}.</p>")
    caption = f"{number(len(found))} unreadable, {as_of}{_only(len(found))}"
    rows = [_unreadable(each) for each in found[:LISTED]]
    return section("unreadable", "Unreadable objects", table("odd", caption, ("Object", "Kind", "Problem"), rows))


def _unreadable(bad: Unreadable) -> str:
    return row(name(f"{bad.namespace}/{bad.name}"), text(bad.kind), text(bad.problem))


def _only(amount: int) -> str:
    return f"; the first {LISTED} of them" if amount > LISTED else ""
