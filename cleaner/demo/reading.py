"""Get and list, with pages that stay as of one resourceVersion."""

import base64
import binascii
import json
from collections.abc import Mapping

from cleaner.demo import status
from cleaner.demo.kinds import Kind, Object
from cleaner.demo.selecting import selected
from cleaner.demo.store import Store, key_of

_NOW = -1
"""The version in a token that goes on in the present, given out with a 410."""


def page(store: Store, kind: Kind, namespace: str | None, query: Mapping[str, str]) -> Object:
    """One page of a list; raises RefusedError (400, 410, 422, 504)."""
    test, limit = selected(kind, query), number(query, "limit")
    with store.lock:
        version, start = _place(store, query)
        items = _as_of(store, kind, namespace, version, start)
    rest = [obj for obj in items if (start is None or list(key_of(obj)) > start) and test(obj)]
    shown = rest[:limit] if limit else rest
    meta: Object = {"resourceVersion": str(version)}
    if len(shown) < len(rest):
        meta["continue"] = _token(version, shown[-1])
        filtered = query.get("labelSelector") or query.get("fieldSelector")
        meta |= {} if filtered else {"remainingItemCount": len(rest) - len(shown)}
    head = {"kind": f"{kind.name}List", "apiVersion": kind.group_version, "metadata": meta}
    return head | {"items": shown if kind.custom else [_untyped(obj) for obj in shown]}


def number(query: Mapping[str, str], name: str) -> int:
    """A whole number from the query, 0 when absent; raises RefusedError (400)."""
    text = query.get(name) or "0"
    try:
        return int(text)
    except ValueError:
        raise status.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


def _place(store: Store, query: Mapping[str, str]) -> tuple[int, list[str] | None]:
    """The version to list as of, and the key after which to go on."""
    if token := query.get("continue"):
        version, start = _read_token(token)
        return (store.version if version == _NOW else version), start
    wanted, match = number(query, "resourceVersion"), query.get("resourceVersionMatch", "")
    if match and not query.get("resourceVersion"):
        text = "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided"
        raise status.bad_options("ListOptions", "resourceVersionMatch", text)
    if wanted > store.version:
        raise status.too_new(wanted, store.version)
    return (wanted if match == "Exact" else store.version), None


def _as_of(store: Store, kind: Kind, namespace: str | None, version: int, start: list[str] | None) -> list[Object]:
    try:
        return store.items(kind, namespace, version)
    except status.RefusedError as refusal:
        if start is None:
            raise
        raise status.token_expired(_encode(_NOW, start)) from refusal


def _token(version: int, last: Object) -> str:
    return _encode(version, list(key_of(last)))


def _encode(version: int, start: list[str]) -> str:
    text = json.dumps({"v": "meta.k8s.io/v1", "rv": version, "start": start})
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_token(token: str) -> tuple[int, list[str]]:
    try:
        read = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        return int(read["rv"]), [str(part) for part in read["start"]]
    except (binascii.Error, ValueError, KeyError, TypeError) as fault:
        raise status.bad_request(f"invalid continue token: continue key is not valid: {fault}") from fault


def _untyped(obj: Object) -> Object:
    """Items of built-in kinds are listed without `kind` and `apiVersion`."""
    return {key: value for key, value in obj.items() if key not in ("kind", "apiVersion")}
