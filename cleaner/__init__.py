"""Deletes the finished Jobs of Fleet GitRepos that nothing needs any more, and says why it keeps the rest."""

__version__ = "0.1.0"
