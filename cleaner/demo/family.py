"""How Fleet's versions differ in the Jobs that they make, and the name that they all give to a Job."""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """A Fleet version as far as its Jobs show it."""

    version: str
    backoff_limit: int
    """Retries after the first failed Pod: 2 until v0.10, 0 from v0.11."""
    labelled: bool
    """Writes the two fleet labels (v0.10.4 and later)."""
    known_hosts: bool
    """Passes the whole known_hosts text in the environment (v0.12.1 and later)."""
    clone_command: tuple[str, ...]
    """What starts the init container, before `gitcloner`."""

    @property
    def image(self) -> str:
        """The image of the controller and of both containers of its Jobs."""
        return f"rancher/fleet:{self.version}"


V0_10_2 = Family("v0.10.2", 2, labelled=False, known_hosts=False, clone_command=("fleet",))
V0_12_4 = Family("v0.12.4", 0, labelled=True, known_hosts=True, clone_command=("log.sh", "fleet"))


def job_name(gitrepo: str, repo: str, commit: str) -> str:
    """The name of the Job for a commit: Fleet's `jobName`, the same in every version from v0.9 on."""
    digest = hashlib.md5((repo + commit).encode(), usedforsecurity=False).hexdigest()
    return safe_concat(gitrepo, digest[:5])


def safe_concat(*parts: str) -> str:
    """Joined with dashes and at most 63 characters: Fleet's `SafeConcatName`, cut and marked with a digest."""
    full = "-".join(parts)
    if len(full) < 64:
        return full
    digest = hashlib.sha256(full.encode()).hexdigest()
    letter = full[56]
    return f"{full[:57]}-{digest[:5]}" if letter.isascii() and letter.isalnum() else f"{full[:56]}-{digest[:6]}"
