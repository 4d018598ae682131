"""What must hold of every plan, whatever the world."""

import random
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from cleaner.retention import Plan
from tests.core import reading
from tests.core.strategies import World, annotated, worlds
from tests.core.worlds import AT, DAY, HOUR, RECREATES, Raw, gitrepo, judge, reasons, stamp

usual = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
FAR = [AT + after for after in (1, 30, 299, 300, 600, HOUR, DAY, 4 * DAY, 31 * DAY, 100 * DAY, 3650 * DAY)]


def _plan(world: World, at: float = AT) -> Plan:
    return judge(world.jobs, world.gitrepo, world.namespace, world.settings, world.version, at)


def _doomed(world: World, at: float = AT) -> set[str]:
    return {verdict.job.name for verdict in _plan(world, at).doomed}


@settings(usual, max_examples=150)
@given(worlds())
def test_every_job_has_exactly_one_verdict(world: World) -> None:
    verdicts = _plan(world).verdicts

    assert [job["metadata"]["name"] for job in world.jobs] == [verdict.job.name for verdict in verdicts]


@settings(usual, max_examples=250)
@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_the_jobs_is_irrelevant(world: World, shuffling: random.Random) -> None:
    jobs = list(world.jobs)
    shuffling.shuffle(jobs)
    first, second = _plan(world), _plan(world._replace(jobs=jobs))

    assert reasons(first) == reasons(second)
    assert (first.next_due, first.notes) == (second.next_due, second.notes)


@settings(usual, max_examples=300)
@given(worlds())
def test_once_the_doomed_are_gone_nothing_more_is_doomed(world: World) -> None:
    """A sweep never has to be repeated: newest-N counts the doomed out by itself."""
    doomed = _doomed(world)
    left = [job for job in world.jobs if job["metadata"]["name"] not in doomed]
    assume(left)

    assert set() == _doomed(world._replace(jobs=left))


@settings(usual, max_examples=300)
@given(worlds())
def test_until_the_next_due_moment_nothing_kept_is_doomed_and_then_something_is(world: World) -> None:
    plan = _plan(world)
    due, doomed = plan.next_due, {verdict.job.name for verdict in plan.doomed}
    before = [at for at in FAR if due is None or at < due] + ([] if due is None else [(AT + due) / 2, due - 0.001])

    assert [set()] * len(before) == [_doomed(world, at) - doomed for at in before]
    assert due is None or _doomed(world, due) - doomed


@settings(usual, max_examples=250)
@given(worlds())
def test_each_until_is_the_end_of_its_reason(world: World) -> None:
    """The reason holds up to then, and not at that moment."""
    for verdict in _plan(world).verdicts:
        if verdict.until is not None:
            name, until = verdict.job.name, verdict.until
            then = {one.job.name: (one.reason, one.until) for one in _plan(world, until).verdicts}

            assert until > AT
            assert (verdict.reason, until) != then[name]


@settings(usual, max_examples=250)
@given(worlds(), st.sampled_from([None, (0, 9, 18), (0, 10, 2), (0, 10, 3)]), st.sampled_from(FAR))
def test_nothing_lets_a_current_job_go_where_fleet_makes_it_again(world: World, version: Any, at: float) -> None:
    of = world.gitrepo
    assume(of is not None)
    current = {job["metadata"]["name"] for job in world.jobs if of and reading.is_current(job, of)}
    bold = {**world.settings, "current": "all", "wake": True}

    assert set() == current & _doomed(world._replace(settings=bold, version=version), at)


@settings(usual, max_examples=300)
@given(worlds(), st.sampled_from([AT, *FAR]))
def test_running_deleting_and_protected_jobs_are_never_doomed(world: World, at: float) -> None:
    untouchable = {
        job["metadata"]["name"]
        for job in world.jobs
        if not reading.terminal(job) or job["metadata"].get("deletionTimestamp") or reading.ours(job).get("protect") == "true"
    }

    assert set() == untouchable & _doomed(world, at)


def _of_jobs(world: World, change: dict[str, str]) -> World:
    return world._replace(jobs=[annotated(job, change) for job in world.jobs])


def _more(world: World, **change: Any) -> World:
    metadata: list[Raw] = [{**job, "metadata": {**job["metadata"], **change}} for job in world.jobs]
    return world._replace(jobs=metadata)


def _first(world: World, change: Callable[[World], World]) -> World:
    """Change the first Job only: what it frees or takes must not cost another one its place."""
    changed = change(world._replace(jobs=world.jobs[:1])).jobs
    return world._replace(jobs=[*changed, *world.jobs[1:]])


