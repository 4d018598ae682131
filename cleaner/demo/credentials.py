"""The Secret with which a GitRepo is cloned: from v0.15 on Fleet notes what is in it, and notices when that changes."""

import hashlib
import json

from cleaner.demo.caller import Caller, path_of, path_to
from cleaner.demo.kinds import Object

_NOTE = "fleet.cattle.io/client-secret-hash"


def digest(caller: Caller, gitrepo: Object) -> str:
    """Of the data of the Secret that `spec.clientSecretName` names; empty where there is none."""
    name = gitrepo["spec"].get("clientSecretName")
    secret = caller.get(path_of("secrets", gitrepo["metadata"]["namespace"], name)) if name else None
    return hashlib.sha256(json.dumps(secret.get("data"), sort_keys=True).encode()).hexdigest() if secret else ""


def noted(gitrepo: Object) -> str:
    """The digest that Fleet has noted in an annotation, empty before it has."""
    return str(gitrepo["metadata"].get("annotations", {}).get(_NOTE, ""))


def note(caller: Caller, gitrepo: Object, value: str) -> None:
    """Write the digest down, unless it is there."""
    if value and value != noted(gitrepo):
        caller.patch(path_to("gitrepos", gitrepo), {"metadata": {"annotations": {_NOTE: value}}})
