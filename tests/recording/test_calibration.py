import types

import pytest

from keras_trainkit.recording import calibration
from keras_trainkit.recording.schedule import NEVER


class Clock:
    """Time that passes only while a call is simulated."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        return self.now

    process_time = perf_counter


def calibrated(monkeypatch, cost_of_reading, overhead, calls=40):
    clock = Clock()
    monkeypatch.setattr(calibration, "time", clock)
    intervals = {}
    counter = types.SimpleNamespace(numpy=lambda: 0)
    step = types.SimpleNamespace(
        replicas=[types.SimpleNamespace(step=counter)],
        set_interval=intervals.__setitem__,
    )
    found = calibration.Calibration(step, ["updates", "layers"], overhead)
    for _ in range(calls):
        found.before_call()
        reads = intervals.get("updates", 1) != NEVER
        clock.now += 1.0 + (cost_of_reading if reads else 0.0)
        found.after_call()
    return found, intervals


@pytest.mark.parametrize(
    ("cost", "overhead", "interval"),
    [(0.3, 0.03, 30), (0.3, 0.3, 3), (0.001, 0.03, 1), (3.0, 0.02, 450)],
)
def test_interval_keeps_the_cost_within_a_third_of_the_budget(
    monkeypatch, cost, overhead, interval
):
    found, intervals = calibrated(monkeypatch, cost, overhead)
    assert found.interval == pytest.approx(interval, abs=1)
    assert intervals == {"updates": found.interval, "layers": found.interval}
    assert cost / found.interval <= overhead / 3 + 1e-9 or found.interval == 1


def test_interval_is_one_until_it_is_known(monkeypatch):
    found, intervals = calibrated(monkeypatch, 0.3, 0.03, calls=3)
    assert found.interval == 1
    assert intervals == {}
