"""`run` beside every Fleet changes nothing that Fleet does or tells: the same runs, the same ends, the same conditions."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cleaner.demo.cast import Temper
from cleaner.demo.family import FAMILIES, V0_10_2, Family
from cleaner.demo.stand_in import Pace
from tests.edge.stand_in_world import NAMESPACE, commit_of, ended_as
from tests.modes.beside import Group, Twins, twins
from tests.modes.serving import Running

CAST = tuple(Temper(NAMESPACE, f"app-{number:02}", failing=(0.0, 0.5, 1.0)[number % 3]) for number in range(12))
FAILING = CAST[2::3]
PACE = Pace(commit_every=1e9, run_seconds=(1.0, 1.0), poll=1.0, overlooked=2, past=11)
"""Half of the successes are overlooked; of each GitRepo's eleven commits before the upgrade, ten are old."""
ROUNDS = 4
AGES = ("--settle=2s", "--succeeded-age=5s", "--failed-age=5s", "--failed-keep=0")
FLAGS = (*AGES, "--interval=10s", "--delete-rate=0")
CURRENT = {V0_10_2: "all"}
"""What may happen to current Jobs: elsewhere those that succeeded may go. Here all, which must come to nothing."""


def block(both: Twins) -> None:
    """Ask for Force Updates that later versions do not run as long as the Job from before the upgrade is there."""
    for temper in FAILING:
        both.force(temper.name, 1)
    both.pass_time(3)


def feed(both: Twins, number: int) -> None:
    """
    Something for each GitRepo: first a commit for all, then commits, Force Updates, other repositories in turn.

    A commit and a Force Update in one breath are for those that always fail. Where an overlooked success still has its Job,
    later versions delete that and wait, and by then they know the new commit; where the policy has let it go, they run the old
    commit at once, as they do after every success that they have noticed.
    """
    for place, temper in enumerate(CAST):
        what = (place + number) % 5 if number else 0
        if what in (0, 1) or (what == 2 and temper in FAILING):
            both.push(temper.name, number)
        if what in (2, 3):
            both.force(temper.name, number + 1)
        if what == 4:
            both.move(temper.name, number)
    both.rest()


def doomed(group: Group, family: Family) -> list[str]:
    """Jobs of old commits, and those that succeeded, which a Fleet that makes no missing Job again can spare."""
    commits = {repo["metadata"]["name"]: repo["status"]["commit"] for repo in group.gitrepos()}
    return [
        job["metadata"]["name"]
        for job in group.all_jobs()
        if commit_of(job) != commits[job["metadata"]["ownerReferences"][0]["name"]]
        or (family is not V0_10_2 and ended_as(job) == "Complete")
    ]


def tempt(both: Twins, service: Running) -> None:
    """Let all that is left grow old enough to go, and sweeps of everything see it twice: there it would have to be spared."""
    both.pass_time(6)
    before = len(sweeps(service))
    both.live(lambda: len(sweeps(service)) >= before + 2)


def sweeps(service: Running) -> list[dict[str, Any]]:
    """Those of everything, so far."""
    return [line for line in service.logged("swept") if line["trigger"] == "interval"]


def deletions_beside(family: Family, folder: Path) -> int:
    """How many Jobs `run` deleted beside this Fleet, which did and told the same as the one that had been left alone."""
    flags = ("--current", CURRENT.get(family, "succeeded"), *FLAGS)
    with twins(family, CAST, PACE) as both, Running(both.treated.kubeconfig(folder), *flags) as service:
        service.ready()
        block(both)
        for number in range(ROUNDS):
            feed(both, number)
        both.live(lambda: not doomed(both.treated, family), lambda: doomed(both.treated, family))
        tempt(both, service)
        assert service.terminate() == 0
        both.touch()  # a last look by both Fleets, which would forget an error whose Job is gone
        both.pass_time(3)
        treated, control = both
        living = {job["metadata"]["uid"] for job in treated.all_jobs()}

        assert treated.ran() == control.ran()
        assert treated.told() == control.told()
        assert treated.left_behind() <= control.left_behind()
    deleted = {line["uid"] for line in service.logged("deleted")}
    assert deleted.isdisjoint(living)
    return len(deleted)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_cleaner_changes_nothing_that_any_fleet_does_or_tells(tmp_path: Path) -> None:
    """Each held against the same Fleet without it: every run, and how often, and what each GitRepo says in the end."""
    with ThreadPoolExecutor(len(FAMILIES)) as pool:
        folders = {family: tmp_path / family.version for family in FAMILIES}
        for folder in folders.values():
            folder.mkdir()
        plays = {family.version: pool.submit(deletions_beside, family, folder) for family, folder in folders.items()}
    errors = {version: error for version, play in plays.items() if (error := play.exception())}
    if errors:
        raise BaseExceptionGroup(f"not the same: {', '.join(errors)}", list(errors.values()))
    assert {version: play.result() for version, play in plays.items() if play.result() < 100} == {}
