"""Electing a leader: never two at once, whatever is lost or late, and never for long none."""

import re
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleaner.cluster import Clock, Conflict, Denied, Lease, Unreachable
from cleaner.happened import Happened, Led
from cleaner.service.leader import Leader, Term
from tests.edge.elections import DEADLINE, DURATION, RETRY, Contender, Fate, Simulation, Store
from tests.edge.passes import cluster
from tests.edge.servers import LEASES, Server, patch

LOST, UNANSWERED, RESET = Fate(None), Fate(0.01, None), Fate(0.01, reset=True)
OTHER = "somebody"


@pytest.fixture
def sim() -> Iterator[Simulation]:
    with Simulation() as simulation:
        yield simulation


@pytest.fixture
def store() -> Store:
    """A store with a Lease that nobody holds, as one who stopped in good order leaves it."""
    kept = Store()
    kept.put(None, "", 1.0)
    return kept


def led(contender: Contender) -> list[bool]:
    """What it told."""
    return [told.leading for _, told in contender.told if isinstance(told, Led)]


def why(contender: Contender) -> str:
    """Why it does not lead."""
    refusal = contender.leader.brake()
    assert refusal is not None
    assert refusal.brake == "leader"
    return refusal.text


def test_a_free_lease_is_taken_at_once_and_told(sim: Simulation, store: Store) -> None:
    one = Contender(sim, store, "one")

    sim.run(1)

    assert one.leads
    assert one.leader.leading
    assert one.leader.holder == "one"
    assert [told for _, told in one.told] == [Led(leading=True, detail="one")]
    assert store.lease == Lease("one", DURATION, "2", 1)


def test_before_the_first_answer_nobody_leads(sim: Simulation, store: Store) -> None:
    one = Contender(sim, store, "one")

    assert why(one) == "nobody leads yet"


def test_the_standby_says_who_leads(sim: Simulation, store: Store) -> None:
    one, two = Contender(sim, store, "one"), Contender(sim, store, "two", after=1)

    sim.run(120)

    assert (one.leads, two.leads) == (True, False)
    assert why(two) == "one leads"
    assert (led(one), led(two), two.leader.holder) == ([True], [], "one")


def test_a_lease_that_was_not_there_counts_only_when_no_older_one_can(sim: Simulation) -> None:
    store = Store()
    one = Contender(sim, store, "one")

    sim.run(DURATION - 1)
    assert store.lease is not None
    assert store.lease.holder == "one"
    assert why(one) == "the Lease was not there and is made anew: in 1s nobody can lead by an older one"

    sim.run(1.1)
    assert one.leads
    assert led(one) == [True]


def test_a_lease_whose_making_was_not_answered_counts_no_sooner(sim: Simulation) -> None:
    store = Store()
    one = Contender(sim, store, "one", iter([Fate(), UNANSWERED]))

    sim.run(RETRY + DURATION)
    assert not one.leads
    assert store.lease is not None
    assert store.lease.holder == "one"

    sim.run(RETRY)
    assert one.leads


def test_after_a_kill_another_leads_within_duration_and_a_retry(sim: Simulation, store: Store) -> None:
    one, two = Contender(sim, store, "one"), Contender(sim, store, "two", after=0.7)
    sim.run(62.3)

    one.kill()
    sim.run(DURATION - RETRY - 1)
    assert not two.leads

    sim.run(2 * RETRY + 1)
    assert two.leads


def test_a_release_hands_over_within_one_retry(sim: Simulation, store: Store) -> None:
    one, two = Contender(sim, store, "one"), Contender(sim, store, "two", after=0.7)
    sim.run(31.2)
    at = sim.now

    sim.start(one.leader.release)
    sim.run(0.1)
    assert why(one) == "the Lease is given back"
    assert store.lease is not None
    assert store.lease.holder == ""

    sim.run(RETRY)
    assert two.leads
    assert sim.now - at < RETRY + 0.2
    assert led(one) == [True, False]


def test_whoever_has_released_never_takes_it_again(sim: Simulation, store: Store) -> None:
    one = Contender(sim, store, "one")
    sim.run(12)

    sim.start(one.leader.release)
    sim.run(100)

    assert store.lease is not None
    assert store.lease.holder == ""
    assert led(one) == [True, False]


