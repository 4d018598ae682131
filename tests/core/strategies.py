"""Random worlds of one GitRepo, drawn so that the edges of every rule come up often."""

from typing import Any, NamedTuple

from hypothesis import strategies as st

from cleaner.fleet import job_name
from tests.core.worlds import COMMIT, DAY, HOUR, OLD, REPO, UID, Raw, conditions, gitrepo, job, namespace, ours, stamp

OTHER = "f00dbabe"
NAMES = ("shop-00000", "shop-00001", "shop-00002", "shop-00003", "shop-00004")


class World(NamedTuple):
    """All that verdicts depend on, but for the moment."""

    jobs: list[Raw]
    gitrepo: Raw | None
    namespace: Raw
    settings: dict[str, Any]
    version: tuple[int, ...] | None


def _rarely(values: st.SearchStrategy[Any], default: Any = None, share: int = 5) -> st.SearchStrategy[Any]:
    """Draw the default mostly, so that a later rule gets its turn."""
    mostly = default if isinstance(default, st.SearchStrategy) else st.just(default)
    return st.integers(1, share).flatmap(lambda drawn: values if drawn == share else mostly)


EDGES = [base + more for base in (300, 600, HOUR, 72 * HOUR, 720 * HOUR) for more in (-1, 0, 1)]
AGES = _rarely(
    st.sampled_from([-601, -600, -31, -30, -29, -1, 0, 1]),
    st.one_of(st.sampled_from(EDGES), st.integers(0, 2000 * HOUR)),
    9,
)
PROTECT = st.sampled_from(
    ["true", "false", "false", "2026-11-22", "2026-11-23", "2026-12-24", stamp(0), stamp(1), stamp(-1), stamp(-HOUR)]
)
AGE, KEEP = st.sampled_from(["0", "1s", "10m", "1h", "72h", "100d", "1h30m"]), st.sampled_from(["0", "1", "2", "3", "99", " 2 "])
READABLE = st.fixed_dictionaries(
    {},
    optional={
        "protect": PROTECT,
        "pause": PROTECT,
        "failed-age": AGE,
        "succeeded-age": AGE,
        "failed-keep": KEEP,
        "succeeded-keep": KEEP,
    },
)
UNREADABLE = st.sampled_from(
    [
        {"unheard-of": "1"},
        {"protect": "2027-01-01T00:00:00"},
        {"pause": "for a while", "protect": "true"},
        {"failed-age": "soon"},
        {"succeeded-age": "-1h"},
        {"failed-keep": "-1"},
        {"succeeded-keep": "many"},
    ]
)
ANNOTATIONS = _rarely(READABLE.flatmap(lambda read: _rarely(UNREADABLE, read, 12)), share=4)
SETTINGS = st.fixed_dictionaries(
    {"current": st.sampled_from(["all", "all", "succeeded", "keep"])},
    optional={
        "succeeded_keep": st.integers(0, 3),
        "succeeded_age": st.sampled_from([0.0, 600.0, 2.0 * HOUR]),
        "failed_keep": st.integers(0, 3),
        "failed_age": st.sampled_from([0.0, 600.0, 72.0 * HOUR]),
        "settle": st.sampled_from([0.0, 300.0, float(HOUR)]),
        "clock_bound": st.sampled_from([1.0, 30.0, 600.0]),
        "wake": st.booleans(),
        "migrating": st.booleans(),
        "annotated_age_min": st.sampled_from([0.0, 600.0]),
        "annotated_age_max": st.sampled_from([60.0, 100.0 * HOUR]),
        "annotated_keep_min": st.integers(0, 2),
        "annotated_keep_max": st.integers(1, 3),
    },
)
VERSIONS = st.sampled_from([(0, 16, 1), (0, 10, 4), (0, 14, 10), (0, 11, 0), (0, 10, 3), (0, 10, 2), (0, 9, 18), None])


@st.composite
def raw_jobs(draw: st.DrawFn, name: str, commit: str, owner_uid: str = UID) -> Raw:
    """Draw one Job."""
    ago = draw(AGES)
    made = job(
        name,
        draw(st.sampled_from(["failed"] * 4 + ["succeeded"] * 4 + [None])),
        ago=ago,
        commit=commit,
        owner_uid=owner_uid,
        created_ago=draw(st.sampled_from([ago + 60, 60.0])),
        annotations=draw(ANNOTATIONS),
        labels=draw(_rarely(st.just({}))),
    )
    made["metadata"] |= draw(_rarely(st.sampled_from([{"deletionTimestamp": stamp(5)}, {"finalizers": ["a/b"]}]), {}, 9))
    made["status"] |= draw(_rarely(_odd_status(made), {}, 9))
    return made


