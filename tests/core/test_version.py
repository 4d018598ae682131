"""Which Fleet runs, told from its Deployments."""

from typing import Any

import msgspec
import pytest

from cleaner.fleet import fleet_version, read_image_tag
from cleaner.fleet.version import is_fixed, lowest
from tests.core.worlds import Raw, page


def deployment(image: str, name: str = "gitjob", *, replicas: int | None = 1, **changed: Any) -> Raw:
    """Make a Deployment whose rollout is done, but for what is changed in its status."""
    count = 1 if replicas is None else replicas
    done = {"observedGeneration": 3, "replicas": count, "updatedReplicas": count, "availableReplicas": count}
    status = {key: value for key, value in (done | changed).items() if value is not None}
    containers = [{"name": "gitjob", "image": image}]
    spec = {"replicas": replicas, "template": {"spec": {"containers": containers}}}
    return {"metadata": {"name": name, "generation": 3}, "spec": spec, "status": status}


def seen(*deployments: Raw, setting: str = "") -> tuple[str, bool]:
    """Tell version and `recreates` for what is seen."""
    known = fleet_version([page(deployments)], setting)
    return known.version, known.recreates


@pytest.mark.parametrize(
    ("tag", "fixed"),
    [
        pytest.param("v0.9.18", False, id="0.9"),
        pytest.param("v0.10.2", False, id="0.10.2"),
        pytest.param("v0.10.3", False, id="0.10.3"),
        pytest.param("v0.10.3-hotfix-1", False, id="0.10.3-hotfix"),
        pytest.param("v0.10.4-rc.1", False, id="0.10.4-rc.1-is-still-the-old-one"),
        pytest.param("v0.10.4-alpha.1", False, id="0.10.4-alpha"),
        pytest.param("v0.10.4-rc.2", True, id="0.10.4-rc.2"),
        pytest.param("v0.10.4-rc.3", True, id="0.10.4-rc.3"),
        pytest.param("v0.10.4-rc.10", True, id="0.10.4-rc.10-is-not-rc.1"),
        pytest.param("v0.10.4-rc.1.1", False, id="0.10.4-rc.1.1"),
        pytest.param("v0.10.4-hotfix-ch-1", True, id="0.10.4-hotfix"),
        pytest.param("v0.10.4-hotfix-ch-1-43299bc9", True, id="0.10.4-hotfix-with-hash"),
        pytest.param("v0.10.4", True, id="0.10.4"),
        pytest.param("0.10.4", True, id="no-v"),
        pytest.param("v0.10.5-rc.1", True, id="0.10.5-rc.1"),
        pytest.param("v0.10.16", True, id="0.10.16-is-above-0.10.4"),
        pytest.param("v0.11.0-alpha.1", False, id="0.11.0-alpha"),
        pytest.param("v0.11.0-beta.1", True, id="0.11.0-beta.1"),
        pytest.param("v0.11.0-rc.3", True, id="0.11.0-rc.3"),
        pytest.param("v0.11.0", True, id="0.11.0"),
        pytest.param("v0.13.4-hotfix-05d1.7", True, id="0.13-hotfix"),
        pytest.param("v0.14.0-experiment-98d0.7", True, id="0.14-experiment"),
        pytest.param("v0.16.1", True, id="0.16.1"),
        pytest.param("v1.0.0", True, id="1.0"),
        pytest.param("dev", False, id="dev"),
        pytest.param("latest", False, id="latest"),
        pytest.param("main-abcdef", False, id="branch"),
        pytest.param("v0.16", False, id="two-numbers"),
        pytest.param("v0.16.1.2", False, id="four-numbers"),
        pytest.param("0.16.1+up0.10.2", False, id="build-metadata"),
        pytest.param("", False, id="none"),
    ],
)
def test_a_tag_tells_whether_a_deleted_current_job_is_left_alone(tag: str, fixed: bool) -> None:
    assert fixed is is_fixed(tag)
    assert lowest([tag]).recreates is not fixed


@pytest.mark.parametrize(
    ("image", "tag"),
    [
        pytest.param("rancher/fleet:v0.16.1", "v0.16.1", id="plain"),
        pytest.param("fleet:dev", "dev", id="no-repository"),
        pytest.param("registry.example:5000/rancher/fleet:v0.10.4", "v0.10.4", id="registry-with-port"),
        pytest.param("registry.example:5000/rancher/fleet", "", id="port-but-no-tag"),
        pytest.param("rancher/fleet", "", id="no-tag"),
        pytest.param("rancher/fleet@sha256:" + "0" * 64, "", id="digest"),
        pytest.param("rancher/fleet:v0.16.1@sha256:" + "0" * 64, "", id="tag-and-digest"),
        pytest.param("", "", id="empty"),
    ],
)
def test_tag_of_an_image(image: str, tag: str) -> None:
    assert tag == read_image_tag(image)