def test_a_standby_releases_nothing(sim: Simulation, store: Store) -> None:
    one, two = Contender(sim, store, "one"), Contender(sim, store, "two", after=1)
    sim.run(20)

    sim.start(two.leader.release)
    sim.run(1)

    assert one.leads
    assert "release" not in {verb for _, verb, _ in two.line.requests}


def test_a_release_that_a_renewal_overtakes_is_repeated(sim: Simulation, store: Store) -> None:
    one = Contender(sim, store, "one", iter([Fate(), Fate(), Fate(1.0, 1.0), Fate(2.0)]))
    sim.run(5)

    sim.start(one.leader.release)
    sim.run(5)

    assert store.lease is not None
    assert store.lease.holder == ""
    assert [verb for _, verb, _ in one.line.requests] == ["lease", "hold", "hold", "release", "lease", "release"]


def test_a_release_that_fails_is_told_and_the_brake_holds(sim: Simulation, store: Store) -> None:
    one = Contender(sim, store, "one", iter([Fate(), Fate(), LOST]))
    sim.run(1)

    sim.start(one.leader.release)
    sim.run(4)

    assert one.told[-1][1] == Led(False, "the Lease could not be given back and has to expire: no answer in time")
    assert not one.leads


def test_whoever_cannot_renew_stops_before_another_may_begin(sim: Simulation, store: Store) -> None:
    one = Contender(sim, store, "one", iter([Fate(), Fate(), *[LOST] * 50]))
    sim.run(1)
    assert one.leads
    sent = next(at for at, verb, _ in one.line.requests if verb == "hold")

    sim.run(sent + DEADLINE - sim.now - 0.01)
    assert one.leads
    sim.run(0.02)

    assert why(one) == "the Lease could not be renewed for 20s: Unreachable: no answer in time"
    assert led(one) == [True, False]
    assert one.told[-1][0] == pytest.approx(sent + DEADLINE, abs=0.02)


def test_a_leader_that_was_cut_off_takes_its_own_lease_again(sim: Simulation, store: Store) -> None:
    one = Contender(sim, store, "one", iter([Fate(), Fate(), *[LOST] * 8]))

    sim.run(90)

    assert one.leads
    assert led(one) == [True, False, True]


def test_every_request_is_limited_by_a_retry_and_by_what_is_left(sim: Simulation, store: Store) -> None:
    one = Contender(sim, store, "one", iter([Fate(), Fate(), *[RESET] * 4, *[LOST] * 5]))

    sim.run(60)

    (sent,) = [at for at, verb, _ in one.line.requests if verb == "hold"][:1]
    ends = sent + DEADLINE
    assert all(limit <= RETRY for _, _, limit in one.line.requests)
    assert all(at + limit <= ends + 1e-6 for at, _, limit in one.line.requests if sent < at < ends)
    assert min(limit for _, _, limit in one.line.requests) < RETRY


def test_a_thread_that_is_stuck_in_a_request_does_not_lead_on(sim: Simulation, store: Store) -> None:
    one = Contender(sim, store, "one", iter([Fate(), Fate(), Fate(1000.0)]))
    one.line.obeys_limits = False
    sim.run(3)
    two = Contender(sim, store, "two")
    sim.run(DEADLINE)
    sign = one.leader.sign

    assert not one.leads
    sim.run(100)

    assert (one.leads, two.leads) == (False, True)
    assert one.leader.sign == sign


def test_a_renewal_whose_answer_was_lost_proves_nothing_but_that_it_is_ours(sim: Simulation, store: Store) -> None:
    """The renewal came through; then the line is dead but for one look, which finds us as the holder."""
    one = Contender(sim, store, "one", iter([Fate(), Fate(), UNANSWERED, Fate(), *[LOST] * 50]))
    sim.run(40)

    proven = next(at for at, verb, _ in one.line.requests if verb == "hold")
    assert led(one) == [True, False]
    assert one.told[-1][0] == pytest.approx(proven + DEADLINE, abs=0.02)
    assert [verb for _, verb, _ in one.line.requests][:5] == ["lease", "hold", "hold", "lease", "hold"]


def test_after_a_lost_answer_it_leads_on(sim: Simulation, store: Store) -> None:
    one = Contender(sim, store, "one", iter([Fate(), Fate(), UNANSWERED]))

    sim.run(60)

    assert one.leads
    assert led(one) == [True]


def test_a_taking_whose_answer_was_lost_is_found_at_the_next_look(sim: Simulation, store: Store) -> None:
    one = Contender(sim, store, "one", iter([Fate(), UNANSWERED]))

    sim.run(RETRY + 0.01)
    assert not one.leads
    sim.run(RETRY)
    assert one.leads


