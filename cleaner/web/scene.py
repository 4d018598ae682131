"""What one rendering of the page is made from, and which GitRepos it shows."""

from collections.abc import Callable, Mapping

import msgspec

from cleaner.model import Moment, Outcome, Owner
from cleaner.retention import Reason
from cleaner.snapshot import Snapshot, View, Vitals
from cleaner.web.asked import Asked
from cleaner.web.history import Past

PER_PAGE = 100
"""GitRepos on one page."""


class Scene(msgspec.Struct, frozen=True):
    """All that is known at one moment, and what of it is asked for. `errors` counts those of each GitRepo."""

    snapshot: Snapshot
    vitals: Vitals
    past: Past
    now: Moment
    asked: Asked
    errors: Mapping[Owner, int]


class Shown(msgspec.Struct, frozen=True):
    """One page of GitRepos: how many match in all, and where we are."""

    views: list[View]
    matching: int
    page: int
    pages: int


def failed(view: View) -> int:
    """How many of its Jobs have failed."""
    return sum(count for (outcome, _), count in view.tally.items() if outcome is Outcome.FAILED)


def unreadable(view: View) -> int:
    """How many of its Jobs cannot be judged."""
    return sum(count for (_, reason), count in view.tally.items() if reason is Reason.UNREADABLE)


def kept(view: View) -> int:
    """How many of its Jobs stay."""
    return sum(count for (_, reason), count in view.tally.items() if not reason.deletes)


def last_failure(view: View) -> Moment:
    """When the last of its failed Jobs ended; before all time without one."""
    if not failed(view):
        return float("-inf")
    return max((v.job.finished or 0.0 for v in view.plan.verdicts if v.job.outcome is Outcome.FAILED), default=float("-inf"))


def shown(scene: Scene) -> Shown:
    """Choose, order and cut to a page."""
    asked = scene.asked
    matching = [view for view in scene.snapshot.views.values() if _matches(view, scene)]
    matching.sort(key=lambda view: (view.owner.namespace, view.owner.name))
    if asked.sort != "name":
        matching.sort(key=_ORDERS[asked.sort](scene))
    pages = max(1, -(-len(matching) // PER_PAGE))
    page = min(asked.page, pages)
    return Shown(matching[(page - 1) * PER_PAGE : page * PER_PAGE], len(matching), page, pages)


def _matches(view: View, scene: Scene) -> bool:
    asked = scene.asked
    if asked.text and asked.text.lower() not in f"{view.owner.namespace}/{view.owner.name}".lower():
        return False
    return not asked.only or any(_HAS[key](view, scene) for key in asked.only)


_HAS: dict[str, Callable[[View, Scene], bool]] = {
    "failed": lambda view, _: failed(view) > 0,
    "stuck": lambda view, _: bool(view.stuck),
    "due": lambda view, _: view.backlog > 0,
    "errors": lambda view, scene: view.owner in scene.errors or unreadable(view) > 0,
}


def _by_deletion(scene: Scene) -> Callable[[View], Moment]:
    deletions = scene.past.deletions
    return lambda view: -deletions[view.owner].jobs[0].at if view.owner in deletions else float("inf")


_ORDERS: dict[str, Callable[[Scene], Callable[[View], Moment]]] = {
    "kept": lambda _: lambda view: -kept(view),
    "due": lambda _: lambda view: float("inf") if view.oldest_due is None else view.oldest_due,
    "failure": lambda _: lambda view: -last_failure(view),
    "deletion": _by_deletion,
}
