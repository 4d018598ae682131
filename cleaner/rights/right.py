"""One right in RBAC's words: where it is needed, what for, and what is lost without it."""

import enum
from collections.abc import Iterator

import msgspec


class Where(enum.Enum):
    """Where a right is needed: by a Role in some Namespaces, or by a ClusterRole."""

    NAMED = "each named Namespace"
    CLUSTER = "the whole cluster"
    OWN = "its own Namespace"
    FLEET = "Fleet's Namespace"


class Use(msgspec.Struct, frozen=True):
    """
    What is to be run, as far as its rights depend on it.

    `namespaces` are those that are looked after, None is the whole cluster; `own_namespace` may be empty. `elects`: it takes part
    in an election by a Lease; `watches`: it watches between its lists; `fleet_told`: a setting tells Fleet's version.
    """

    command: str = "sweep"
    namespaces: tuple[str, ...] | None = None
    own_namespace: str = ""
    fleet_namespace: str = "cattle-fleet-system"
    lease: str = "gitjob-cleaner"
    migration_lease: str = "gitjob-cleaner-migration"
    current: str = "keep"
    dry_run: bool = False
    watches: bool = True
    elects: bool = False
    events: bool = True
    evidence: bool = False
    orphaned_pods: bool = False
    guard: bool = True
    wait: bool = False
    all_failed: bool = False
    nudge: bool = False
    fleet_told: bool = False

    @property
    def scope(self) -> Where:
        """Where the rights on what is looked after are needed."""
        return Where.CLUSTER if self.namespaces is None else Where.NAMED

    def places(self, where: Where) -> tuple[str, ...]:
        """Namespaces in which a right is needed; an empty name is the whole cluster."""
        if where is Where.NAMED:
            return self.namespaces or ()
        return {Where.CLUSTER: ("",), Where.OWN: (self.own_namespace,), Where.FLEET: (self.fleet_namespace,)}[where]


class Access(msgspec.Struct, frozen=True):
    """One question to the API: may we do this in a Namespace (empty: in all), to an object of this name (empty: to any)."""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""


class Right(msgspec.Struct, frozen=True):
    """
    One right. `resource` may name a subresource (`pods/log`); `name` is that of the only object that it is needed for, if any.

    `lost` says what is lost without it; empty where the command cannot do its work without.
    """

    verb: str
    group: str
    resource: str
    where: Where
    purpose: str
    lost: str = ""
    name: str = ""

    @property
    def needed(self) -> bool:
        """Whether the command cannot do its work without."""
        return not self.lost

    def accesses(self, use: Use) -> Iterator[Access]:
        """Yield what is to be asked for it, one for each place."""
        return (Access(self.verb, self.group, self.resource, place, self.name) for place in use.places(self.where))