def test_a_lease_that_somebody_annotates_stays_ours(sim: Simulation, store: Store) -> None:
    """An annotation on the Lease pauses the cleaner: that must not depose it."""
    one, two = Contender(sim, store, "one"), Contender(sim, store, "two", after=1)

    for _ in range(20):
        sim.run(7)
        store.annotate()

    assert (one.leads, two.leads) == (True, False)
    assert led(one) == [True]


def test_an_annotation_proves_nothing(sim: Simulation, store: Store) -> None:
    one = Contender(sim, store, "one", iter([Fate(), Fate(), LOST, Fate(), *[LOST] * 50]))
    sim.run(6)
    store.annotate()
    sim.run(40)

    proven = next(at for at, verb, _ in one.line.requests if verb == "hold")
    assert one.told[-1][0] == pytest.approx(proven + DEADLINE, abs=0.02)


def test_a_lease_taken_by_hand_is_given_up_at_the_next_look(sim: Simulation, store: Store) -> None:
    one = Contender(sim, store, "one")
    sim.run(11)

    store.put(store.lease, OTHER, 10.0)
    sim.run(RETRY)

    assert why(one) == "somebody leads"
    assert one.told[-1][1] == Led(False, "somebody leads")

    sim.run(DURATION + RETRY)  # though it asked for 10s only
    assert one.leads


def test_a_lease_stands_for_as_long_as_its_holder_asked(sim: Simulation) -> None:
    store = Store()
    store.put(None, OTHER, 100.0)
    one = Contender(sim, store, "one")

    sim.run(99)
    assert not one.leads
    sim.run(2)
    assert one.leads


def test_our_name_in_a_lease_that_we_did_not_write_is_anothers(sim: Simulation) -> None:
    store = Store()
    store.put(None, "one", DURATION)
    one = Contender(sim, store, "one")

    sim.run(DURATION - 1)
    assert not one.leads
    sim.run(2)
    assert one.leads


def test_a_deleted_lease_is_made_again_and_nobody_leads_by_two(sim: Simulation, store: Store) -> None:
    one = Contender(sim, store, "one")
    sim.run(12)

    store.delete()
    sim.run(RETRY + 1)
    assert store.lease is not None
    assert store.lease.holder == "one"
    assert not one.leads

    sim.run(DURATION)
    assert one.leads
    assert led(one) == [True, False, True]


def test_a_conflict_is_looked_at_at_once(sim: Simulation, store: Store) -> None:
    one = Contender(sim, store, "one")
    sim.run(1)
    store.put(store.lease, OTHER, 30.0)

    sim.run(RETRY)

    moments = [at for at, _, _ in one.line.requests]
    assert [verb for _, verb, _ in one.line.requests] == ["lease", "hold", "hold", "lease"]
    assert moments[3] - moments[2] < 0.05


class Scripted:
    """Leases that answer as they are told to."""

    def __init__(self, *answers: Lease | Exception | None) -> None:
        self._answers = iter(answers)

    def lease(self, limit: float) -> Lease | None:
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        assert limit > 0
        return answer

    def hold(self, seen: Lease | None, holder: str, duration: float, limit: float) -> Lease:
        answer = self.lease(limit)
        assert answer is not None
        assert (seen, holder, duration) == (Lease("", 1, "1"), "me", 0.3)
        return answer

    def release(self, seen: Lease, limit: float) -> None:
        raise AssertionError(seen, limit)


@pytest.mark.parametrize("error", [Denied("403"), Unreachable("reset"), Conflict("409"), ZeroDivisionError()])
def test_no_error_ends_the_loop(error: Exception) -> None:
    leases = Scripted(error, Lease("", 1, "1"), Lease("me", 1, "2"))
    told: list[Happened] = []
    began = threading.Event()

    def tell(happened: Happened) -> None:
        told.append(happened)
        began.set()

    leader = Leader(leases, "me", Term(0.3, 0.2, 0.02), Clock(time.time, time.monotonic, time.sleep), tell)
    thread = threading.Thread(target=leader.run)
    thread.start()
    assert began.wait(10)
    leader.stop()
    thread.join(10)

    assert told[0] == Led(leading=True, detail="me")


