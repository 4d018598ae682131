"""GitRepos, and other kinds, as the API needs to know them: our own definitions, which let every field pass."""

from typing import Any, Final

GROUP: Final = "fleet.cattle.io"
COLLECTION: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
PATH: Final = f"/apis/{GROUP}/v1alpha1/gitrepos"

_ANYTHING: Final = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def of_anything(group: str, version: str, kind: str) -> dict[str, Any]:
    """The definition of a kind that may hold anything; its plural ends with an s."""
    plural = f"{kind.lower()}s"
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()},
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": _ANYTHING, "status": _ANYTHING}}},
                }
            ],
        },
    }


GITREPOS: Final = of_anything(GROUP, "v1alpha1", "GitRepo")
