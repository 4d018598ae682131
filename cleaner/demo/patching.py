"""Patches: JSON merge patch (RFC 7386), JSON patch (RFC 6902), and strategic merge read as a merge of maps."""

import copy
from typing import Any

from cleaner.demo.kinds import Object
from cleaner.demo.status import bad_request, unprocessable, unsupported_media

MERGE = ("application/merge-patch+json", "application/strategic-merge-patch+json")
JSON = "application/json-patch+json"
PATCHES = (*MERGE, JSON)
"""The media types of the patches that are served."""


def patched(obj: Object, media_type: str, patch: Any) -> Object:
    """The object after the patch; the one given stays as it is.

    Raises RefusedError: 415 for other kinds of patch (server-side apply among them), 400 and 422 for a bad one.
    """
    if media_type == JSON:
        return _by_steps(obj, patch)
    if media_type not in MERGE:
        raise unsupported_media()
    if not isinstance(patch, dict):
        raise bad_request("error decoding patch: a JSON object is needed")
    merged: Object = merge(copy.deepcopy(obj), patch)
    return merged


def merge(target: Any, patch: Any) -> Any:
    """RFC 7386: maps are merged, null removes, all else replaces. Strategic directives (`$…`) are passed over."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif not key.startswith("$"):
            merged[key] = merge(merged.get(key), value)
    return merged


def _by_steps(obj: Object, steps: Any) -> Object:
    result: Any = copy.deepcopy(obj)
    if not isinstance(steps, list):
        raise bad_request("error decoding patch: a JSON array is needed")
    for step in steps:
        try:
            _step(result, step)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as fault:
            raise unprocessable() from fault
    changed: Object = result
    return changed


def _step(document: Any, step: Object) -> None:
    """Do one operation in place; a missing path or a failed test raises one of the errors named in the caller."""
    parts = [part.replace("~1", "/").replace("~0", "~") for part in step["path"].split("/")[1:]]
    for part in parts[:-1]:
        document = document[int(part)] if isinstance(document, list) else document[part]
    _apply(document, parts[-1], step["op"], step.get("value"))


def _apply(parent: Any, last: str, op: str, value: Any) -> None:
    if isinstance(parent, list):
        _apply_to_list(parent, last, op, value)
        return
    if op == "test" and parent.get(last) != value:
        raise ValueError(last)
    if op == "remove":
        del parent[last]
    elif op == "add" or (op == "replace" and last in parent):
        parent[last] = value
    elif op != "test":
        raise KeyError(last)


def _apply_to_list(parent: list[Any], last: str, op: str, value: Any) -> None:
    at = len(parent) if last == "-" else int(last)
    if op == "add":
        parent.insert(at, value)
    elif op == "remove":
        del parent[at]
    elif op == "replace":
        parent[at] = value
    elif parent[at] != value:
        raise ValueError(last)
