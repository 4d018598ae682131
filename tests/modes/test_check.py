"""`check`: what it says to whom may do all, to whom lacks one right, and of a world in which something is wrong."""

import email.utils
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from cleaner.cli import run as run_here
from cleaner.rights import Right, rights
from tests.edge.servers import LEASES, must, patch, put_gitjob
from tests.edge.serving import eventually
from tests.modes.granting import Mode, grant
from tests.modes.running import Said, run
from tests.modes.terminal import on_a_terminal
from tests.world import seed
from tests.world.control_plane import ADMIN, ControlPlane
from tests.world.ports import free_ports
from tests.world.proxy import Answer, Fault, Proxy, Request, Rewrite

NAMES, HOME, FLEET = ("team-a", "team-b"), "cleaner-home", "cattle-fleet-system"
_NAMED, _HOME = {"namespaces": ",".join(NAMES)}, {"own_namespace": HOME}
_ALL = {"current": "all", "orphaned_pods": "true"}
_SERVING = {**_HOME, **_ALL, "leader_election": "true", "evidence": "true"}
MODES = {
    "sweep": Mode("sweep", {}),
    "sweep named": Mode("sweep", {**_NAMED, **_HOME, **_ALL}),
    "run": Mode("run", _SERVING),
    "run named": Mode("run", {**_NAMED, **_SERVING}),
    "migrate": Mode("migrate", {**_HOME, "leader_election": "true"}),
    "explain": Mode("explain", {**_NAMED, "orphaned_pods": "true"}),
    "retry": Mode("retry", {**_NAMED, "wait": "true"}),
    "retry all": Mode("retry", {**_NAMED, "all_failed": "true"}),
    "guard": Mode("guard", _HOME),
    "release": Mode("release", _NAMED),
}
USERS = {name: f"account-{n}" for n, name in enumerate(MODES)}
CLEAN_UP = f"/apis/batch/v1/namespaces/{FLEET}/cronjobs"
ESCAPE = "\x1b]0;owned\x07\x9b2J"


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """A world of its own, in which Fleet 0.16.1 runs, and each mode has an account."""
    with ControlPlane({user: user for user in USERS.values()}, audit=True) as started:
        started.with_crd()
        for name in (*NAMES, HOME):
            seed.namespace(started, name)
        put_gitjob(started, FLEET, "rancher/fleet:v0.16.1")
        yield started


def lines_of(document: Any, check: str = "") -> list[tuple[str, str]]:
    """State and text of the lines, or of those of one kind."""
    return [(line["state"], line["found"]) for line in document["lines"] if check in ("", line["check"])]


def check(plane: ControlPlane, *arguments: str, server: str = "", token: str = "") -> Said:
    """Check as an administrator, or as a user, with JSON."""
    config = plane.kubeconfig(server=server or None, token=token or ADMIN)
    return run("check", *arguments, "--output", "json", kubeconfig=config)


class Here:
    """`check` in this process, which is quick."""

    def __init__(self, plane: ControlPlane, mode: str, captured: Any, token: str = "") -> None:
        self._captured = captured
        config = plane.kubeconfig(token=token or USERS[mode])
        self._line = ["check", MODES[mode].command, *MODES[mode].line(output="json", kubeconfig=str(config))]

    def document(self) -> Any:
        """What it says."""
        self._captured.readouterr()
        run_here(self._line)
        return json.loads(self._captured.readouterr().out)


@pytest.mark.parametrize("mode", MODES)
def test_with_exactly_the_rights_of_the_table_all_is_well(plane: ControlPlane, mode: str, capsysbinary: Any) -> None:
    grant(plane, USERS[mode], MODES[mode].use)
    here = Here(plane, mode, capsysbinary)

    # The API hears of a role a moment after it was made.
    eventually(lambda: here.document()["exit_code"] == 0, here.document)
    said = here.document()

    assert {line["state"] for line in said["lines"]} == {"ok"}, said
    assert len(lines_of(said, "right")) == len(rights(MODES[mode].use))
    assert (said["user"], said["command"], said["checked"]) == (USERS[mode], "check", MODES[mode].command)


@pytest.mark.parametrize(("mode", "right"), [(name, right) for name, mode in MODES.items() for right in rights(mode.use)])
def test_each_right_that_is_taken_away_is_named(plane: ControlPlane, mode: str, right: Right, capsysbinary: Any) -> None:
    """Where several Namespaces are named, from the last of them alone."""
    use, here = MODES[mode].use, Here(plane, mode, capsysbinary)
    place = use.places(right.where)[-1]
    grant(plane, USERS[mode], use, lambda each, where: each == right and where == place)

    def missing() -> list[Any]:
        return [line for line in here.document()["lines"] if line["right"] is not None]

    what = {"verb": right.verb, "group": right.group, "resource": right.resource, "namespace": place, "name": right.name}
    eventually(lambda: [line["right"] for line in missing()] == [what], missing)
    (line,) = missing()
    assert line["state"] == ("failed" if right.needed else "warning")
    assert right.lost in line["found"]
    assert (f"a Role in {place}" if place else "a ClusterRole") in line["advice"]
    assert here.document()["exit_code"] == int(right.needed)


