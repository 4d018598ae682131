"""The name that Fleet gives to the Job of a commit."""

import hashlib

_LONGEST = 64


def _hex(text: str, length: int) -> str:
    # Fleet's own choice of hash; it only has to be the same, not strong.
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:length]


def _safe_concat(*parts: str) -> str:
    """Join with dashes and shorten what is too long for a label, as Fleet's `names.SafeConcatName` does."""
    full = "-".join(parts).encode()
    if len(full) < _LONGEST:
        return full.decode()
    digest = hashlib.sha256(full).hexdigest()
    if chr(full[56]) in "abcdefghijklmnopqrstuvwxyz0123456789":
        return f"{full[:57].decode(errors='replace')}-{digest[:5]}"
    return f"{full[:56].decode(errors='replace')}-{digest[:6]}"


def job_name(gitrepo: str, repo: str, commit: str) -> str:
    """
    Name of the Job that runs `commit` of the GitRepo.

    The same formula in every Fleet from 0.9 to 0.16: `jobName` in its gitops reconciler, over `spec.repo` and `status.commit`.
    """
    return _safe_concat(gitrepo, _hex(repo + commit, 5))
