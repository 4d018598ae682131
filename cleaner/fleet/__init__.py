"""How Fleet and Kubernetes write their objects: bytes in, facts out."""

from cleaner.fleet.adoption import NUDGED_EVERY, SEEN_LATER, read_adoptable
from cleaner.fleet.changes import Change, WatchError, read_change
from cleaner.fleet.errors import failure_of
from cleaner.fleet.names import job_name
from cleaner.fleet.objects import Shared
from cleaner.fleet.pages import (
    Page,
    Unreadable,
    find_job,
    gitrepo_page,
    job_page,
    namespace_page,
    read_gitrepo,
    read_gitrepo_state,
    read_identity,
    read_job,
    read_namespace,
)
from cleaner.fleet.pods import APPLIER, CLONER, pod_page
from cleaner.fleet.version import deployment_page, fleet_version, read_image_tag
from cleaner.fleet.wire import Body

__all__ = [
    "APPLIER",
    "CLONER",
    "NUDGED_EVERY",
    "SEEN_LATER",
    "Body",
    "Change",
    "Page",
    "Shared",
    "Unreadable",
    "WatchError",
    "deployment_page",
    "failure_of",
    "find_job",
    "fleet_version",
    "gitrepo_page",
    "job_name",
    "job_page",
    "namespace_page",
    "pod_page",
    "read_adoptable",
    "read_change",
    "read_gitrepo",
    "read_gitrepo_state",
    "read_identity",
    "read_image_tag",
    "read_job",
    "read_namespace",
]
