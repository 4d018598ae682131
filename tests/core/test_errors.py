"""Why a Job failed: what is read from its Pod's last words, and what of it may be told."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cleaner.cluster import ClusterError, Denied
from cleaner.failures import LOST, SILENT, error_of, shortened
from cleaner.fleet import Page, Unreadable, failure_of, pod_page
from cleaner.masking import masked
from cleaner.model import GitRepo, GitRepoState, Job, Outcome, Owner, Pod, identity

RECORDED = Path(__file__).parents[1] / "data" / "fleet"
VERSIONS = ["v0.10.2", "v0.10.4", "v0.14.10", "v0.16.1"]
NO_RESOURCE = "no resource found at the following paths to deploy: [does-not-exist]"
OWNER = Owner("fleet-local", "shop", "u-1")
JOB = Job(OWNER, identity("shop-1a2b3", "j-1", "7", "c0ffee"), 0.0, Outcome.FAILED, 1.0)
GITREPO = GitRepo("fleet-local", "shop", "u-1", ("c0ffee",), ("shop-1a2b3",))


def pod(name: str, created: float, message: str, outcome: Outcome = Outcome.FAILED, job_uid: str = "j-1") -> Pod:
    """Make a Pod of the Job."""
    return Pod("fleet-local", name, f"p-{name}", "1", "shop-1a2b3", job_uid, "shop", "c0ffee", created, outcome, message=message)


class World:
    """Holds Pods and a GitRepo as somebody has read them."""

    def __init__(self, *pods: Pod, state: GitRepoState | None = None, refused: ClusterError | None = None) -> None:
        self.found, self.gitrepo, self.refused = list(pods), state, refused
        self.unreadable: list[Unreadable] = []

    def pods(self, namespace: str, job_uid: str = "") -> Iterator[Page[Pod]]:
        if self.refused:
            raise self.refused
        yield Page([p for p in self.found if p.namespace == namespace and p.job_uid == job_uid], self.unreadable, 0, "1", "")

    def state(self, namespace: str, name: str) -> GitRepoState | None:
        return self.gitrepo if (namespace, name) == ("fleet-local", "shop") else None


def line(error: str, **more: Any) -> str:
    return json.dumps({"fleetErrorMessage": error, "level": "fatal", "msg": "Fleet cli failed"} | more)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_a_recorded_pod_says_is_reduced_to_what_fleet_tells(version: str) -> None:
    raw = json.loads((RECORDED / version / "pod-failed.json").read_text(encoding="utf-8"))
    page = pod_page(msgspec.json.encode({"items": raw.get("items", [raw])}))

    assert [failure_of(found.message) for found in page.facts] == [NO_RESOURCE] * len(page.facts)
    assert page.facts


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (line("one"), "one"),
        (f"cloning\n{line('a {brace} in it')}\nlast", "a {brace} in it"),
        (f"Job Failed. failed: 1/1{line('one')}{line('two')}", "one\ntwo"),
        (f"{line('same')}\n{line('same')}", "same"),
        (line(""), line("")),
        (line(" "), line(" ")),
        ('{"fleetErrorMessage": 7}', '{"fleetErrorMessage": 7}'),
        ('{"fleetErrorMessage": "cut', '{"fleetErrorMessage": "cut'),
        ("fatal: could not read\nUsername", "fatal: could not read\nUsername"),
        ("[" * 5000 + "{" * 5000, ""),
        ("", ""),
        ("halfofapassword@host/x\n" + "x" * 2100, "x" * 2100),
        ("halfofapassword@host/x " + "x" * 2100, "x" * 2100),
    ],
)
def test_an_error_among_other_words(message: str, told: str) -> None:
    assert failure_of(message) == told


def test_the_newest_failed_pod_of_that_very_job_counts() -> None:
    world = World(
        pod("b", 20.0, line("newest")),
        pod("a", 10.0, line("older")),
        pod("c", 30.0, "", Outcome.SUCCEEDED),
        pod("d", 40.0, line("another run"), job_uid="j-2"),
        state=GitRepoState(GITREPO, "1", status="Failed", stalled="what Fleet says"),
    )

    assert error_of(world, JOB) == "newest"


def test_fleet_is_asked_only_where_no_pod_is_left() -> None:
    failed = GitRepoState(GITREPO, "1", status="Failed", stalled=f"Job Failed. failed: 1/1{line('boom')}")

    assert error_of(World(pod("a", 1.0, ""), state=failed), JOB) == SILENT
    assert error_of(World(state=failed), JOB) == "boom"
    assert error_of(World(state=msgspec.structs.replace(failed, status="Current")), JOB) == LOST
    assert error_of(World(state=msgspec.structs.replace(failed, stalled=None)), JOB) == LOST
    assert error_of(World(), JOB) == LOST


def test_fleet_is_not_believed_of_another_job_or_gitrepo() -> None:
    other = msgspec.structs.replace(GITREPO, commits=("beef",), current_names=("shop-beef",))
    namesake = msgspec.structs.replace(GITREPO, uid="u-2")

    for gitrepo in (other, namesake):
        assert error_of(World(state=GitRepoState(gitrepo, "1", status="Failed", stalled="no")), JOB) == LOST


def test_what_cannot_be_read_is_no_error_of_the_job() -> None:
    with pytest.raises(Denied):
        error_of(World(refused=Denied("403")), JOB)
    world = World()
    world.unreadable = [Unreadable("fleet-local", "bad", "no")]
    with pytest.raises(ClusterError, match="bad cannot be understood"):
        error_of(world, JOB)


@pytest.mark.parametrize(
    "text",
    [
        "fatal: unable to access 'https://user:hunter2@git.example/x.git/': 403",
        "fatal: https://user:hun/hunter2@git.example/x.git",
        "fatal: https://user:p@hunter2@git.example/x.git",
        "https://git.example/x?token=hunter2&x=1",
        "Authorization: Bearer hunter2",
        "authorization: Basic hunter2",
        '{"token":"hunter2","x":1}',
        "access_token=hunter2",
        "GIT_PASSWORD: 'hunter2'",
        "ghp_hunter2hunter2",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n-----END OPENSSH PRIVATE KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----\nhunter2",
        "-----BEGIN PGP PRIVATE KEY BLOCK-----\nhunter2\n-----END PGP PRIVATE KEY BLOCK-----",
        r'{"msg":"values {\"password\":\"a hunter2\"} are wrong"}',
        r'{"password":"a\"hunter2"}',
        r"https:\/\/user:hunter2@git.example\/x",
        "https%3A%2F%2Fuser%3Ahunter2%40git.example",
        'parse "https://user:a hunter2@git.example/x": net/url: invalid userinfo',
        'password: "a hunter2"',
        "password: basicallyhunter2",
        "helm --password hunter2 pull",
        "aws_secret_access_key=hunter2",
        "x-api-key: hunter2",
        "Authorization: token hunter2",
        '{"auths":{"registry.example":{"auth":"hunter2"}}}',
        "a token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJodW50ZXIyIn0.hunter2",
    ],
)
def test_no_credential_is_told(text: str) -> None:
    assert "hunter2" not in masked(text)


def test_a_url_that_holds_no_credential_stays() -> None:
    for text in (
        "https://git.example:8080/x@v1 is not there",
        "ssh://git.example/x.git",
        "no route to host",
        'secret "shop" not found',
        "https://git.example: mail a@b.example",
        "http://git.example:8080 refused a@b.example",
    ):
        assert masked(text) == text


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "part", ["://a:", "token", 'secret="', 'secret=\\"', "%3A%2F%2F", "-----BEGIN ", "--token-", "\\", "eyJa."]
)
def test_no_text_takes_long_to_mask(part: str) -> None:
    assert masked(part * (16_384 // len(part))) is not None


@pytest.mark.parametrize("letter", ["x", "é", "€", "😀"])
def test_what_is_cut_keeps_its_beginning_and_its_end(letter: str) -> None:
    text = "cloning " + letter * 3000 + " the end: no such branch"

    cut = shortened(text, 200)

    assert len(cut.encode()) <= 200
    assert cut.startswith("cloning")
    assert cut.endswith("the end: no such branch")
    assert " … " in cut
    assert shortened("short", 200) == "short"
    assert shortened("\ud800lone", 200) == "?lone"
