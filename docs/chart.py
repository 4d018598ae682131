"""Write what the Helm chart knows of the settings."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from cleaner.settings import fields_of

SCHEMA = Path(__file__).parents[1] / "k8s/chart/values.schema.json"

ELSEWHERE = {
    "namespaces": "a value of its own, for roles follow it",
    "instance": "a value of its own, for roles name the Lease",
    "fleet_namespace": "a value of its own, fleetNamespace, for a role lies there",
    "own_namespace": "a Pod knows it",
    "kubeconfig": "a Pod has its account",
    "context": "a Pod has its account",
    "listen": "the Service and the probes know the port",
    "wait": "of a person's retry",
    "all_failed": "of a person's retry",
    "nudge": "of a person's retry",
    "yes": "of a person at a terminal",
}
"""Settings that are not among the chart's, and why."""

_DURATION = r"^(0|(([0-9]+(\.[0-9]+)?|\.[0-9]+)(ns|us|µs|ms|s|m|h|d))+)$"
_LIST: dict[str, Any] = {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1}
_BY_KIND: dict[str, dict[str, Any]] = {
    "duration": {"type": "string", "pattern": _DURATION},
    "count": {"type": "integer", "minimum": 0},
    # For helm's --set 0.5 is a text.
    "per second": {"type": ["number", "string"], "minimum": 0, "pattern": r"^[0-9]+(\.[0-9]+)?$"},
    "true or false": {"type": "boolean"},
    "names": _LIST,
    "patterns": _LIST,
    "labels": _LIST,
}


def schema() -> str:
    """The schema of the chart's values, with the settings as they are."""
    whole = json.loads(SCHEMA.read_text(encoding="utf-8"))
    whole["properties"]["settings"]["properties"] = {
        field.name: _property(field) for field in fields_of() if field.name not in ELSEWHERE
    }
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def _property(field: "dataclasses.Field[Any]") -> dict[str, Any]:
    kind = field.metadata["kind"]
    return {**_shape(kind), "description": field.metadata["meaning"]}


def _shape(kind: str) -> dict[str, Any]:
    """What a value of a kind looks like; one that lists words with an `or` is one of them."""
    if kind in _BY_KIND:
        return _BY_KIND[kind]
    *most, last = kind.replace(" or ", ", ").split(", ")
    return {"enum": [*most, last]} if most else {"type": "string"}
