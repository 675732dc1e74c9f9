import numpy as np
import pytest

from keras_trainkit.recording import budget


def test_the_shares_are_a_third_each():
    shares = budget.Budget(0.03)
    assert shares.readings == shares.between_epochs == pytest.approx(0.01)


def test_work_between_epochs_stays_within_its_share_of_the_epochs(monkeypatch):
    class Clock:
        now = 0.0

        def perf_counter(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(budget, "time", clock)
    between = budget.Between(0.01)
    done = []
    for epoch in range(200):
        between.begin_epoch()
        clock.now += 10.0
        between.end_epoch()
        clock.now += 1000.0  # other callbacks' time, which is not ours to spend
        if between.allows():
            with between:
                clock.now += 0.3 if done else 4.0
            done.append(epoch)
    assert done[0] == 0
    assert 0.8 * 0.01 <= 0.3 * len(done[1:]) / (10.0 * 199) <= 0.01
    assert max(np.diff(done[5:])) <= 4


def test_cost_is_what_readings_and_epochs_add_to_the_time_without_them():
    cost = budget.Cost()
    for call in range(100):
        cost.add_call(1.5 if call % 10 == 0 else 1.0, reads=call % 10 == 0)
    cost.add_between(3.0)
    assert cost.share() == pytest.approx((10 * 0.5 + 3.0) / 100.0)


def test_tracing_is_no_cost_of_watching():
    cost = budget.Cost()
    for call in range(50):
        cost.add_call(60.0 if call < 2 else 1.0, reads=call % 2 == 0)
    assert cost.share() == 0.0


def test_cost_is_unknown_where_every_call_reads():
    cost = budget.Cost()
    assert cost.share() is None
    cost.add_call(1.0, reads=True)
    assert cost.share() is None
