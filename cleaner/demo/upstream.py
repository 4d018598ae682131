"""The git servers: one branch a GitRepo, to which somebody pushes now and then."""

import random

from cleaner.demo.kinds import Object
from cleaner.demo.store import Key, key_of


class Upstream:
    """The newest commit of each GitRepo's branch. `every` is the mean of seconds between two pushes, over all."""

    def __init__(self, rng: random.Random, every: float) -> None:
        self._rng = rng
        self._every = every
        self._next = 0.0
        self._heads: dict[Key, str] = {}

    def head(self, gitrepo: Object) -> str:
        """The newest commit: 40 hexadecimal digits."""
        return self._heads.get(key_of(gitrepo)) or self.push(gitrepo)

    def push(self, gitrepo: Object, commit: str = "") -> str:
        """A new commit; or one that was there before, as a forced push has it."""
        commit = commit or self._rng.randbytes(20).hex()
        self._heads[key_of(gitrepo)] = commit
        return commit

    def step(self, gitrepos: list[Object], now: float) -> None:
        """Push to one of the GitRepos, when it is time."""
        if now >= self._next and gitrepos:
            self.push(self._rng.choice(gitrepos))
            self._next = now + self._rng.uniform(0.5, 1.5) * self._every
