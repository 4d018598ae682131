"""The guard, on the real API server and on the sandbox: what it holds, what it says, and that it always lets go."""

import time

import pytest

from cleaner.cluster import Refusal
from cleaner.model import GUARD, Owner
from cleaner.service.wards import Step
from tests.edge.guarding import (
    FLEETS,
    PODS,
    delete,
    events_of,
    finalizers_of,
    fleet_lets_go,
    free,
    guarding,
    held,
    put_gitrepo,
    put_pod,
)
from tests.edge.passes import cluster
from tests.edge.servers import GITREPOS, JOBS, Server, must, names_of, patch
from tests.edge.serving import eventually
from tests.world import seed

BEFORE, AFTER = "example.com/before", "example.com/after"


def owner(gitrepo: dict[str, dict[str, str]]) -> Owner:
    return Owner(gitrepo["metadata"]["namespace"], gitrepo["metadata"]["name"], gitrepo["metadata"]["uid"])


@pytest.mark.parametrize("there", [[], [FLEETS], [BEFORE, FLEETS]])
def test_the_finalizer_goes_on_and_off_and_the_others_keep_their_order(server: Server, place: str, there: list[str]) -> None:
    made = put_gitrepo(server, place)
    patch(server, f"{GITREPOS.format(place)}/shop", {"metadata": {"finalizers": there or None}})
    kube = cluster(server.kubeconfig())

    assert kube.guard(owner(made), held=True)
    assert finalizers_of(server, place) == [*there, GUARD]
    assert not kube.guard(owner(made), held=True)

    patch(server, f"{GITREPOS.format(place)}/shop", {"metadata": {"finalizers": [*there, GUARD, AFTER]}})
    assert kube.guard(owner(made), held=False)
    assert finalizers_of(server, place) == [*there, AFTER]
    assert not kube.guard(owner(made), held=False)


def test_neither_another_gitrepo_of_the_name_nor_one_that_is_gone_is_touched(server: Server, place: str) -> None:
    made = put_gitrepo(server, place, "shop", FLEETS, GUARD)
    kube = cluster(server.kubeconfig())

    assert not kube.guard(Owner(place, "shop", "another"), held=False)
    assert finalizers_of(server, place) == [FLEETS, GUARD]
    assert not kube.guard(Owner(place, "nowhere", "gone"), held=False)
    assert not kube.guard(Owner(place, "nowhere", "gone"), held=True)
    delete(server, place)
    kube.guard(owner(made), held=False)
    assert not kube.guard(owner(made), held=True)
    assert finalizers_of(server, place) == [FLEETS]


def test_a_gitrepo_is_held_says_its_last_error_loses_its_orphans_and_goes(server: Server, place: str) -> None:
    """Its Jobs, one of which runs, are left to the garbage collector."""
    made = put_gitrepo(server, place)
    failed = seed.job(made, seed.sha("head"), "failed")
    running = seed.job(made, seed.sha("next"), "running")
    jobs = seed.put(server, [failed, running])
    put_pod(server, made, "of-the-job", message="exit: https://user:secret@git.example/x?token=1 is gone", job=jobs[0])
    for name in ("orphan-1", "orphan-2"):
        put_pod(server, made, name, message="overcome long ago")
    with guarding(server.kubeconfig(), place) as guard:
        held(server, place)
        delete(server, place)
        free(server, place)

        assert guard.errors() == ["exit: https://git.example/x is gone"]
        assert events_of(server, place) == [
            ("LastError", "last error of a GitRepo that is being deleted: exit: https://git.example/x is gone")
        ]
        assert names_of(server, PODS.format(place)) == {"of-the-job"}
        assert names_of(server, JOBS.format(place)) == {job["metadata"]["name"] for job in jobs}
        assert guard.let_go() == ["it leaves"]
        assert guard.troubles() == []
        fleet_lets_go(server, place)


def test_where_no_pod_says_it_the_gitrepo_does(server: Server, place: str) -> None:
    put_gitrepo(server, place, failed=True)
    with guarding(server.kubeconfig(), place) as guard:
        held(server, place)
        delete(server, place)
        free(server, place)

        (error,) = guard.errors()
        assert error
        assert [reason for reason, _ in events_of(server, place)] == ["LastError"]


def test_one_that_is_well_goes_without_a_word(server: Server, place: str) -> None:
    put_gitrepo(server, place)
    with guarding(server.kubeconfig(), place) as guard:
        held(server, place)
        delete(server, place)
        free(server, place)

        assert guard.errors() == [""]
        assert events_of(server, place) == []


def test_one_that_was_deleted_while_nobody_guarded_is_seen_at_the_next_start(server: Server, place: str) -> None:
    made = put_gitrepo(server, place, "shop", FLEETS, GUARD)
    put_pod(server, made, "orphan")
    delete(server, place)
    assert finalizers_of(server, place) == [FLEETS, GUARD]

    with guarding(server.kubeconfig(), place):
        free(server, place)

    assert names_of(server, PODS.format(place)) == set()


def test_one_that_left_before_it_was_held_is_let_alone(server: Server, place: str) -> None:
    put_gitrepo(server, place, "leaving")
    put_gitrepo(server, place, "staying")
    delete(server, place, "leaving")
    with guarding(server.kubeconfig(), place) as guard:
        held(server, place, "staying")

        assert finalizers_of(server, place, "leaving") == [FLEETS]
        assert guard.troubles() == []


