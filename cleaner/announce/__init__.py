"""Kubernetes Events on GitRepos: what was deleted there, what could not be, and why Jobs failed."""

from cleaner.announce.announcer import Announcer
from cleaner.announce.evidence import Evidence
from cleaner.announce.recall import Recall

__all__ = ["Announcer", "Evidence", "Recall"]