def _odd_status(made: Raw) -> st.SearchStrategy[Raw]:
    """Statuses that are seldom: no time in the condition, both ends at once, only a first sign of the end."""
    return st.sampled_from(
        [
            {"conditions": conditions("failed", None), "completionTime": stamp(700)},
            {"conditions": conditions("failed", None)},
            {"conditions": conditions("failed", stamp(500)) + conditions("succeeded", stamp(500))},
            {"conditions": made["status"]["conditions"][:1]},
            {"conditions": [{"type": "Complete", "status": "False"}, *made["status"]["conditions"]]},
            {"conditions": None, "failed": 3},
        ]
    )


@st.composite
def raw_gitrepos(draw: st.DrawFn) -> Raw:
    """Draw a GitRepo."""
    made = gitrepo(draw(ANNOTATIONS))
    made["spec"] |= draw(
        _rarely(
            st.fixed_dictionaries(
                {},
                optional={
                    "disablePolling": st.booleans(),
                    "pollingInterval": _rarely(st.just("often"), "15s", 9) | st.sampled_from(["0s", "1s", "1h", "1h30m"]),
                    "forceSyncGeneration": st.integers(0, 2),
                },
            ),
            {},
            3,
        )
    )
    made["status"] |= draw(
        _rarely(
            st.fixed_dictionaries(
                {},
                optional={
                    "commit": st.sampled_from([OTHER, COMMIT, OTHER, ""]),
                    "pollingCommit": st.sampled_from(["", COMMIT, OTHER]),
                    "observedGeneration": st.integers(0, 2),
                    "updateGeneration": st.integers(0, 2),
                    "lastPollingTriggered": st.sampled_from([None, stamp(3), stamp(45), stamp(46), stamp(DAY)]),
                },
            ),
            {},
            3,
        )
    )
    made["metadata"] |= draw(_rarely(st.just({"deletionTimestamp": stamp(9)}), {}, 10))
    return made


@st.composite
def calm_gitrepos(draw: st.DrawFn) -> Raw:
    """Draw a GitRepo in which little stands in the way of a deletion, so that the last rules get their turn."""
    return gitrepo(
        status_lastPollingTriggered=draw(st.sampled_from([stamp(5), stamp(45), stamp(46), stamp(DAY), None])),
        status_updateGeneration=draw(st.sampled_from([0, 0, 0, 1])),
        status_pollingCommit=draw(st.sampled_from([None, OTHER])),
        spec_disablePolling=draw(st.sampled_from([False, False, False, True])),
    )


CURRENT = {job_name("shop", REPO, commit): commit for commit in (COMMIT, OTHER)}


@st.composite
def raw_job_lists(draw: st.DrawFn) -> list[Raw]:
    """Draw up to seven Jobs of one GitRepo, those of its two newest commits often among them."""
    named = {**CURRENT, **dict.fromkeys(NAMES, OLD)}
    chosen = draw(st.lists(st.sampled_from(list(named)), unique=True, min_size=1, max_size=7))
    # Now and then a commit stands under another one's name: five digits of a hash are few.
    return [draw(raw_jobs(name, draw(_rarely(st.sampled_from([COMMIT, OTHER, ""]), named[name], 10)))) for name in chosen]


@st.composite
def worlds(draw: st.DrawFn, settings: st.SearchStrategy[dict[str, Any]] = SETTINGS) -> World:
    """Draw a GitRepo, Jobs of it, its Namespace, settings and a Fleet."""
    calm = draw(st.booleans())
    lives = calm or draw(_rarely(st.just(False), True, 9))
    dead = st.sampled_from([None, gitrepo(uid="another")])
    return World(
        jobs=draw(raw_job_lists()),
        gitrepo=draw((calm_gitrepos() if calm else raw_gitrepos()) if lives else dead),
        namespace=namespace(None if calm else draw(ANNOTATIONS)),
        settings=draw(settings),
        version=draw(VERSIONS),
    )


def annotated(thing: Raw, annotations: dict[str, str]) -> Raw:
    """Copy a raw object with more annotations of ours."""
    metadata = thing["metadata"]
    return {**thing, "metadata": {**metadata, "annotations": {**metadata["annotations"], **ours(annotations)}}}