@pytest.mark.parametrize(
    ("deployments", "expected"),
    [
        pytest.param([deployment("f:v0.16.1")], ("0.16.1", False), id="one"),
        pytest.param([deployment("f:v0.10.2")], ("0.10.2", True), id="an-old-one"),
        pytest.param([deployment("rancher/gitjob:v0.1.96")], ("0.1.96", True), id="gitjob-of-fleet-0.9"),
        pytest.param(
            [deployment("f:v0.16.1"), deployment("f:v0.10.2", "gitjob-shard-a")], ("0.10.2", True), id="lowest-of-two-shards"
        ),
        pytest.param(
            [deployment("f:v0.16.1"), deployment("f:v0.14.10", "gitjob-shard-a")], ("0.14.10", False), id="two-new-shards"
        ),
        pytest.param(
            [deployment("f:v0.9.18"), deployment("f:v0.10.2", "gitjob-shard-a")], ("0.9.18", True), id="numbers-not-letters"
        ),
        pytest.param([deployment("f:v0.10.4"), deployment("f:v0.10.4-rc.1", "gitjob-b")], ("0.10.4", True), id="rc.1-beside-it"),
        pytest.param([deployment("f:v0.16.1"), deployment("f:dev", "gitjob-b")], ("unknown", True), id="one-cannot-be-read"),
        pytest.param([deployment("f@sha256:00")], ("unknown", True), id="digest-only"),
        pytest.param([deployment("f:v0.10.2", "fleet-controller")], ("unknown", True), id="no-gitjob"),
        pytest.param([deployment("f:v0.16.1"), deployment("f:v0.10.2", "helmops")], ("0.16.1", False), id="others-do-not-count"),
        pytest.param([], ("unknown", True), id="nothing"),
        pytest.param([deployment("f:v0.16.1", replicas=None)], ("0.16.1", False), id="replicas-default-to-one"),
        pytest.param([deployment("f:v0.16.1", replicas=3)], ("0.16.1", False), id="three-replicas"),
        pytest.param([deployment("f:v0.16.1", replicas=0)], ("0.16.1", False), id="scaled-to-none"),
        pytest.param([deployment("f:v0.16.1", observedGeneration=2)], ("unknown", True), id="not-observed-yet"),
        pytest.param([deployment("f:v0.16.1", updatedReplicas=0)], ("unknown", True), id="not-updated-yet"),
        pytest.param([deployment("f:v0.16.1", replicas=2, replicas_=3)], ("0.16.1", False), id="unknown-fields-are-ignored"),
        pytest.param([deployment("f:v0.16.1", availableReplicas=None)], ("unknown", True), id="not-available-yet"),
        pytest.param([deployment("f:v0.16.1", terminatingReplicas=1)], ("unknown", True), id="an-old-pod-still-ends"),
        pytest.param([deployment("f:v0.16.1", terminatingReplicas=0)], ("0.16.1", False), id="no-pod-ends"),
    ],
)
def test_the_lowest_of_what_may_be_running_counts(deployments: list[Raw], expected: tuple[str, bool]) -> None:
    assert expected == seen(*deployments)


def test_a_surge_pod_of_the_old_version_makes_the_rollout_unfinished() -> None:
    surge = deployment("f:v0.16.1")
    surge["status"]["replicas"] = 2

    assert seen(surge) == ("unknown", True)


@pytest.mark.parametrize(
    ("deployments", "setting", "expected"),
    [
        pytest.param([], "0.16.1", ("0.16.1", False), id="stands-in-where-nothing-is-seen"),
        pytest.param([], "v0.10.2", ("0.10.2", True), id="stands-in-with-an-old-one"),
        pytest.param([], "the newest", ("unknown", True), id="cannot-be-read"),
        pytest.param([deployment("f:v0.16.1")], "0.10.2", ("0.10.2", True), id="lowers"),
        pytest.param([deployment("f:v0.10.2")], "0.16.1", ("0.10.2", True), id="never-raises"),
        pytest.param([deployment("f:dev")], "0.16.1", ("unknown", True), id="never-explains-a-tag"),
        pytest.param([deployment("f:v0.16.1", observedGeneration=2)], "0.16.1", ("unknown", True), id="never-ends-a-rollout"),
    ],
)
def test_the_setting_lowers_and_never_raises(deployments: list[Raw], setting: str, expected: tuple[str, bool]) -> None:
    assert expected == seen(*deployments, setting=setting)


def test_shards_may_come_on_several_pages() -> None:
    pages: list[bytes | bytearray] = [page([deployment("f:v0.16.1")]), page([deployment("f:v0.10.3", "gitjob-shard-z")])]

    assert fleet_version(pages).version == "0.10.3"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"<html>", id="no-json"),
        pytest.param(b'{"items": 3}', id="no-list"),
        pytest.param(msgspec.json.encode({"items": [{"metadata": {"name": "gitjob"}}]}), id="no-spec"),
        pytest.param(b'{"items": [{"metadata": {"name": "\xff"}}]}', id="invalid-utf-8"),
    ],
)
def test_what_cannot_be_read_counts_as_the_oldest_whatever_the_setting_says(body: bytes) -> None:
    assert fleet_version([body], "0.16.1").recreates


def test_a_null_list_is_nothing_seen() -> None:
    assert fleet_version([b'{"items": null}'], "0.16.1").version == "0.16.1"


def test_a_deployment_without_containers_counts_as_the_oldest() -> None:
    bare = deployment("f:v0.16.1")
    bare["spec"]["template"]["spec"]["containers"] = None

    assert seen(bare) == ("unknown", True)


def test_only_the_container_gitjob_counts_where_there_is_one() -> None:
    meshed = deployment("f:v0.16.1")
    meshed["spec"]["template"]["spec"]["containers"].append({"name": "mesh", "image": "mesh:v0.1.0"})

    assert seen(meshed) == ("0.16.1", False)
