"""GitRepos as the API needs to know them: our own definition, which lets every field pass."""

from typing import Any, Final

GROUP: Final = "fleet.cattle.io"
COLLECTION: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
PATH: Final = f"/apis/{GROUP}/v1alpha1/gitrepos"

_ANYTHING: Final = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}

GITREPOS: Final[dict[str, Any]] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"gitrepos.{GROUP}"},
    "spec": {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"kind": "GitRepo", "listKind": "GitRepoList", "plural": "gitrepos", "singular": "gitrepo"},
        "versions": [
            {
                "name": "v1alpha1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": _ANYTHING, "status": _ANYTHING}}},
            }
        ],
    },
}
