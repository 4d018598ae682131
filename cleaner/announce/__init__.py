"""Kubernetes Events on GitRepos: what was deleted there, and what could not be."""

from cleaner.announce.announcer import Announcer

__all__ = ["Announcer"]
