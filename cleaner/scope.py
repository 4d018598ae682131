"""Which Namespaces and GitRepos one installation looks after."""

import fnmatch
import re
from collections.abc import Mapping

import msgspec

from cleaner.model import GitRepo

_GLOB = re.compile(r"(?:[a-z0-9*?-]|\[!?[a-z0-9-]+\])+")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_KEY = r"(?:[A-Za-z0-9][-A-Za-z0-9_.]*/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?"
_VALUE = r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)?"
_EQUAL = re.compile(rf"({_KEY})\s*(==|=|!=)\s*({_VALUE})")
_SET = re.compile(rf"({_KEY})\s+(in|notin)\s*\(([^()]*)\)")
_EXISTS = re.compile(rf"(!?)\s*({_KEY})")
_SPLIT = re.compile(r",(?![^(]*\))")


class Requirement(msgspec.Struct, frozen=True):
    """One part of a label selector; `values` of None asks only whether the label is there."""

    key: str
    wanted: bool
    values: frozenset[str] | None = None

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether labels satisfy it; as in Kubernetes, `!=` and `notin` hold where the label is missing."""
        if self.values is None:
            return (self.key in labels) is self.wanted
        return (labels.get(self.key) in self.values) is self.wanted


def parse_selector(text: str) -> tuple[Requirement, ...]:
    """
    Read a label selector in kubectl's form: `a=b,c!=d,e in (f,g),h notin (i),j,!k`.

    Raises:
        ValueError: a part of it is none of these.

    """
    return tuple(_requirement(part.strip()) for part in _SPLIT.split(text)) if text.strip() else ()


def _requirement(part: str) -> Requirement:
    if found := _EQUAL.fullmatch(part):
        return Requirement(found[1], found[2] != "!=", frozenset({found[3]}))
    if found := _SET.fullmatch(part):
        values = frozenset(value.strip() for value in found[3].split(","))
        if all(re.fullmatch(_VALUE, value) for value in values):
            return Requirement(found[1], found[2] == "in", values)
    if found := _EXISTS.fullmatch(part):
        return Requirement(found[2], not found[1])
    raise ValueError(f"{part!r:.80} is not a label selector like env=prod, env!=prod, env in (a,b), env or !env")


def parse_glob(text: str) -> str:
    """
    Check a pattern for Namespace names: `*`, `?` and `[a-z]` beside the characters of a name.

    Raises:
        ValueError: it holds anything else.

    """
    if not _GLOB.fullmatch(text):
        raise ValueError(f"{text!r:.80} is not a pattern for Namespaces like team-* or shop-[ab]")
    return text


def parse_namespace(text: str) -> str:
    """
    Check the name of a Namespace.

    Raises:
        ValueError: Kubernetes could not have such a Namespace.

    """
    if not _NAME.fullmatch(text):
        raise ValueError(f"{text!r:.80} is not the name of a Namespace")
    return text


class Scope(msgspec.Struct, frozen=True):
    """What is looked after: no names mean every Namespace; no requirements mean every GitRepo."""

    namespaces: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    selector: tuple[Requirement, ...] = ()

    def covers_namespace(self, name: str) -> bool:
        """Whether the Jobs of a Namespace are looked after."""
        named = not self.namespaces or name in self.namespaces
        return named and not any(fnmatch.fnmatchcase(name, glob) for glob in self.exclude)

    def covers(self, gitrepo: GitRepo) -> bool:
        """Whether the labels of a GitRepo satisfy the selector."""
        if not self.selector:
            return True
        labels = dict(gitrepo.labels)
        return all(requirement.holds(labels) for requirement in self.selector)
