import types

import numpy as np
import pytest

from keras_trainkit.recording import calibration
from keras_trainkit.recording.budget import Budget
from keras_trainkit.recording.due import NEVER


class Run:
    """A run in which time passes only as it is said to.

    Args:
        cost: Time a reading takes, in units of a call; given how many calls ago the
            last one was.
        after: Time that the call after a reading takes longer, likewise.
        unit: Calls for one update; the last of them reads.
    """

    def __init__(self, cost, after=lambda gap: 0.0, unit=1):
        self.now = 0.0
        self.cost, self.after, self.unit = cost, after, unit
        self.intervals = {}
        self.readings = []
        self.extras = []
        counter = types.SimpleNamespace(numpy=lambda: 0)
        self.replicas = [types.SimpleNamespace(step=counter)]

    def perf_counter(self):
        return self.now

    process_time = perf_counter

    def set_interval(self, channels, interval):
        self.intervals.update(dict.fromkeys(channels, interval))

    def watch(self, found, calls):
        for call in range(calls):
            found.before_call()
            every = self.intervals.get("updates", 1)
            update, is_update = call // self.unit, (call + 1) % self.unit == 0
            extra = 0.0
            if is_update and (every == 1 or (every < NEVER and update % every == 0)):
                extra += self.cost(call - self.readings[-1] if self.readings else 1)
                self.readings.append(call)
            elif self.readings and call - self.readings[-1] == 1:
                gap = call - 1 - self.readings[-2] if len(self.readings) > 1 else 1
                extra += self.after(gap)
            self.now += 1.0 + extra
            self.extras.append(extra)
            found.after_call()


def calibrated(monkeypatch, run, overhead, calls=30):
    monkeypatch.setattr(calibration, "time", run)
    share = Budget(overhead).readings
    found = calibration.Calibration(run, ["updates", "layers"], share, run.unit)
    run.watch(found, calls)
    return found


@pytest.mark.parametrize(
    ("cost", "overhead", "interval"),
    [(0.3, 0.03, 30), (0.3, 0.3, 3), (0.001, 0.03, 1), (3.0, 0.02, 450)],
)
def test_interval_keeps_the_cost_within_a_third_of_the_budget(
    monkeypatch, cost, overhead, interval
):
    run = Run(lambda gap: cost)
    found = calibrated(monkeypatch, run, overhead)
    assert found.interval == pytest.approx(interval, abs=1)
    assert run.intervals == {"updates": found.interval, "layers": found.interval}
    assert cost / found.interval <= overhead / 3 + 1e-9 or found.interval == 1


def test_interval_is_one_until_it_is_known(monkeypatch):
    run = Run(lambda gap: 0.3)
    found = calibrated(monkeypatch, run, 0.03, calls=3)
    assert found.interval == 1
    assert run.intervals == {}


def test_cost_of_rare_readings_is_what_counts(monkeypatch):
    run = Run(lambda gap: 0.3 if gap > 3 else 0.1, lambda gap: 0.1 if gap > 3 else 0.0)
    found = calibrated(monkeypatch, run, 0.03, calls=5000)
    assert found.interval == pytest.approx(40, abs=1)
    assert np.mean(run.extras[500:]) <= 0.01


def test_readings_of_a_round_are_as_rare_as_those_between_rounds(monkeypatch):
    run = Run(lambda gap: 0.305)
    found = calibrated(monkeypatch, run, 0.03, calls=5000)
    gaps = np.diff([call for call in run.readings if call > 60])
    assert np.median(gaps) == found.interval
    assert np.mean(gaps < found.interval) < 0.1  # where a round ends


def test_updates_from_several_calls_are_timed_as_one(monkeypatch):
    run = Run(lambda gap: 1.2, unit=4)
    found = calibrated(monkeypatch, run, 0.03, calls=2000)
    # A reading of 1.2 in an update of 4: 30 % of its time.
    assert found.interval == pytest.approx(30, abs=1)
