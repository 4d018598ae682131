"""The Helm chart by itself, as the real helm renders it."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from cleaner import __version__
from cleaner.settings import Settings, fields_of
from cleaner.settings.load import load_settings
from docs import chart
from tests.ship.references import faults
from tests.ship.rendered import (
    AS_VALUES,
    CHART,
    HOME,
    K8S,
    PARTS,
    identity,
    must_be_valid,
    template_of,
    templated,
)

SCHEMA = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
VALUES = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))


# --- its files


def test_it_is_of_the_tools_version() -> None:
    told = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))

    assert told["version"] == told["appVersion"] == __version__
    assert told["kubeVersion"] == told["annotations"]["catalog.cattle.io/kube-version"]


def test_every_setting_is_a_value_or_told_why_not() -> None:
    """What stands in the schema is held to the code where all that is written from it is."""
    names = {field.name for field in fields_of()}
    there = SCHEMA["properties"]["settings"]["properties"].keys()

    assert there | chart.ELSEWHERE.keys() == names
    assert there.isdisjoint(chart.ELSEWHERE)


def test_the_schema_knows_the_values_and_no_others() -> None:
    assert list(_paths(VALUES, SCHEMA)) == []
    assert SCHEMA["properties"].keys() - VALUES.keys() == {"global"}


def _paths(values: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    """Objects whose values are others than those of their schema, or that let anything in."""
    if schema["additionalProperties"] is not False:
        yield f"{list(values)} are open"
    for name, value in values.items():
        inner = schema["properties"].get(name, {})
        if not inner:
            yield f"{name} is unknown"
        if isinstance(value, dict) and "properties" in inner:
            yield from _paths(value, inner)


def test_every_value_is_explained() -> None:
    lines = (CHART / "values.yaml").read_text(encoding="utf-8").splitlines()
    bare = {
        line.split(":")[0].strip()
        for before, line in zip(["", *lines], lines, strict=False)
        if re.match(r" *\w+:", line) and not before.strip().startswith("#")
    }

    # Groups, whose values are explained, and names that every chart has, under one heading.
    groups = {name for name, value in VALUES.items() if isinstance(value, dict) and value}
    common = {"nodeSelector", "tolerations", "affinity", "priorityClassName", "podAnnotations", "podLabels", "extraVolumeMounts"}
    assert bare - groups == {*common, "requests", "limits", "log_level", "pullPolicy", "annotations", "interval", "labels"}


def test_fleet_makes_the_namespace_that_people_make() -> None:
    fleet = yaml.safe_load((CHART / "fleet.yaml").read_text(encoding="utf-8"))
    namespace = yaml.safe_load((K8S / "namespace.yaml").read_text(encoding="utf-8"))

    assert fleet["defaultNamespace"] == fleet["helm"]["releaseName"] == namespace["metadata"]["name"] == HOME
    assert fleet["namespaceLabels"] == namespace["metadata"]["labels"]


# --- what it makes


def matrix() -> Iterator[dict[str, Any]]:
    for mode in ("cronjob", "deployment"):
        everything = {name: value for part in PARTS[f"overlays/{mode}"] for name, value in AS_VALUES[part].items()}
        yield {"mode": mode, **everything}
        # The cleaner's own Namespace, and Fleet's, are among those that are looked after, and Fleet's is another.
        yield {"mode": mode, **everything, "namespaces": ["team-a", HOME, "fleet"], "fleetNamespace": "fleet"}
        yield {"mode": mode, **everything, "settings.dry_run": True, "settings.selector": "team=a", "deployment.replicas": 1}
        yield {"mode": mode, "rbac.create": False, "serviceAccount.name": "mine", "guard.enabled": True, "cronjob.suspend": True}
        yield {"mode": mode, **everything, **FILLED}


FILLED: Mapping[str, Any] = {
    "imagePullSecrets": [{"name": "mine"}],
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "mine", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
    "priorityClassName": "mine",
    "podAnnotations": {"mine": "1"},
    "podLabels": {"mine": "1"},
    "serviceAccount.annotations": {"mine": "1"},
    "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy.example.com"}, {"name": "LOG_LEVEL", "value": "a proxy's"}],
    "extraVolumes": [{"name": "password", "secret": {"secretName": "mine"}}],
    "extraVolumeMounts": [{"name": "password", "mountPath": "/secrets", "readOnly": True}],
    "networkPolicy.extraEgress": [{"ports": [{"port": 9091}]}],
    "serviceMonitor.labels": {"release": "mine"},
    "prometheusRule.labels": {"release": "mine"},
    "settings.pushgateway_labels": ["cluster=a", "stage=b"],
    "settings.max_deletions": 2000000,
    "settings.delete_rate": 0.5,
}


@pytest.mark.long
@pytest.mark.parametrize("values", list(matrix()))
def test_values_make_valid_objects_that_find_each_other(values: Mapping[str, Any]) -> None:
    objects = templated(HOME, values)

    for each in objects:
        must_be_valid(each)
    assert [fault for fault in faults(objects) if values.get("rbac.create", True)] == []
    assert len({identity(each) for each in objects}) == len(objects)


@pytest.mark.long
def test_every_value_comes_out_where_it_belongs() -> None:
    objects = templated(HOME, FILLED)

    (pod,) = (pod["spec"] for each in objects if (pod := template_of(each)))
    (container,) = pod["containers"]
    environment = {each["name"]: each["value"] for each in container["env"]}
    assert {name: pod[name] for name in ("imagePullSecrets", "nodeSelector", "tolerations", "affinity", "priorityClassName")} == {
        name: FILLED[name] for name in ("imagePullSecrets", "nodeSelector", "tolerations", "affinity", "priorityClassName")
    }
    assert FILLED["extraVolumes"][0] in pod["volumes"]
    assert FILLED["extraVolumeMounts"][0] in container["volumeMounts"]
    assert environment == {
        "GITJOB_CLEANER_LOG_LEVEL": "info",
        "GITJOB_CLEANER_PUSHGATEWAY_LABELS": "cluster=a,stage=b",
        "GITJOB_CLEANER_MAX_DELETIONS": "2000000",
        "GITJOB_CLEANER_DELETE_RATE": "0.5",
        **{each["name"]: each["value"] for each in FILLED["extraEnv"]},
    }


@pytest.mark.long
def test_all_of_it_is_labelled_as_helm_and_others_expect() -> None:
    objects = templated("mine", {name: value for part in AS_VALUES for name, value in AS_VALUES[part].items()})

    for each in objects:
        labels = each["metadata"]["labels"]
        assert labels["app.kubernetes.io/version"] == __version__
        helms = [labels[name] for name in ("helm.sh/chart", "app.kubernetes.io/managed-by", "app.kubernetes.io/instance")]
        assert helms == [f"gitjob-cleaner-{__version__}", "Helm", "mine"]


@pytest.mark.long
@pytest.mark.parametrize(
    ("image", "more", "expected"),
    [
        ({}, {}, f"gitjob-cleaner:{__version__}"),
        ({"repository": "r.example.com/a", "tag": "9"}, {}, "r.example.com/a:9"),
        ({"digest": "sha256:" + "0" * 64}, {}, "gitjob-cleaner@sha256:" + "0" * 64),
        (
            {"repository": "tools/a"},
            {"global.cattle": {"systemDefaultRegistry": "r.example.com"}},
            f"r.example.com/tools/a:{__version__}",
        ),
        ({"repository": "s:5000/a"}, {"global.cattle": {"systemDefaultRegistry": "r.example.com"}}, f"s:5000/a:{__version__}"),
    ],
)
def test_the_image_is_the_one_that_is_meant(image: Mapping[str, str], more: Mapping[str, Any], expected: str) -> None:
    objects = templated(HOME, {f"image.{name}": value for name, value in image.items()} | dict(more))

    assert [pod["spec"]["containers"][0]["image"] for each in objects if (pod := template_of(each))] == [expected]


@pytest.mark.long
def test_settings_arrive_as_they_are_meant() -> None:
    """Every setting that is not the default: through the schema, the template and the environment into the tool."""
    wished = {
        field.name: _another(field.metadata["kind"], field.default) for field in fields_of() if field.name not in chart.ELSEWHERE
    }

    objects = templated(HOME, {"mode": "deployment"} | {f"settings.{name}": value for name, value in wished.items()})

    (pod,) = (pod["spec"] for each in objects if (pod := template_of(each)))
    settings = load_settings({}, {each["name"]: each["value"] for each in pod["containers"][0]["env"]})
    assert [name for name in wished if getattr(settings, name) == getattr(Settings(), name)] == []


def _another(kind: str, default: Any) -> Any:
    fixed = {
        "duration": "31s",
        "count": 7,
        "per second": 0.5,
        "true or false": not default,
        "patterns": ["a-*", "b"],
        "labels": ["cluster=a"],
        "label selector": "team=a",
        "URL": "http://pushgateway:9091",
        "version": "v0.14.1",
        "path": "/a/file",
        "name": "mine",
    }
    return fixed.get(kind) if kind in fixed else kind.split(" or ")[1]


@pytest.mark.long
def test_only_who_has_the_rights_is_told_to_use_them() -> None:
    values = {"settings.current": "all", "settings.orphaned_pods": True, "settings.evidence": True, "settings.failed_age": "5h"}
    objects = templated(HOME, {**values, "migration.enabled": True, "guard.enabled": True, "retry.enabled": True})

    told = {
        pod["metadata"]["labels"]["app.kubernetes.io/component"]: {
            each["name"].removeprefix("GITJOB_CLEANER_").lower() for each in pod["spec"]["containers"][0]["env"]
        }
        for each in objects
        if (pod := template_of(each))
    }
    others = {"failed_age", "log_level"}
    assert told == {
        "sweep": {"current", "orphaned_pods", "evidence", *others},
        **dict.fromkeys(("migration", "guard", "retry"), others),
    }


# --- what it refuses


@pytest.mark.long
@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"mode": "daemonset"}, "at '/mode': value must be one of 'cronjob', 'deployment'"),
        ({"foo": 1}, "additional properties 'foo' not allowed"),
        ({"settings.failed_ages": "1h"}, "at '/settings': additional properties 'failed_ages' not allowed"),
        ({"settings.failed_age": "3 days"}, "at '/settings/failed_age': '3 days' does not match"),
        ({"settings.failed_keep": "2"}, "at '/settings/failed_keep': got string, want integer"),
        ({"settings.delete_rate": "fast"}, "at '/settings/delete_rate': 'fast' does not match"),
        ({"settings.dry_run": "yes"}, "at '/settings/dry_run': got string, want boolean"),
        ({"settings.current": "none"}, "at '/settings/current': value must be one of 'keep', 'succeeded', 'all'"),
        ({"settings.namespaces": ["a"]}, "additional properties 'namespaces' not allowed"),
        ({"namespaces": ["Team A"]}, "at '/namespaces/0': 'Team A' does not match"),
        ({"deployment.replicas": -1}, "at '/deployment/replicas': minimum: got -1, want 0"),
        ({"image.digest": "sha256:1"}, "at '/image/digest': 'sha256:1' does not match"),
        ({"guard": True}, "at '/guard': got boolean, want object"),
        ({"instance": "migration"}, 'instance: with "migration"'),
        ({"mode": "deployment", "settings.leader_election": False}, "settings.leader_election: false with more than one"),
        (
            {"extraEnv": [{"name": "GITJOB_CLEANER_LOG_LEVEL", "value": "debug"}]},
            "extraEnv: GITJOB_CLEANER_LOG_LEVEL is set already",
        ),
    ],
)
def test_a_wrong_value_is_refused_by_name(values: Mapping[str, Any], said: str) -> None:
    with pytest.raises(RuntimeError, match=re.escape(said)):
        templated(HOME, values)