def test_a_pause_keeps_the_pods_and_never_the_gitrepo(server: Server, place: str) -> None:
    made = put_gitrepo(server, place)
    put_pod(server, made, "orphan")
    with guarding(server.kubeconfig(), place, paused=lambda: Refusal("pause", "an operator says so")) as guard:
        held(server, place)
        delete(server, place)
        free(server, place)

        assert guard.troubles("clear") == ["orphaned Pods are left: an operator says so"]
    assert names_of(server, PODS.format(place)) == {"orphan"}


def test_a_pod_that_is_protected_stays_and_is_told(server: Server, place: str) -> None:
    made = put_gitrepo(server, place)
    put_pod(server, made, "orphan")
    patch(server, f"{PODS.format(place)}/orphan", {"metadata": {"annotations": {"gitjob-cleaner/protect": "true"}}})
    with guarding(server.kubeconfig(), place) as guard:
        held(server, place)
        delete(server, place)
        free(server, place)

        assert len(guard.troubles("clear")) == 1
    assert names_of(server, PODS.format(place)) == {"orphan"}


def test_what_is_switched_off_lets_go_of_all_that_it_finds(server: Server, place: str) -> None:
    put_gitrepo(server, place, "staying", FLEETS, GUARD)
    put_gitrepo(server, place, "leaving", FLEETS, GUARD)
    put_gitrepo(server, place, "new")
    delete(server, place, "leaving")
    with guarding(server.kubeconfig(), place, on=False) as guard:
        free(server, place, "staying")
        free(server, place, "leaving")

        assert set(guard.let_go(2)) == {"nothing is guarded any more"}
    assert finalizers_of(server, place, "new") == [FLEETS]


def test_another_selector_lets_go_of_what_it_does_not_select(server: Server, place: str) -> None:
    put_gitrepo(server, place, "a", FLEETS, GUARD, metadata={"labels": {"shard": "a"}})
    put_gitrepo(server, place, "b", metadata={"labels": {"shard": "b"}})
    with guarding(server.kubeconfig(), place, selector="shard=b") as guard:
        free(server, place, "a")
        held(server, place, "b")

        assert guard.let_go() == ["it is not ours to guard"]


def test_a_label_that_changes_puts_it_on_and_takes_it_off(server: Server, place: str) -> None:
    put_gitrepo(server, place, metadata={"labels": {"shard": "a"}})
    path = f"{GITREPOS.format(place)}/shop"
    with guarding(server.kubeconfig(), place, selector="shard=b") as guard:
        for _ in range(2):
            patch(server, path, {"metadata": {"labels": {"shard": "b"}}})
            held(server, place)
            patch(server, path, {"metadata": {"labels": {"shard": "a"}}})
            free(server, place)

        assert guard.troubles() == []


def test_namespaces_that_are_not_named_any_more_are_let_go(server: Server, place: str) -> None:
    other, excluded = seed.namespace(server), seed.namespace(server)
    put_gitrepo(server, other, "shop", FLEETS, GUARD)
    put_gitrepo(server, excluded, "shop", FLEETS, GUARD)
    put_gitrepo(server, place)
    with guarding(server.kubeconfig(), f"{place},{excluded}", exclude=(excluded,)):
        free(server, other)
        free(server, excluded)
        held(server, place)


def test_what_another_guard_puts_back_is_left_to_that_one(server: Server, place: str) -> None:
    put_gitrepo(server, place, metadata={"labels": {"shard": "a"}})
    with (
        guarding(server.kubeconfig(), place, selector="shard=a"),
        guarding(server.kubeconfig(), place, selector="shard=b") as other,
    ):
        eventually(lambda: other.troubles("release"), other.happened.copy)
        time.sleep(1.0)

        assert finalizers_of(server, place) == [FLEETS, GUARD]
        assert len(other.troubles("release")) == 1


def test_one_that_leaves_and_is_not_ours_is_left_to_its_own_guard_until_the_bound(server: Server, place: str) -> None:
    put_gitrepo(server, place, "shop", FLEETS, GUARD, metadata={"labels": {"shard": "a"}})
    delete(server, place)
    with guarding(server.kubeconfig(), place, selector="shard=b", bound=1.5) as guard:
        eventually(lambda: guard.guardian.roster.ready)
        assert finalizers_of(server, place) == [FLEETS, GUARD]
        free(server, place)

        assert guard.errors() == []


def test_two_guards_at_once_do_no_harm(server: Server, place: str) -> None:
    repos = [put_gitrepo(server, place, f"shop-{n}") for n in range(4)]
    for n, repo in enumerate(repos):
        put_pod(server, repo, f"orphan-{n}")
    with guarding(server.kubeconfig(), place) as one, guarding(server.kubeconfig(), place) as two:
        for n in range(4):
            held(server, place, f"shop-{n}")
        for n in range(4):
            delete(server, place, f"shop-{n}")
        for n in range(4):
            free(server, place, f"shop-{n}")

        assert one.troubles(Step.RELEASE.value) + two.troubles(Step.RELEASE.value) == []
    assert names_of(server, PODS.format(place)) == set()


def test_every_gitrepo_of_the_cluster_is_held_where_no_namespace_is_named(server: Server, place: str) -> None:
    other = seed.namespace(server)
    put_gitrepo(server, place)
    put_gitrepo(server, other)
    rest = [
        item["metadata"]["namespace"] for item in must(server.request("GET", "/apis/fleet.cattle.io/v1alpha1/gitrepos"))["items"]
    ]
    others = tuple({name for name in rest if name not in (place, other)})
    with guarding(server.kubeconfig(), exclude=others):
        held(server, place)
        held(server, other)
        put_gitrepo(server, other, "late")
        held(server, other, "late")
