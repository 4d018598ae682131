"""The lines on Fleet: its version, what that means for what was set, and its own clean-up."""

from collections.abc import Iterator

import msgspec

from cleaner.cluster import ClusterError, OwnCleanUp, Reviews
from cleaner.durations import Seconds
from cleaner.model import Fleet
from cleaner.preflight.lines import Line, fine, warning
from cleaner.retention.stuck import polling_dies
from cleaner.rights import Use

_DAY: Seconds = 86400.0


class Keeps(msgspec.Struct, frozen=True):
    """How many succeeded Jobs of old commits are to stay, and how long."""

    succeeded: int = 0
    age: Seconds = 600.0


def fleet_lines(fleet: Fleet, use: Use) -> Iterator[Line]:
    """Tell which Fleet runs, and what follows from that."""
    if fleet.version == "unknown":
        advice = "it counts as Fleet <= 0.10.3, the most dangerous case; where it cannot be seen, set fleet_version"
        yield warning("fleet", f"Fleet's version is not known: {fleet.detail}", advice)
    elif fleet.recreates:
        yield warning("fleet", f"Fleet {fleet.version} makes a current Job again as soon as it is gone", "upgrade Fleet")
    else:
        yield fine("fleet", f"Fleet {fleet.version}")
    if polling_dies(fleet.version):
        found = f"in Fleet {fleet.version} the polling of a GitRepo may die by itself"
        yield warning("fleet", found, "upgrade Fleet; gitjob-cleaner retry --nudge wakes one")
    if fleet.recreates and use.current != "keep" and use.command in ("sweep", "run"):
        yield warning("current", f"current: {use.current} has no effect before Fleet >= 0.10.4 is seen: current Jobs stay")
    if fleet.recreates and use.command == "migrate":
        yield warning("fleet", "migrate begins once Fleet >= 0.10.4 has rolled out", "it waits for that, wait_limit at most")


def clean_up_line(reviews: Reviews, keeps: Keeps) -> Line:
    """Tell whether Fleet's own clean-up runs beside ours."""
    try:
        found = reviews.own_clean_up()
    except ClusterError as error:
        return fine("clean-up", f"whether Fleet's own clean-up runs cannot be seen ({error}); both can run side by side")
    if found is None:
        return fine("clean-up", "Fleet's own clean-up CronJob is not there")
    if found.suspended:
        return fine("clean-up", f"Fleet's own {found.name} is suspended")
    return _beside(found, keeps)


def _beside(found: OwnCleanUp, keeps: Keeps) -> Line:
    what = f"Fleet's own {found.name} ({found.schedule}) deletes succeeded Jobs, failed ones never; both can run side by side"
    if not keeps.succeeded and keeps.age <= _DAY:
        return fine("clean-up", f"{what}: what one has deleted, the other finds gone")
    wish = "succeeded_keep" if keeps.succeeded else "succeeded_age"
    return warning(
        "clean-up",
        f"{what}, but it does not know {wish}: succeeded Jobs of old commits go all the same",
        "switch it off in Fleet's Helm values: migrations.gitrepoJobsCleanup: false",
    )
