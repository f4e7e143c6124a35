"""Timing in turn."""

from lstm_jax import timer


def test_all_take_turns_in_orders_drawn_anew(monkeypatch):
    monkeypatch.setattr(timer, "PAUSE_SECONDS", 0.0)
    called = []
    cases = {name: lambda name=name: called.append(name) or name.upper() for name in "abc"}
    found = timer.take_turns(cases, 6)
    assert found == {name: [name.upper()] * 6 for name in "abc"}
    rounds = ["".join(called[n : n + 3]) for n in range(0, 18, 3)]
    assert all(sorted(each) == ["a", "b", "c"] for each in rounds)
    assert len(set(rounds)) > 2


def test_seconds_are_those_of_a_unit_of_work(monkeypatch):
    monkeypatch.setattr(timer, "PAUSE_SECONDS", 0.0)
    clock = iter(range(0, 1000, 6))
    monkeypatch.setattr(timer.time, "perf_counter", lambda: next(clock))
    assert timer.in_turn({"two": lambda: 2, "three": lambda: 3}, 2) == {"two": [3.0, 3.0], "three": [2.0, 2.0]}
