"""Which Fleet runs in the cluster, and whether it makes a deleted current Job again."""

import re

import msgspec

from cleaner import model
from cleaner.fleet import wire
from cleaner.fleet.pages import Page
from cleaner.fleet.wire import Body

_LISTED = msgspec.json.Decoder(wire.Listed[wire.Deployment])
_METADATA = msgspec.json.Decoder(wire.Listed[msgspec.Raw])
_TAG = re.compile(r"v?(\d{1,6})\.(\d{1,6})\.(\d{1,6})(?:-(.+))?")
_FIXED = (0, 10, 4)

# Pre-releases of the two lines that were under way when 0.10.4 changed this (Fleet's tags, read one by one): the others
# are taken for the old behaviour.
_FIXED_PRERELEASES = {
    (0, 10, 4): re.compile(r"rc\.([2-9]|\d{2,})$|hotfix-"),
    (0, 11, 0): re.compile(r"(beta|rc)\.\d+$"),
}

Version = tuple[int, int, int]


def read_image_tag(image: str) -> str:
    """Tag of an image reference; empty where a digest pins it, for then the tag proves nothing, and where there is none."""
    if "@" in image:
        return ""
    _, _, tag = image.rpartition("/")[2].partition(":")
    return tag


def fleet_version(bodies: list[Body], setting: str = "") -> model.Fleet:
    """
    Tell the lowest Fleet over all `gitjob*` Deployments, from the pages of a list of Fleet's own namespace.

    An unfinished rollout and a tag that cannot be read count as the oldest. The setting stands in where nothing is seen and can
    lower what is seen, never raise it.
    """
    tags: list[str] = []
    for body in bodies:
        try:
            deployments = _LISTED.decode(body).items or []
        except (msgspec.DecodeError, UnicodeDecodeError):
            return model.Fleet(detail="the Deployments of Fleet's namespace cannot be read")
        tags += [tag for d in deployments if d.metadata.name.startswith("gitjob") for tag in _tags(d)]
    return lowest([*tags, setting] if setting else tags)


def deployment_page(body: Body) -> Page[Body]:
    """
    Cut a list of Deployments into pages that `fleet_version` reads: the one fact of a page is the page.

    Raises:
        msgspec.DecodeError: the body is not a list of anything.

    """
    listed = _METADATA.decode(body).metadata
    return Page([body], [], 0, listed.resourceVersion, listed.next)


def lowest(tags: list[str]) -> model.Fleet:
    """Lowest of some tags; one that cannot be read is lower than all."""
    if not tags:
        return model.Fleet(detail="no gitjob Deployment is seen in Fleet's namespace")
    for tag in tags:
        if _parse(tag) is None:
            return model.Fleet(
                detail=f"a gitjob Deployment has {tag!r:.80}" if tag else "a gitjob Deployment has no readable tag"
            )
    version, fixed, tag = min((_parse(tag) or (0, 0, 0), is_fixed(tag), tag) for tag in tags)
    return model.Fleet(".".join(map(str, version)), recreates=not all(map(is_fixed, tags)), detail=tag if fixed else "")


def is_fixed(tag: str) -> bool:
    """Whether the Fleet of this tag leaves a deleted current Job alone: 0.10.4 and later, but for 0.10.4-rc.1."""
    version, prerelease = _parse(tag), _prerelease(tag)
    if version is None or version < _FIXED:
        return False
    known = _FIXED_PRERELEASES.get(version)
    return not prerelease or known is None or bool(known.match(prerelease))


def _parse(tag: str) -> Version | None:
    found = _TAG.fullmatch(tag)
    return found and (int(found[1]), int(found[2]), int(found[3]))


def _prerelease(tag: str) -> str:
    found = _TAG.fullmatch(tag)
    return found[4] or "" if found else ""


def _tags(deployment: wire.Deployment) -> list[str]:
    """Tags that a Deployment may be running; an unfinished rollout gives one that cannot be read."""
    spec, status = deployment.spec, deployment.status
    wanted = 1 if spec.replicas is None else spec.replicas
    counts = {status.replicas, status.updatedReplicas, status.availableReplicas}
    observed = status.observedGeneration == (deployment.metadata.generation or 0)
    if not observed or counts != {wanted} or status.terminatingReplicas:
        return ["an unfinished rollout"]
    containers = spec.template.spec.containers or []
    named = [c for c in containers if c.name == "gitjob"] or containers
    return [read_image_tag(container.image) for container in named] or [""]
