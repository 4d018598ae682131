"""Label and field selectors, in the grammar of apimachinery's `labels` and `fields` packages."""

import re
from collections.abc import Callable, Mapping

from cleaner.demo.kinds import Kind, Object
from cleaner.demo.status import bad_request

Test = Callable[[Object], bool]

_KEY = r"[A-Za-z0-9](?:[A-Za-z0-9_./-]*[A-Za-z0-9])?"
_SET = re.compile(rf"^({_KEY})\s+(in|notin)\s*\(([^()]*)\)$")
_EQUAL = re.compile(rf"^({_KEY})\s*(==|=|!=)\s*([A-Za-z0-9_.-]*)$")
_BARE = re.compile(rf"^(!?)\s*({_KEY})$")


def selected(kind: Kind, query: Mapping[str, str]) -> Test:
    """Whether an object is in what the query's `labelSelector` and `fieldSelector` ask for.

    Raises RefusedError (400) where a selector cannot be understood.
    """
    labels = [_label_test(part) for part in _parts(query.get("labelSelector", ""))]
    fields = [_field_test(kind, part) for part in _parts(query.get("fieldSelector", ""))]
    return lambda obj: all(test(obj) for test in (*labels, *fields))


def _parts(selector: str) -> list[str]:
    """Split at commas that do not stand inside parentheses."""
    return [part.strip() for part in re.split(r",(?![^()]*\))", selector) if part.strip()]


def _label_test(part: str) -> Test:
    if found := _SET.match(part):
        values = {value.strip() for value in found[3].split(",")}
        return _in(found[1], values, wanted=found[2] == "in")
    if found := _EQUAL.match(part):
        return _in(found[1], {found[3]}, wanted=found[2] != "!=")
    if found := _BARE.match(part):
        key, absent = found[2], bool(found[1])
        return lambda obj: (key in _labels(obj)) is not absent
    raise bad_request(f"unable to parse requirement: {part!r}")


def _labels(obj: Object) -> Mapping[str, str]:
    return obj["metadata"].get("labels") or {}


def _in(key: str, values: set[str], *, wanted: bool) -> Test:
    """An absent label is in no set, so `!=` and `notin` select it."""
    return lambda obj: (_labels(obj).get(key) in values) is wanted


def _field_test(kind: Kind, part: str) -> Test:
    found = re.match(r"^([A-Za-z.]+)(==|=|!=)(.*)$", part)
    if not found:
        raise bad_request(f"invalid selector: '{part}'; can't understand '{part}'")
    read = _field(kind, found[1])
    value, wanted = found[3], found[2] != "!="
    return lambda obj: (read(obj) == value) is wanted


def _field(kind: Kind, label: str) -> Callable[[Object], str]:
    if label in ("metadata.name", "metadata.namespace"):
        key = label.removeprefix("metadata.")
        return lambda obj: str(obj["metadata"].get(key, ""))
    if (kind.name, label) == ("Job", "status.successful"):
        return lambda obj: str(obj.get("status", {}).get("succeeded", 0))
    if (kind.name, label) == ("Pod", "status.phase"):
        return lambda obj: str(obj.get("status", {}).get("phase", ""))
    if kind.name == "Event" and re.match(r"^(involvedObject\.[A-Za-z]+|reason|type)$", label):
        return lambda obj: _dig(obj, label)
    raise bad_request(f'field label "{label}" not supported for {kind.name}')


def _dig(obj: Object, path: str) -> str:
    value: object = obj
    for key in path.split("."):
        value = value.get(key, "") if isinstance(value, dict) else ""
    return str(value)
