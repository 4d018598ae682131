"""Write the manifests that come from the code: the roles of k8s/, and what the Helm chart takes from elsewhere."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

from cleaner.cli.granting import HOME
from cleaner.rights import Right, Rule, Use, Where, manifests, more, rights, roles, rules
from docs import chart

ROOT = Path(__file__).parents[1]
NAME = "gitjob-cleaner"
WORKSPACES = ("fleet-default", "fleet-local")
"""The workspaces that every Rancher has."""

SWEEP = Use("sweep", own_namespace=HOME)
RUN = Use("run", own_namespace=HOME, elects=True)
MIGRATE = Use("migrate", own_namespace=HOME, elects=True)
GUARD = Use("guard", own_namespace=HOME)
RETRY = Use("retry", own_namespace=HOME, all_failed=True)

_HEAD = "# Written from the code by `make docs`: exactly the calls that it makes, and what each is for.\n"


def changed(use: Use, **change: Any) -> Use:
    """A use with other settings."""
    return msgspec.structs.replace(use, **change)


def _named(use: Use) -> Use:
    instance = "namespaced"
    return changed(use, namespaces=WORKSPACES, lease=f"{NAME}-{instance}", migration_lease=f"{use.migration_lease}-{instance}")


def _roles(found: Iterable[Right], use: Use, name: str, account: str = NAME) -> str:
    return _HEAD + manifests(roles(found, use, name), account, HOME)


def role_files() -> dict[str, str]:
    """The files of roles under k8s/, and what stands in them."""
    parts = {
        "base": _roles(rights(SWEEP), SWEEP, NAME),
        "overlays/deployment": _roles(more(RUN, SWEEP), RUN, f"{NAME}-service"),
        "overlays/migration": _roles(rights(MIGRATE), MIGRATE, f"{NAME}-migration", f"{NAME}-migration"),
        "overlays/guard": _roles(rights(GUARD), GUARD, f"{NAME}-guard", f"{NAME}-guard"),
        "components/retry": _roles(rights(RETRY), RETRY, f"{NAME}-retry", f"{NAME}-retry"),
        "components/evidence": _roles(more(changed(RUN, evidence=True), RUN), RUN, f"{NAME}-evidence"),
        "components/orphaned-pods": _roles(more(changed(SWEEP, orphaned_pods=True), SWEEP), SWEEP, f"{NAME}-orphaned-pods"),
        **{
            f"components/current-all/{overlay}": _roles(more(changed(use, current="all"), use), use, f"{NAME}-current-all")
            for overlay, use in {"cronjob": SWEEP, "deployment": RUN}.items()
        },
        **{
            f"components/namespaced/{overlay}": _roles(rights(_named(use)), _named(use), f"{NAME}-namespaced")
            for overlay, use in {"cronjob": SWEEP, "deployment": RUN}.items()
        },
    }
    return {f"k8s/{part}/rbac.yaml": text for part, text in parts.items()}


def chart_rights() -> str:
    """The chart's rules by group, by whether Namespaces are named, and by place."""
    groups: Mapping[str, tuple[Use, Use | None]] = {
        "sweep": (SWEEP, None),
        "service": (RUN, SWEEP),
        "evidence": (changed(RUN, evidence=True), RUN),
        "orphaned-pods": (changed(SWEEP, orphaned_pods=True), SWEEP),
        "current-all-sweep": (changed(SWEEP, current="all"), SWEEP),
        "current-all-run": (changed(RUN, current="all"), RUN),
        "migrate": (MIGRATE, None),
        "guard": (GUARD, None),
        "retry": (RETRY, None),
    }
    found = {
        group: {
            "cluster": _by_place(use, than),
            "named": _by_place(changed(use, namespaces=("any",)), than and changed(than, namespaces=("any",))),
        }
        for group, (use, than) in groups.items()
    }
    return _HEAD + yaml.safe_dump(found, sort_keys=False, default_flow_style=None, width=130)


def _by_place(use: Use, than: Use | None) -> dict[str, list[dict[str, Any]]]:
    wanted = more(use, than) if than else rights(use)
    # Where Namespaces are named, what is wished of the whole cluster can be done without, and a ClusterRole is not to be had.
    places = {"scope": use.scope, "own": Where.OWN, "fleet": Where.FLEET}
    found = {place: rules(right for right in wanted if right.where is where) for place, where in places.items()}
    return {place: [_rule(rule) for rule in there] for place, there in found.items() if there}


def _rule(rule: Rule) -> dict[str, Any]:
    written = {"apiGroups": [rule.group], "resources": [rule.resource], "verbs": list(rule.verbs)}
    return written | ({"resourceNames": [rule.name]} if rule.name else {})


def prometheus_rule() -> str:
    """The rules as an object of the Prometheus Operator."""
    plain = yaml.safe_load((ROOT / "k8s/prometheus/rules.yaml").read_text(encoding="utf-8"))
    made = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": NAME, "namespace": HOME, "labels": {"app.kubernetes.io/name": NAME}},
        "spec": plain,
    }
    return "# Written from k8s/prometheus/rules.yaml by `make docs`.\n" + yaml.safe_dump(made, sort_keys=False, width=130)


def dashboard() -> str:
    """The dashboard without its spaces, for the chart."""
    found = json.loads((ROOT / "grafana/gitjob-cleaner.json").read_text(encoding="utf-8"))
    return json.dumps(found, separators=(",", ":")) + "\n"


def files() -> dict[str, str]:
    """All of these files, by their paths in the project."""
    return {
        **role_files(),
        "k8s/components/prometheus-operator/prometheusrule.yaml": prometheus_rule(),
        "k8s/chart/files/rights.yaml": chart_rights(),
        "k8s/chart/files/rules.yaml": (ROOT / "k8s/prometheus/rules.yaml").read_text(encoding="utf-8"),
        "k8s/chart/files/dashboard.json": dashboard(),
        "k8s/chart/values.schema.json": chart.schema(),
    }


def main() -> None:
    """Write all of them."""
    for path, text in files().items():
        target = ROOT / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
