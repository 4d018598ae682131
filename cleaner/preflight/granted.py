"""The lines on rights: one for each right that is there, and one for each place where it is not."""

from collections.abc import Iterator, Mapping

from cleaner.cluster import Allowed, Denied, Reviews
from cleaner.preflight.lines import UNREACHABLE, Line, State, fine
from cleaner.rights import Access, Right, Use, Where, rights

Answers = Mapping[Access, Allowed]


class Granted:
    """The rights of a use, and the API's word on each."""

    def __init__(self, reviews: Reviews, use: Use) -> None:
        self._use, self._rights = use, rights(use)
        asked = dict.fromkeys(access for right in self._rights for access in right.accesses(use))
        self._answers: Answers = {each.access: each for each in reviews.may(asked)}

    def everything_is_refused(self) -> bool:
        """Whether each answer on what is needed was no, or a refusal to answer; where no answer came, nobody knows."""
        needed = [self._answers[access] for right in self._rights if right.needed for access in right.accesses(self._use)]
        refused = [not answer.allowed and isinstance(answer.error, Denied | None) for answer in needed]
        return bool(refused) and all(refused)

    def may_read(self, resource: str) -> bool:
        """Whether we may get a resource in our own Namespace, as far as that is in the table."""
        places = (Where.CLUSTER, Where.OWN)
        mine = [each for each in self._rights if each.where in places and (each.verb, each.resource) == ("get", resource)]
        return bool(mine) and all(self._answers[access].allowed for right in mine for access in right.accesses(self._use))

    def lines(self) -> Iterator[Line]:
        """Yield the lines, in the order of the table."""
        for right in self._rights:
            accesses = list(right.accesses(self._use))
            missing = [access for access in accesses if not self._answers[access].allowed]
            if not missing:
                yield fine("right", f"{_words(right)} in {_where(right, accesses)}: {right.purpose}")
            yield from (_missing(right, self._answers[access]) for access in missing)


def _words(right: Right) -> str:
    group = f".{right.group}" if right.group else ""
    return f"{right.verb} {right.resource}{group}" + (f" {right.name}" if right.name else "")


def _where(right: Right, accesses: list[Access]) -> str:
    if len(accesses) == 1:
        return _place(accesses[0])
    return f"{right.where.value} ({len(accesses)})"


def _place(access: Access) -> str:
    return access.namespace or "the whole cluster"


def _missing(right: Right, answer: Allowed) -> Line:
    access = answer.access
    what = f"{_words(right)} in {_place(access)}"
    lost = f"; without it {right.lost}" if right.lost else ""
    state = State.FAILED if right.needed else State.WARNING
    if answer.error is None:
        return Line("right", state, f"may not {what}: {right.purpose}{lost}", _grant(access), access=access)
    found = f"whether it may {what} could not be asked ({answer.error}): {right.purpose}{lost}"
    # As for every command: whom the API does not answer comes again later.
    return Line("right", state, found, "check again", code=1 if isinstance(answer.error, Denied) else UNREACHABLE)


def _grant(access: Access) -> str:
    """Write the rule that is missing as YAML's flow form, to be pasted into a role."""
    kind = f"a Role in {access.namespace}" if access.namespace else "a ClusterRole"
    named = f', resourceNames: ["{access.name}"]' if access.name else ""
    rule = f'{{apiGroups: ["{access.group}"], resources: ["{access.resource}"], verbs: ["{access.verb}"]{named}}}'
    return f"add to {kind}: {rule}"
