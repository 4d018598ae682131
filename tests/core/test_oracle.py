"""The planner and a second statement of the same rules agree on every Job of random worlds."""

from collections import Counter

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.core import oracle
from tests.core.strategies import World, worlds
from tests.core.worlds import AT, FIXED, HOUR, NOW, RECREATES, current_job, gitrepo, job, judge, namespace, reasons, stamp


def _by_oracle(world: World) -> dict[str, str]:
    return {
        one["metadata"]["name"]: oracle.verdict(
            one, world.gitrepo, world.jobs, world.namespace, world.settings, world.version, NOW
        )
        for one in world.jobs
    }


@settings(max_examples=2200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds())
@example(World([job(ago=72 * HOUR)], gitrepo(), namespace(), {"failed_keep": 0}, FIXED))
@example(World([current_job(ago=72 * HOUR)], gitrepo(), namespace(), {"current": "all"}, FIXED))
@example(World([job()], gitrepo(status_lastPollingTriggered=stamp(46)), namespace(), {"failed_keep": 0}, RECREATES))
def test_planner_and_oracle_give_the_same_reason_for_every_job(world: World) -> None:
    planned = judge(world.jobs, world.gitrepo, world.namespace, world.settings, world.version, AT)

    assert _by_oracle(world) == reasons(planned)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds())
def test_what_the_oracle_dooms_is_what_the_planner_dooms(world: World) -> None:
    planned = judge(world.jobs, world.gitrepo, world.namespace, world.settings, world.version, AT)
    doomed = oracle.doomed(world.gitrepo, world.jobs, world.namespace, world.settings, world.version, NOW)

    assert sorted(doomed) == sorted(verdict.job.name for verdict in planned.doomed)


def test_random_worlds_reach_every_reason() -> None:
    """Agreement means something only where each reason comes up."""
    seen: Counter[str] = Counter()

    @settings(max_examples=600, deadline=None, database=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
    @given(worlds(), st.just(None))
    def collect(world: World, _: None) -> None:
        seen.update(_by_oracle(world).values())

    collect()

    assert {reason for reason, _ in oracle.TABLE} == set(seen)
