"""Kubernetes Events on GitRepos: what was deleted there, and what could not be."""
