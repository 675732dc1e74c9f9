"""Finds the interval at which measuring stays within its budget."""

import math
import statistics
import time
from typing import Any

from keras_trainkit.recording.schedule import NEVER

_WARM_UP_CALLS = 3
_PAIRS = 6
# The rest is for what is done between epochs, and for the loss of every step.
_STEP_SHARE = 1 / 3


class Calibration:
    """Measures what a reading costs, on this machine and model, and sets `every`.

    Calls of the train function with all steps read alternate with calls without a
    reading, each waited for; the medians of their wall and processor times give the
    cost, and the dearer of the two the interval. It is repeated each time the run
    has become four times as long, since first steps are slower than later ones.

    Args:
        step: The measured step.
        channels: The channels to set, of "updates" and "layers".
        overhead: Share of the running time that measuring may cost, in (0, 1].
    """

    def __init__(self, step: Any, channels: list[str], overhead: float) -> None:
        self.interval = 1
        self._step = step
        self._channels = channels
        self._budget = overhead * _STEP_SHARE
        self._calls = 0
        self._next = _WARM_UP_CALLS
        self._times: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
        self._reading = True
        self._start: tuple[float, float] | None = None

    def before_call(self) -> None:
        """Prepares a call of the train function."""
        if self._calls < self._next:
            return
        self._reading = not self._reading
        self._set(1 if self._reading else NEVER)
        self._wait()
        self._start = time.perf_counter(), time.process_time()

    def after_call(self) -> None:
        """Takes the time of the call and, after enough of them, sets the interval."""
        self._calls += 1
        if self._start is None:
            return
        self._wait()
        wall, processor = self._start
        self._start = None
        self._times[self._reading].append(
            (time.perf_counter() - wall, time.process_time() - processor)
        )
        if min(map(len, self._times.values())) >= _PAIRS:
            self._finish()

    def _finish(self) -> None:
        share = 0.0
        for clock in (0, 1):
            read, bare = (
                statistics.median(times[clock] for times in self._times[reading])
                for reading in (True, False)
            )
            share = max(share, (read - bare) / max(bare, 1e-9))
        self.interval = max(1, math.ceil(share / self._budget))
        self._times = {True: [], False: []}
        self._next = 4 * self._calls
        self._set(self.interval)

    def _set(self, interval: int) -> None:
        for channel in self._channels:
            self._step.set_interval(channel, interval)

    def _wait(self) -> None:
        for replica in self._step.replicas:
            replica.step.numpy()