def test_it_changes_nothing(plane: ControlPlane, capsysbinary: Any) -> None:
    mark = plane.audit_end
    for mode in MODES:
        assert Here(plane, mode, capsysbinary, ADMIN).document()["exit_code"] == 0

    asked = {(event["verb"], event["objectRef"]["resource"]) for event in plane.audit(mark) if "objectRef" in event}
    assert {verb for verb, _ in asked} == {"get", "list", "create"}
    assert {what for verb, what in asked if verb == "create"} == {"selfsubjectaccessreviews", "selfsubjectreviews"}


def test_the_table_says_it_in_lines(plane: ControlPlane) -> None:
    said = run("check", *MODES["sweep named"].line(), kubeconfig=plane.kubeconfig())
    first, *lines, last = [" ".join(line.split()) for line in said.out.splitlines()]

    assert (said.code, said.err) == (0, "")
    assert first.startswith("gitjob-cleaner ")
    assert f"check sweep · context world · {plane.url}" in first
    assert "ok right delete jobs.batch in each named Namespace (2): the deletions" in lines
    assert last.startswith("0 failed, 0 warning, ")


def test_on_a_terminal_what_to_do_has_a_column(plane: ControlPlane) -> None:
    code, shown = on_a_terminal(plane.kubeconfig(), "", "check", "--own-namespace", HOME)

    assert code == 0
    assert "WHAT TO DO" in shown


def test_who_may_nothing_is_told_so_once_more_and_by_the_exit_code(plane: ControlPlane) -> None:
    said = check(plane, token="user-0")

    assert said.code == 3
    assert lines_of(said.document, "rights") == [("failed", "everything that is needed is refused")]


def test_a_token_that_nobody_knows_is_refused_everything(plane: ControlPlane) -> None:
    assert check(plane, token="nobody").code == 3


def test_a_server_that_is_not_there_is_one_line(plane: ControlPlane) -> None:
    (port,) = free_ports(1)
    said = check(plane, server=f"https://127.0.0.1:{port}")

    assert (said.code, said.err) == (4, "")
    (line,) = [line for line in said.document["lines"] if line["state"] == "failed"]
    assert (line["check"], line["found"].startswith("the API cannot be reached: ")) == ("server", True)


def test_a_kubeconfig_that_is_not_there_is_one_line() -> None:
    said = run("check", "--kubeconfig", "no-such-file")

    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)


def test_a_command_that_is_none_is_refused() -> None:
    said = run("check", "demo")

    assert (said.code, said.err.count("\n")) == (2, 1)


@pytest.mark.parametrize(("command", "code", "state"), [("sweep", 5, "failed"), ("run", 5, "failed"), ("explain", 0, "warning")])
def test_a_clock_that_is_off(plane: ControlPlane, command: str, code: int, state: str) -> None:
    def late(_: Request) -> Fault:
        return Rewrite(lambda body: body, {"Date": email.utils.formatdate(time.time() - 90, usegmt=True)})

    with Proxy(plane, late) as proxy:
        said = check(plane, command, server=proxy.url)

    assert said.code == code, said
    assert [(found, "differ by" in text) for found, text in lines_of(said.document, "clock")] == [(state, True)]


def test_answers_without_a_date(plane: ControlPlane) -> None:
    def undated(_: Request) -> Fault:
        return Rewrite(lambda body: body, {"Date": ""})

    with Proxy(plane, undated) as proxy:
        said = check(plane, server=proxy.url)

    assert said.code == 5


@pytest.mark.parametrize("where", ["namespace", "lease"])
def test_a_pause_is_shown_harmless_and_stops_it(plane: ControlPlane, where: str) -> None:
    home = seed.namespace(plane)
    pause: dict[str, Any] = {"metadata": {"annotations": {"gitjob-cleaner/pause": ESCAPE}}}
    if where == "namespace":
        patch(plane, f"/api/v1/namespaces/{home}", pause)
    else:
        pause["metadata"] |= {"name": "gitjob-cleaner"}
        must(plane.request("POST", LEASES.format(home), pause))
    table = run("check", "--own-namespace", home, kubeconfig=plane.kubeconfig())
    said = check(plane, "--own-namespace", home)
    guard = check(plane, "guard", "--own-namespace", home)

    assert (table.code, said.code, guard.code) == (5, 5, 0)
    assert not [character for character in table.out + said.out if character != "\n" and not character.isprintable()]
    ((state, found),) = lines_of(said.document, "pause")
    assert (state, "gitjob-cleaner/pause" in found) == ("failed", True)