def test_an_unforeseen_error_shows_no_sign_of_life() -> None:
    now = iter(range(100))
    clock = Clock(time.time, lambda: next(now), time.sleep)
    leader = Leader(Scripted(ZeroDivisionError()), "me", Term(), clock, lambda _: None)
    before = leader.sign

    with pytest.raises(ZeroDivisionError):
        leader.beat()

    assert leader.sign == before


def test_stopping_wakes_the_loop() -> None:
    leases = Scripted(Lease(OTHER, 3600, "1"))
    leader = Leader(leases, "me", Term(3600, 2400, 600), Clock(time.time, time.monotonic, time.sleep), lambda _: None)
    thread = threading.Thread(target=leader.run)
    thread.start()

    leader.stop()
    thread.join(10)

    assert not thread.is_alive()


def test_the_times_come_from_one_and_must_make_sense() -> None:
    assert Term.of(30) == Term() == Term(30.0, 20.0, 5.0)
    assert Term.of(3) == Term(3, 2, 0.5)
    with pytest.raises(ValueError, match=re.escape("retry < deadline < duration")):
        Term(30, 30, 5)


def test_over_a_real_api_one_leads_and_hands_over(server: Server, place: str) -> None:
    ports = [cluster(server.kubeconfig(), own_namespace=place) for _ in range(2)]
    ports[0].release(ports[0].hold(None, "nobody", 3, 5), 5)
    clock = Clock(time.time, time.monotonic, time.sleep)
    told: list[tuple[str, Happened]] = []
    one, two = (
        Leader(port, name, Term.of(3), clock, lambda happened, name=name: told.append((name, happened)))  # type: ignore[misc]
        for port, name in zip(ports, ["one", "two"], strict=True)
    )
    threads = [threading.Thread(target=leader.run) for leader in (one, two)]

    threads[0].start()
    assert until(lambda: one.leading)
    threads[1].start()
    assert until(lambda: two.holder == "one")
    patch(server, f"{LEASES.format(place)}/gitjob-cleaner", {"metadata": {"annotations": {"note": "x"}}})
    time.sleep(1.5)
    assert (one.leading, two.leading) == (True, False)

    one.stop()
    one.release()
    assert until(lambda: two.leading)
    assert [(name, led.leading) for name, led in told if isinstance(led, Led)] == [("one", True), ("one", False), ("two", True)]
    two.stop()
    two.release()
    for thread in threads:
        thread.join(10)


def until(holds: Callable[[], bool]) -> bool:
    """Wait until something holds."""
    ends = time.monotonic() + 30
    while not holds() and time.monotonic() < ends:
        time.sleep(0.02)
    return holds()


seconds = st.floats(0, 6, allow_nan=False)
some = st.one_of(st.none(), seconds, st.just(0.01))
fates = st.builds(Fate, some, some, st.booleans())
lines = st.lists(fates, max_size=40)
strikes = st.lists(
    st.tuples(st.sampled_from(["kill one", "kill two", "release one", "delete", "annotate", "hang"]), st.floats(0, 120)),
    max_size=4,
)


@settings(max_examples=150)
@given(one_line=lines, two_line=lines, blows=strikes, after=st.floats(0, 40), fresh=st.booleans())
def test_never_two_lead_and_in_the_end_one_does(
    one_line: list[Fate], two_line: list[Fate], blows: list[tuple[str, float]], after: float, *, fresh: bool
) -> None:
    """Requests are slow, lost, or arrive after their limit; processes die; the Lease is deleted; threads hang in a request."""
    store = Store()
    if not fresh:
        store.put(None, "", 1.0)
    with Simulation() as sim:
        one, two = Contender(sim, store, "one", iter(one_line)), Contender(sim, store, "two", iter(two_line), after)
        third = Contender(sim, store, "three", after=after / 2)
        contenders = [one, two, third]

        def watch() -> None:
            assert sum(contender.leads for contender in contenders) <= 1, sim.now

        def release() -> None:
            sim.start(one.leader.release)

        def stuck() -> None:
            two.line.obeys_limits = False

        blow = {
            "kill one": one.kill,
            "kill two": two.kill,
            "release one": release,
            "delete": store.delete,
            "annotate": store.annotate,
            "hang": stuck,
        }
        sim.watch = watch
        for name, at in blows:
            sim.schedule(at, blow[name])
        sim.run(600)

        assert sum(contender.leads for contender in contenders) == 1
        assert all(told != again for c in contenders for told, again in zip(led(c), led(c)[1:], strict=False))
