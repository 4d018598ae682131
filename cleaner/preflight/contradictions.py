"""Settings that are each right, and together do not do what somebody may expect."""

from collections.abc import Iterator

from cleaner.preflight.lines import Line, warning
from cleaner.rights import Use


def contradictions(use: Use) -> Iterator[Line]:
    """Yield a warning for each."""
    if use.namespaces == ():
        yield warning("settings", "exclude_namespaces leaves none of the named Namespaces", "nothing is looked after")
    if use.command == "run" and use.evidence and use.dry_run:
        yield warning("settings", "evidence keeps nothing in a dry run")
    if use.command == "run" and use.evidence and not (use.events or use.dry_run):
        found = "events is false, but evidence writes Events all the same: they are what keeps the errors"
        yield warning("settings", found, "evidence: false, to have none")
    if use.command == "sweep" and use.evidence:
        yield warning("settings", "evidence is for run: a sweep keeps no errors of Jobs that it does not delete")
    if use.command == "guard" and not use.guard:
        yield warning("settings", "guard is false: it holds nothing, and takes its finalizer off what it finds")
    if use.command == "migrate" and use.orphaned_pods:
        yield warning("settings", "orphaned_pods is not for migrate", "a sweep afterwards sees to them")
