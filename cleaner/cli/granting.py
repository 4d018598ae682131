"""`gitjob-cleaner rights`: the roles that a command needs in a cluster, as manifests."""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import TextIO

from cleaner import __version__
from cleaner.cli.checking import faults_of, use_of
from cleaner.cli.wiring import own_namespace_of
from cleaner.rights import manifests, rights, roles
from cleaner.settings import Settings
from cleaner.settings.load import BadSettings

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")

HOME = "gitjob-cleaner"
"""The Namespace that is meant where none is named."""


def write_rights(out: TextIO, settings: Settings, flags: Mapping[str, str]) -> None:
    """
    Write the roles of a command that is to run in a Pod, and their bindings.

    Raises:
        BadSettings: the command itself would refuse them, or the account's name is none.

    """
    command, account, inside = flags["checked"], flags["account"], in_a_pod_of(settings)
    name = flags.get("name", account)
    faults = [*faults_of(inside, command), *_misnamed(flags)]
    if faults:
        raise BadSettings(faults)
    use = use_of(inside, command)
    out.write(f"# What gitjob-cleaner {__version__} needs to {command}, as ServiceAccount {account} in {inside.own_namespace}.\n")
    out.write(manifests(roles(rights(use), use, name), account, inside.own_namespace))


def _misnamed(flags: Mapping[str, str]) -> Iterator[str]:
    for flag in ("account", "name"):
        if flag in flags and not _NAME.fullmatch(flags[flag]):
            yield f"{flag}: {flags[flag]!r:.60} is no name of an object: small letters, digits, - and . are allowed"


def in_a_pod_of(settings: Settings) -> Settings:
    """Return the settings as they come out in a Pod, which knows its own Namespace and takes part in an election."""
    election = settings.leader_election
    return dataclasses.replace(
        settings,
        own_namespace=own_namespace_of(settings) or HOME,
        leader_election=not settings.dry_run if election is None else election,
    )
