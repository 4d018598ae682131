"""The agenda: the first of several changes sets the time, and time itself is never forgotten."""

from hypothesis import given
from hypothesis import strategies as st

from cleaner.model import Owner
from cleaner.service.agenda import GATHER, Agenda

A, B = (Owner("team", name, name) for name in "ab")


def test_changes_gather_from_the_first_on() -> None:
    agenda = Agenda()
    assert agenda.wait(0.0, 0.0) is None

    agenda.change(A, at=100.0, monotonic=10.0)
    agenda.change(B, at=101.0, monotonic=10.15)
    agenda.change(A, at=102.0, monotonic=10.19)

    assert agenda.take(200.0, 10.0 + GATHER - 0.01) == {}
    assert agenda.take(200.0, 10.0 + GATHER) == {A: 100.0, B: 101.0}
    assert agenda.wait(200.0, 10.0 + GATHER) is None


def test_what_is_due_is_taken_at_its_time_and_once() -> None:
    agenda = Agenda()
    agenda.schedule(A, 50.0)
    agenda.schedule(B, 40.0)

    assert agenda.wait(30.0, 0.0) == 10.0
    assert agenda.take(39.9, 0.0) == {}
    assert agenda.take(45.0, 0.0) == {B: 40.0}
    assert agenda.take(60.0, 0.0) == {A: 50.0}
    assert agenda.take(1000.0, 0.0) == {}


def test_a_new_time_replaces_the_old_one() -> None:
    agenda = Agenda()
    agenda.schedule(A, 50.0)
    agenda.schedule(A, 70.0)
    assert agenda.take(60.0, 0.0) == {}
    agenda.schedule(A, None)
    assert agenda.next_due() is None
    assert agenda.take(100.0, 0.0) == {}


def test_a_change_does_not_lose_the_time_and_time_does_not_lose_the_change() -> None:
    agenda = Agenda()
    agenda.schedule(A, 50.0)
    agenda.change(A, at=49.0, monotonic=1.0)

    assert agenda.take(50.0, 1.1) == {A: 50.0}
    assert agenda.take(50.0, 1.1 + GATHER) == {A: 49.0}


def test_who_is_forgotten_has_no_turn() -> None:
    agenda = Agenda()
    agenda.schedule(A, 50.0)
    agenda.change(A, at=1.0, monotonic=1.0)
    agenda.forget(A)
    assert agenda.take(100.0, 100.0) == {}


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.one_of(st.none(), st.integers(0, 20))), max_size=400))
def test_it_holds_what_was_set_last_and_does_not_grow(settings: list[tuple[str, int | None]]) -> None:
    agenda, model = Agenda(), {}
    for name, due in settings:
        owner = Owner("team", name, name)
        agenda.schedule(owner, due)
        model[owner] = due
    wanted = {owner: float(due) for owner, due in model.items() if due is not None}

    assert agenda.next_due() == min(wanted.values(), default=None)
    assert len(agenda._heap) <= 2 * len(wanted) + 66
    assert agenda.take(100.0, 0.0) == wanted
