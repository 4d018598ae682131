"""`retry` against each version of Fleet that the stand-in plays, in real time."""

import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from cleaner.demo.cast import Temper
from cleaner.demo.family import FAMILIES, V0_10_2, V0_10_4, V0_12_4, V0_14_10, V0_16_1, Family
from tests.edge.stand_in_world import FAULT, FORCE, NAMESPACE, Object, commit_of, ended_as, of, stalled
from tests.modes.live import PACE, Live, failing, live
from tests.modes.running import Said, command, environment, run
from tests.modes.terminal import on_a_terminal

PACE_AS_SEEN = replace(PACE, pause=5.0)
SHOP = f"{NAMESPACE}/shop"
LABELLED = (V0_10_4, V0_12_4, V0_14_10, V0_16_1)

Start = Callable[..., Live]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a world with this version of Fleet, by default with one GitRepo whose every run fails."""
    with ExitStack() as stack:
        yield lambda family, *more, **named: stack.enter_context(live(tmp_path, family, *more, **named))


def failed(start: Start, family: Family) -> Live:
    """A world in which `shop` has failed."""
    world = start(family)
    world.until_failed()
    return world


def healthy(world: Live, name: str = "shop") -> bool:
    return world.told(name) == "Current" and stalled(world.gitrepo(name))["status"] == "False" and world.settled(name)


def refused(said: Said) -> str:
    """The one line of a refusal."""
    assert (said.code, len(said.err.splitlines())) == (2, 1), said
    return said.err


def wishes(world: Live) -> tuple[Object, Object]:
    """What nobody but a user may change."""
    gitrepo = world.gitrepo()
    return gitrepo["spec"], gitrepo["metadata"].get("annotations", {})


@of(*FAMILIES)
def test_a_gitrepo_whose_repository_was_mended_becomes_healthy(start: Start, family: Family) -> None:
    world = failed(start, family)
    [job] = world.made()
    world.mend()

    said = world.retry(SHOP, "--wait")

    assert said.code == 0, said
    assert FAULT in said.out.splitlines()[1]
    assert f"{SHOP}: Force Update 1 asked for" in said.out
    assert f"{SHOP}: succeeded: Job {job['metadata']['name']} of commit {commit_of(job)[:12]}" in said.out.splitlines()[-1]
    world.until(lambda: healthy(world))
    assert len(world.made()) == 2
    assert world.gitrepo()["spec"]["forceSyncGeneration"] == 1
    assert "annotations" not in world.gitrepo()["metadata"] or "nudged" not in str(world.gitrepo()["metadata"]["annotations"])


@pytest.mark.parametrize("pending", [False, True], ids=["nothing pending", "a Force Update pending"])
@of(*LABELLED)
def test_a_gitrepo_that_a_legacy_job_blocks_runs_exactly_once(start: Start, family: Family, *, pending: bool) -> None:
    world = failed(start, V0_10_2)
    world.fleet.upgrade(family)
    if pending:
        world.change({"spec": {"forceSyncGeneration": 1}})
        world.until(lambda: world.gitrepo()["metadata"]["generation"] == world.gitrepo()["status"]["observedGeneration"])
        assert not world.settled()
    world.mend()

    said = world.retry(SHOP, "--wait")

    assert said.code == 0, said
    assert "labels" in said.out
    assert ("is pending already; Fleet was nudged" in said.out) is pending
    world.until(lambda: healthy(world))
    before, after = world.made()
    assert before["metadata"]["name"] == after["metadata"]["name"]
    assert after["metadata"]["labels"][FORCE] == "1"
    assert world.gitrepo()["spec"]["forceSyncGeneration"] == 1


@of(V0_10_2, V0_10_4, V0_16_1)
def test_one_that_fails_again_shows_the_new_error(start: Start, family: Family) -> None:
    world = failed(start, family)

    said = world.retry(SHOP, "--wait")

    assert said.code == 1, said
    assert f"{SHOP}: failed again: Job " in said.out.splitlines()[-1]
    assert said.out.splitlines()[-1].endswith(FAULT)
    assert len(world.made()) == 2


@of(V0_10_2, V0_16_1)
def test_where_nothing_has_failed_nothing_is_done(start: Start, family: Family) -> None:
    world = start(family, (Temper(NAMESPACE, "shop", failing=0.0),))
    world.until(lambda: healthy(world) and world.made() and not world.runs())
    before = wishes(world)

    line = refused(world.retry(SHOP))

    assert "nothing has failed" in line
    assert wishes(world) == before
    assert len(world.made()) == 1


def test_a_job_that_runs_is_left_to_it(start: Start) -> None:
    world = start(V0_16_1, failing("shop", slowness=1000.0))
    world.until(world.jobs)
    world.until(world.runs)
    before = wishes(world)

    assert "is running" in refused(world.retry(SHOP))
    assert wishes(world) == before


@of(V0_14_10, V0_16_1)
def test_a_gitrepo_whose_failed_job_is_gone_runs_again(start: Start, family: Family) -> None:
    world = failed(start, family)
    world.delete_jobs()
    world.mend()

    said = world.retry(SHOP, "--wait")

    assert said.code == 0, said
    assert "its Job is gone" in said.out.splitlines()[1]
    assert FAULT in said.out.splitlines()[1]
    assert len(world.made()) == 2


def touch(world: Live, name: str = "shop") -> None:
    """Make Fleet look: without polling, 0.10.4 has nothing else that would tell it that a Job has ended."""
    world.change({"metadata": {"annotations": {"example.com/touched": "once"}}}, name)


def unpolled(start: Start, family: Family) -> tuple[Live, str]:
    """A GitRepo with `disablePolling` that has failed, and a commit upstream that nobody has noticed."""
    world = failed(start, family)
    world.change({"spec": {"disablePolling": True}})  # a change of the spec runs it once more
    world.until(lambda: len(world.made()) == 2 and not world.runs())
    touch(world)
    world.until_failed()
    commit = world.fleet.upstream.push(world.gitrepo())
    world.mend()
    return world, commit


@of(*FAMILIES)
def test_without_polling_the_newest_commit_runs_and_only_with_consent(start: Start, family: Family) -> None:
    world, commit = unpolled(start, family)
    before, made = wishes(world), len(world.made())

    line = refused(world.retry(SHOP, "--wait"))
    assert "--yes" in line
    assert (wishes(world), len(world.made())) == (before, made)

    said = world.retry(SHOP, "--wait", "--yes")

    assert said.code == 0, said
    assert "newest commit" in said.out
    assert f"of commit {commit[:12]}, another than the one that had failed" in said.out.splitlines()[-1]
    assert commit_of(world.made()[-1]) == commit
    world.until(lambda: world.gitrepo()["status"]["commit"] == commit)


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 2)])
def test_on_a_terminal_the_answer_is_the_consent(start: Start, answer: str, code: int) -> None:
    world, _ = unpolled(start, V0_16_1)
    made = len(world.made())

    ended, shown = on_a_terminal(world.kubeconfig, answer, "retry", SHOP, "--wait")

    assert (ended, "Run the newest commit of" in shown) == (code, True)
    assert len(world.made()) == made + (not code)


def test_on_a_terminal_one_that_is_polled_needs_no_question(start: Start) -> None:
    world = failed(start, V0_16_1)

    ended, shown = on_a_terminal(world.kubeconfig, "n\n", "retry", SHOP)

    assert (ended, "[y/N]" in shown) == (0, False)
    world.until(lambda: len(world.made()) == 2)


@of(V0_10_2, V0_10_4)
def test_a_nudge_wakes_polling_that_has_died(start: Start, family: Family) -> None:
    world = start(family, (Temper(NAMESPACE, "shop", failing=0.0),))
    world.until(lambda: healthy(world) and world.made() and not world.runs())
    world.fleet.lose_timers()
    commit = world.fleet.upstream.push(world.gitrepo())
    spec = world.gitrepo()["spec"]

    said = world.retry(SHOP, "--nudge")

    assert said.code == 0, said
    assert "nudged" in said.out
    world.until(lambda: world.gitrepo()["status"]["commit"] == commit)
    assert world.gitrepo()["spec"] == spec


def test_a_nudge_could_deploy_what_is_not_polled(start: Start) -> None:
    world, _ = unpolled(start, V0_16_1)
    before = wishes(world)

    assert "disablePolling" in refused(world.retry(SHOP, "--nudge", "--yes"))
    assert wishes(world) == before


SEVERAL = (*failing("a", "b", "c", "manual"), Temper(NAMESPACE, "well", failing=0.0))


def several(start: Start, family: Family = V0_16_1) -> Live:
    """Four GitRepos that have failed, one of them not polled, and one that has not."""
    world = start(family, SEVERAL)
    world.until_failed("a", "b", "c", "manual")
    world.change({"spec": {"disablePolling": True}}, "manual")
    world.until(lambda: len(world.made("manual")) == 2 and not world.runs("manual"))
    touch(world, "manual")
    world.until_failed("manual")
    world.until(lambda: healthy(world, "well"))
    return world


def counts(world: Live) -> dict[str, int]:
    return {name: len(world.made(name)) for name in ("a", "b", "c", "manual", "well")}


@of(V0_10_4, V0_16_1)
def test_of_all_that_failed_as_many_as_the_limit_are_started(start: Start, family: Family) -> None:
    world = several(start, family)
    before = counts(world)
    world.mend("a", "b", "c")

    said = world.retry("--all-failed", "--retry-limit", "2", "--retry-pause", "1s", "--output", "json", "--wait")

    results = {line["gitrepo"].partition("/")[2]: line["result"] for line in said.document["gitrepos"]}
    assert (said.code, said.document["exit_code"]) == (1, 1)
    assert results == {"a": "succeeded", "b": "succeeded", "c": "left", "manual": "left-out"}
    assert counts(world) == before | {"a": before["a"] + 1, "b": before["b"] + 1}


def test_all_that_failed_without_a_limit(start: Start) -> None:
    world = several(start)
    before = counts(world)
    world.mend("a", "b", "c")

    said = world.retry("--all-failed", "--retry-limit", "0", "--retry-pause", "0s")

    assert said.code == 0, said
    assert f"{NAMESPACE}/manual: left out: it has disablePolling" in said.out
    world.until(lambda: all(healthy(world, name) for name in "abc"))
    assert counts(world) == {name: count + (name in "abc") for name, count in before.items()}
    assert "nothing has failed" in world.retry("--all-failed").out


def test_each_of_many_is_looked_at_again_before_it_is_started(start: Start) -> None:
    """While the first is seen to, somebody deletes the Job of the second, and ends the polling of the third."""
    world = several(start)
    world.mend("a", "b", "c")
    arguments = ("retry", "--all-failed", "--retry-pause", "2s", "--output", "json")
    process = subprocess.Popen(
        command(*arguments), env=environment(world.kubeconfig), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )
    world.until(lambda: len(world.made("a")) == 2)
    world.delete_jobs("b")
    world.change({"spec": {"disablePolling": True}}, "c")
    out, _ = process.communicate(timeout=120)

    lines = {line["gitrepo"].partition("/")[2]: line["result"] for line in Said(0, out, "").document["gitrepos"]}
    assert process.returncode == 0
    assert (lines["a"], lines["b"], lines["c"]) == ("started", "started", "left-out")


@pytest.mark.parametrize(("answer", "started"), [("y\n", 1), ("n\n", 0)])
def test_all_that_failed_are_asked_for_once(start: Start, answer: str, started: int) -> None:
    world = failed(start, V0_16_1)

    ended, shown = on_a_terminal(world.kubeconfig, answer, "retry", "--all-failed")

    assert (ended, shown.count("[y/N]")) == (0, 1)
    world.until(lambda: len(world.made()) == 1 + started)


@pytest.mark.parametrize("arguments", [(SHOP,), (SHOP, "--wait"), ("--all-failed",), (SHOP, "--nudge")])
def test_a_dry_run_changes_nothing(start: Start, arguments: tuple[str, ...]) -> None:
    world = failed(start, V0_10_2)
    world.fleet.upgrade(V0_14_10)
    before, jobs = wishes(world), world.jobs()

    said = world.retry(*arguments, "--dry-run")

    assert said.code == 0, said
    assert "DRY RUN" in said.out
    assert "would be" in said.out
    assert (wishes(world), world.jobs()) == (before, jobs)


def test_the_document_tells_all_of_it(start: Start) -> None:
    world = failed(start, V0_16_1)
    [job] = world.jobs()
    ran = {"job": job["metadata"]["name"], "commit": commit_of(job), "error": FAULT}

    said = world.retry(SHOP, "--wait", "--output", "json")

    document = said.document
    assert (said.code, document["schema"], document["command"], document["exit_code"]) == (1, 1, "retry", 1)
    assert (document["fleet"]["version"], document["dry_run"], document["refused"]) == ("0.16.1", False, [])
    assert document["gitrepos"] == [
        {
            "gitrepo": SHOP,
            "result": "failed",
            "detail": "",
            "before": ran,
            "after": ran,
            "force_sync_generation": 1,
            "raised": True,
            "adopted": False,
            "nudged": False,
        }
    ]


def test_a_newer_commit_that_comes_in_between_is_what_is_followed(start: Start) -> None:
    world = start(V0_12_4, failing("shop", slowness=8.0))
    world.until_failed()
    world.mend()
    pushed: list[str] = []

    def push() -> None:
        world.until(lambda: len(world.made()) == 2)
        pushed.append(world.fleet.upstream.push(world.gitrepo()))

    pusher = threading.Thread(target=push)
    pusher.start()
    said = world.retry(SHOP, "--wait", "--output", "json")
    pusher.join()

    [line] = said.document["gitrepos"]
    assert (said.code, line["result"], line["after"]["commit"]) == (0, "succeeded", pushed[0])


def test_waiting_has_a_limit(start: Start) -> None:
    world = failed(start, V0_16_1)
    world.fleet.stop()

    said = world.retry(SHOP, "--wait", "--wait-limit", "2s")

    assert said.code == 1, said
    assert "no new Job has come in 2s" in said.out.splitlines()[-1]
    assert world.gitrepo()["spec"]["forceSyncGeneration"] == 1


def test_a_signal_ends_the_waiting(start: Start) -> None:
    world = failed(start, V0_16_1)
    world.fleet.stop()
    process = subprocess.Popen(
        command("retry", SHOP, "--wait"),
        env=environment(world.kubeconfig),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    world.until(lambda: world.gitrepo()["spec"].get("forceSyncGeneration"))

    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)

    assert (process.returncode, err) == (1, "")
    assert "nobody waits any more (SIGINT)" in out.splitlines()[-1]


def test_a_gitrepo_that_is_deleted_meanwhile_is_not_waited_for(start: Start) -> None:
    world = failed(start, V0_16_1)
    world.fleet.stop()
    process = subprocess.Popen(
        command("retry", SHOP, "--wait"),
        env=environment(world.kubeconfig),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    world.until(lambda: world.gitrepo()["spec"].get("forceSyncGeneration"))
    world.caller.delete(
        f"/apis/fleet.cattle.io/v1alpha1/namespaces/{NAMESPACE}/gitrepos/shop", world.gitrepo()["metadata"]["uid"]
    )

    out, _ = process.communicate(timeout=120)

    assert process.returncode == 1
    assert "deleted meanwhile" in out.splitlines()[-1]


@pytest.mark.parametrize(
    "arguments", [(), (SHOP, "--all-failed"), ("--all-failed", "--nudge"), (SHOP, "--nudge", "--wait"), ("no/such/gitrepo",)]
)
def test_wrong_usage_is_one_line(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(
        '{"apiVersion": "v1", "kind": "Config", "current-context": "x", "contexts": [{"name": "x", "context": '
        '{"cluster": "x", "user": "x"}}], "clusters": [{"name": "x", "cluster": {"server": "http://127.0.0.1:1"}}],'
        ' "users": [{"name": "x", "user": {}}]}'
    )

    refused(run("retry", *arguments, kubeconfig=kubeconfig))


def test_the_pause_of_five_seconds_is_normal(start: Start) -> None:
    """As long as the real Fleet takes between deleting the Job and making it anew."""
    world = start(V0_16_1, failing("shop"), pace=PACE_AS_SEEN)
    world.until_failed()
    world.mend()

    said = world.retry(SHOP, "--wait")

    assert said.code == 0, said
    assert [ended_as(job) for job in world.jobs()] in ([], ["Complete"])