def lease(holder: str, renewed: float) -> dict[str, Any]:
    """A Lease of `run`."""
    at = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime(renewed))
    return {
        "metadata": {"name": "gitjob-cleaner"},
        "spec": {"holderIdentity": holder, "leaseDurationSeconds": 30, "renewTime": at},
    }


def test_who_holds_the_lease_is_told(plane: ControlPlane) -> None:
    home = seed.namespace(plane)
    flags = ("run", "--own-namespace", home, "--leader-election")

    def told() -> list[tuple[str, str]]:
        return lines_of(check(plane, *flags).document, "lease")

    before = told()
    must(plane.request("POST", LEASES.format(home), lease(f"one{ESCAPE}", time.time())))
    held = told()
    shown = run("check", *flags, kubeconfig=plane.kubeconfig()).out
    patch(plane, f"{LEASES.format(home)}/gitjob-cleaner", lease("one", time.time() - 7200))
    stale = told()
    patch(plane, f"{LEASES.format(home)}/gitjob-cleaner", lease("", time.time()))

    assert [state for state, _ in (*before, *held, *stale, *told())] == ["ok", "ok", "warning", "ok"]
    assert "is not there yet" in before[0][1]
    assert "whoever starts now stands by" in held[0][1]
    assert not [character for character in shown if character != "\n" and not character.isprintable()]
    assert "one holds Lease" in stale[0][1]
    assert "2h" in stale[0][1]


def test_a_namespace_that_is_not_there(plane: ControlPlane) -> None:
    said = check(plane, "--namespaces", f"{NAMES[0]},nosuch", "--own-namespace", "neither")

    assert said.code == 1
    assert sorted(lines_of(said.document, "namespace")) == [
        ("failed", "there is no Namespace neither"),
        ("failed", "there is no Namespace nosuch"),
        ("ok", f"{NAMES[0]}: there"),
    ]


@pytest.mark.parametrize("command", ["run", "guard"])
def test_a_service_goes_on_without_a_namespace_that_is_not_there(plane: ControlPlane, command: str) -> None:
    said = check(plane, command, "--namespaces", f"{NAMES[0]},nosuch")
    homeless = check(plane, command, "--namespaces", f"{NAMES[0]}", "--own-namespace", "neither")

    assert [state for state, found in lines_of(said.document, "namespace") if "nosuch" in found] == ["warning"]
    assert (said.code, homeless.code) == (0, 1)


def test_gitrepos_that_are_not_served() -> None:
    with ControlPlane() as bare:
        said = check(bare)

    assert said.code == 1
    assert lines_of(said.document, "gitrepos") == [("failed", "gitrepos.fleet.cattle.io are not served")]


@pytest.mark.parametrize(
    ("image", "finished", "flags", "told"),
    [
        ("rancher/fleet:v0.10.2", True, (), ["makes a current Job again", "polling of a GitRepo may die"]),
        (
            "rancher/fleet:v0.10.2",
            True,
            ("--current", "all"),
            ["Job again", "polling", "current: all has no effect"],
        ),
        ("rancher/fleet:v0.11.2", True, (), ["polling of a GitRepo may die"]),
        ("rancher/fleet:v0.16.1", False, (), ["an unfinished rollout"]),
        ("rancher/fleet@sha256:1", True, (), ["no readable tag"]),
        ("rancher/fleet:v0.16.1", True, ("--current", "all"), []),
    ],
)
def test_what_follows_from_the_fleet_that_runs(
    plane: ControlPlane, image: str, finished: bool, flags: tuple[str, ...], told: list[str]
) -> None:
    home = seed.namespace(plane)
    put_gitjob(plane, home, image, finished=finished)
    said = check(plane, "--fleet-namespace", home, *flags)

    warned = [found for state, found in lines_of(said.document) if state == "warning"]
    assert said.code == 0
    assert len(warned) == len(told)
    assert all(text in found for text, found in zip(told, warned, strict=True)), warned


def test_no_fleet_at_all_is_the_oldest_unless_a_setting_says(plane: ControlPlane) -> None:
    home = seed.namespace(plane)
    unseen = check(plane, "migrate", "--fleet-namespace", home, *MODES["migrate"].line())
    said = check(plane, "--fleet-namespace", home, "--fleet-version", "v0.16.1")

    assert [state for state, _ in lines_of(unseen.document, "fleet")] == ["warning", "warning"]
    assert lines_of(said.document, "fleet") == [("ok", "Fleet 0.16.1")]