def _running(world: World) -> World:
    return world._replace(jobs=[{**job, "status": {"active": 1}} for job in world.jobs])


KEEPING: dict[str, Callable[[World], World]] = {
    "running": _running,
    "one is running": lambda world: _first(world, _running),
    "one is deleting": lambda world: _first(world, lambda one: _more(one, deletionTimestamp=stamp(1))),
    "one is protected": lambda world: _first(world, lambda one: _of_jobs(one, {"protect": "true"})),
    "protected": lambda world: _of_jobs(world, {"protect": "true"}),
    "protected for an hour": lambda world: _of_jobs(world, {"protect": stamp(-HOUR)}),
    "protected by the namespace": lambda world: world._replace(namespace=annotated(world.namespace, {"pause": "true"})),
    "unreadable annotation": lambda world: _of_jobs(world, {"protect": "so it seems"}),
    "unreadable namespace": lambda world: world._replace(namespace=annotated(world.namespace, {"age": "72h"})),
    "deleting": lambda world: _more(world, deletionTimestamp=stamp(1)),
    "finalizers": lambda world: _more(world, finalizers=["a/b"]),
    "gone gitrepo": lambda world: world._replace(gitrepo=None),
    "another gitrepo": lambda world: world._replace(gitrepo=gitrepo(uid="made-anew")),
    "older fleet": lambda world: world._replace(version=RECREATES),
    "unknown fleet": lambda world: world._replace(version=None),
    "asleep is left alone": lambda world: world._replace(settings={**world.settings, "wake": False}),
    "current is kept": lambda world: world._replace(settings={**world.settings, "current": "keep"}),
    "longer settle": lambda world: world._replace(settings={**world.settings, "settle": 7200.0}),
    "greater keeps": lambda world: world._replace(settings={**world.settings, "failed_keep": 9, "succeeded_keep": 9}),
    "greater ages": lambda world: world._replace(settings={**world.settings, "failed_age": 9e8, "succeeded_age": 9e8}),
}


@settings(usual, max_examples=700)
@given(worlds(), st.sampled_from(sorted(KEEPING)), st.sampled_from([AT, *FAR]))
def test_keeping_wins(world: World, circumstance: str, at: float) -> None:
    """Whatever speaks for keeping, on top of what there is, dooms no Job that was kept without it."""
    safer = KEEPING[circumstance](world)

    assert _doomed(safer, at) <= _doomed(world, at)


@settings(usual, max_examples=300)
@given(worlds(), st.sampled_from(["failed-age", "succeeded-age", "failed-keep", "succeeded-keep"]), st.integers(0, 9))
def test_by_default_an_annotation_can_only_keep_more(world: World, name: str, count: int) -> None:
    """Who may annotate a GitRepo must not be able to delete through us."""
    bare = {key: value for key, value in world.settings.items() if not key.startswith("annotated_")}
    calm = world._replace(
        gitrepo=gitrepo(), settings=bare, jobs=[{**job, "metadata": _bare(job["metadata"])} for job in world.jobs]
    )
    wish = {name: f"{count}h" if name.endswith("age") else str(count)}

    assert _doomed(calm._replace(gitrepo=gitrepo(wish))) <= _doomed(calm)
    assert _doomed(_of_jobs(calm, wish)) <= _doomed(calm)


@settings(usual, max_examples=250)
@given(worlds(), st.integers(0, 200), st.integers(0, 5))
def test_a_wish_for_more_than_the_operator_has_never_brings_less(world: World, hours: int, more: int) -> None:
    """Not even where the greatest value that may be wished for is below the operator's own."""
    calm = world._replace(gitrepo=gitrepo(), jobs=[{**job, "metadata": _bare(job["metadata"])} for job in world.jobs])
    age, keep = world.settings.get("failed_age", 72.0 * HOUR), world.settings.get("failed_keep", 1)
    wish = {"failed-age": f"{int(age) + hours * HOUR}s", "failed-keep": str(keep + more)}

    assert _doomed(calm._replace(gitrepo=gitrepo(wish))) <= _doomed(calm)


def _bare(metadata: Raw) -> Raw:
    kept = {name: text for name, text in metadata["annotations"].items() if not name.startswith("gitjob-cleaner/")}
    return {**metadata, "annotations": kept}


def test_an_empty_gitrepo_has_an_empty_plan() -> None:
    plan = judge([], gitrepo())

    assert plan.next_due is None
    assert (plan.verdicts, plan.doomed, plan.notes) == ([], [], ())
