"""Leading: what somebody else does to the Lease, and answers that come late, never make two leaders nor a silent one."""

from collections.abc import Iterator

import pytest

from cleaner.happened import Led
from tests.edge.elections import DEADLINE, DURATION, Contender, Fate, Simulation, Store


@pytest.fixture
def sim() -> Iterator[Simulation]:
    with Simulation() as simulation:
        yield simulation


@pytest.mark.parametrize("wait", [0.5, 2.0, 4.0, 9.0])
def test_a_lease_whose_holder_is_struck_out_by_hand_never_makes_two_leaders(sim: Simulation, wait: float) -> None:
    store = Store()
    store.put(None, "", 1.0)
    # Requests of the first are lost from some time on: it cannot hear that its Lease names nobody any more.
    one = Contender(sim, store, "one", iter([Fate(), Fate(), *[Fate(None)] * 50]))
    two = Contender(sim, store, "two", after=1.0)
    both: list[float] = []
    sim.watch = lambda: both.append(sim.now) if one.leads and two.leads else None

    sim.run(1 + wait)
    assert one.leads
    store.put(store.lease, "", DURATION)
    sim.run(DURATION + 2 * DEADLINE)

    assert both == []
    assert two.leads


def test_a_lease_that_was_given_back_is_taken_at_once(sim: Simulation) -> None:
    store = Store()
    store.put(None, "", 1.0)
    two = Contender(sim, store, "two")

    sim.run(1)

    assert two.leads


def test_a_renewal_whose_answer_comes_late_tells_that_we_had_ceased_to_lead(sim: Simulation) -> None:
    """Whoever was refused in between waits to be told that we lead again: nobody else wakes it before the next interval."""
    store = Store()
    store.put(None, "", 1.0)
    one = Contender(sim, store, "one", iter([Fate(), Fate(), Fate(0.01, 17.5)]))
    one.line.obeys_limits = False
    led: list[bool] = []
    sim.watch = lambda: led.append(one.leads)

    sim.run(24)

    assert [now for before, now in zip([False, *led], led, strict=False) if before != now] == [True, False, True]
    assert [told.leading for _, told in one.told if isinstance(told, Led)] == [True, False, True]