def test_fleets_own_clean_up(plane: ControlPlane) -> None:
    pods = {"containers": [{"name": "cleanup", "image": "fleet"}], "restartPolicy": "Never"}
    spec = {"schedule": "@daily", "jobTemplate": {"spec": {"template": {"spec": pods}}}}
    none = lines_of(check(plane).document, "clean-up")
    must(plane.request("POST", CLEAN_UP, {"metadata": {"name": "fleet-cleanup-gitrepo-jobs"}, "spec": spec}))
    beside = lines_of(check(plane).document, "clean-up")
    keeping = lines_of(check(plane, "--succeeded-keep", "3").document, "clean-up")
    patch(plane, f"{CLEAN_UP}/fleet-cleanup-gitrepo-jobs", {"spec": {"suspend": True}})
    suspended = lines_of(check(plane, "--succeeded-keep", "3").document, "clean-up")
    must(plane.request("DELETE", f"{CLEAN_UP}/fleet-cleanup-gitrepo-jobs"))

    assert [state for state, _ in (*none, *beside, *keeping, *suspended)] == ["ok", "ok", "warning", "ok"]
    assert "(@daily)" in beside[0][1]
    assert "both can run side by side" in beside[0][1]
    assert "does not know succeeded_keep" in keeping[0][1]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("migrate",), 2, "own_namespace: migrate needs it"),
        (("run", "--leader-election"), 2, "leader_election: 'true' needs own_namespace"),
        (("guard", "--dry-run"), 2, "dry_run: guard has none"),
        (("retry", "--nudge", "--wait"), 2, "nudge: it goes with one GITREPO"),
        (("run", "--evidence", "--no-events"), 0, "events is false, but evidence writes Events"),
        (("run", "--evidence", "--dry-run"), 0, "evidence keeps nothing in a dry run"),
        (("guard", "--no-guard"), 0, "guard is false"),
        (("sweep", "--namespaces", "team-a", "--exclude-namespaces", "team-*"), 0, "leaves none of the named Namespaces"),
    ],
)
def test_settings_that_the_command_would_refuse_or_that_contradict(
    plane: ControlPlane, arguments: tuple[str, ...], code: int, told: str
) -> None:
    said = check(plane, *arguments)

    wrong = [(state, found) for state, found in lines_of(said.document, "settings") if state != "ok"]
    assert said.code == code, said
    assert [state for state, _ in wrong] == ["failed" if code else "warning"]
    assert told in wrong[0][1]


def test_settings_that_cannot_be_read_are_told_as_by_every_command(plane: ControlPlane) -> None:
    said = check(plane, "--settle", "soon")

    assert (said.code, said.out, said.err.startswith("gitjob-cleaner: --settle: ")) == (2, "", True)


@pytest.mark.parametrize(
    ("status", "reason", "code"), [(403, "Forbidden", 3), (500, "InternalError", 4), (429, "TooManyRequests", 4)]
)
def test_reviews_that_nobody_can_ask_for_are_no_refusals(plane: ControlPlane, status: int, reason: str, code: int) -> None:
    def refuse(request: Request) -> Fault | None:
        body = {"kind": "Status", "reason": reason, "message": "no reviews here", "code": status}
        return Answer(status, json.dumps(body).encode()) if "selfsubject" in request.path else None

    with Proxy(plane, refuse) as proxy:
        said = check(plane, server=proxy.url)

    told = f"{status} {reason}: no reviews here"
    asked = [line for line in said.document["lines"] if line["check"] == "right"]
    assert said.code == code
    assert all(line["found"].startswith("whether it may ") and told in line["found"] for line in asked)
    assert {(line["advice"], line["right"]) for line in asked} == {("check again", None)}, "no rule is known to be missing"
    assert len(lines_of(said.document, "rights")) == int(code == 3)
    assert lines_of(said.document, "account") == [("ok", f"the API does not say who we are: {told}")]


def test_what_a_pod_would_elect_is_said_outside_of_one(plane: ControlPlane) -> None:
    outside, dry, inside = (
        check(plane, "run", "--own-namespace", HOME, *more) for more in ((), ("--dry-run",), ("--leader-election",))
    )

    assert [lines_of(said.document, "lease") for said in (outside, dry)] == [[("ok", "there is no election")]] * 2
    assert "there is no election" not in lines_of(inside.document, "lease")[0][1]


def test_a_scope_is_said_in_words(plane: ControlPlane) -> None:
    flags = ("--namespaces", ",".join(NAMES), "--exclude-namespaces", "team-b", "--selector", "env=prod", "--dry-run")
    said = check(plane, *flags)

    words = "sweep looks after Namespaces team-a, team-b, without team-b, GitRepos with env=prod, dry run"
    assert lines_of(said.document, "settings") == [("ok", words)]
    assert lines_of(said.document, "namespace") == [("ok", "team-a: there")]
