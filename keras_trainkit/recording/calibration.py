"""Finds the interval at which measuring stays within its budget."""

import collections
import math
import statistics
import time
from collections.abc import Sequence
from typing import Any, Protocol

from keras_trainkit.recording.due import NEVER

_WARM_UP = 3
_FIRST_READINGS = 6
_READINGS = 12


class Timed(Protocol):
    """A step whose readings can be made rare."""

    @property
    def replicas(self) -> Sequence[Any]:
        """The states of its replicas, each with a variable `step`."""

    def set_interval(self, channels: list[str], interval: int) -> None:
        """Sets the steps between two readings of some channels."""


class Calibration:
    """Measures what a reading costs, on this machine and model, and sets `every`.

    A reading that is rare costs more than one of many: its operations are no longer
    in the processor's caches, nor are those of the step after it. So only for a
    first guess does every other call read; later rounds read at the interval found
    before. Timed, and waited for, are the calls that read, those before and those
    after them; the medians of their wall and processor times give the cost, and the
    dearer of the two the interval. A round begins each time that the run has become
    twice as long, since first steps are slower than later ones.

    Args:
        step: The measured step.
        channels: The channels to set.
        share: Share of the running time that readings may cost, in (0, 1].
        unit: Calls in which there is at least one update of the optimizer, int >= 1;
            they are timed together.
    """

    def __init__(
        self, step: "Timed", channels: list[str], share: float, unit: int = 1
    ) -> None:
        self.interval = 1
        self._step = step
        self._channels = channels
        self._share = share
        self._unit = unit
        self._calls = 0
        self._units = 0
        self._begin_round(start=_WARM_UP, gap=2, readings=_FIRST_READINGS)
        self._kind: str | None = None
        self._began = 0.0, 0.0

    def before_call(self) -> None:
        """Prepares a call of the train function."""
        if self._calls % self._unit or self._units < self._start:
            return
        cycle, place = divmod(self._units - self._start, self._gap)
        self._kind = self._kind_of(cycle, place)
        if place == self._gap - 1:
            self._set(1)
        elif place == 0:
            self._set(NEVER)
        if self._kind is not None:
            self._wait()
            self._began = time.perf_counter(), time.process_time()

    def after_call(self) -> None:
        """Takes the time of the call and, after enough of them, sets the interval."""
        self._calls += 1
        if self._calls % self._unit:
            return
        self._units += 1
        if self._kind is not None:
            self._wait()
            wall, processor = self._began
            self._times[self._kind].append(
                (time.perf_counter() - wall, time.process_time() - processor)
            )
            self._kind = None
        if self._units == self._start + self._gap * self._readings + 1:
            self._finish()

    def _begin_round(self, start: int, gap: int, readings: int) -> None:
        self._start = start
        self._gap = gap
        self._readings = readings
        self._times: dict[str, list[tuple[float, float]]] = collections.defaultdict(
            list
        )

    def _kind_of(self, cycle: int, place: int) -> str | None:
        """What is timed: the last of each gap reads, and the first follows it."""
        if place == self._gap - 1:
            return "reading"
        if place == 0 and self._gap > 3:
            return "after" if cycle else None
        return "bare" if place >= self._gap - 3 else None

    def _finish(self) -> None:
        share = 0.0
        for clock in (0, 1):
            median = {
                kind: statistics.median(each[clock] for each in times)
                for kind, times in self._times.items()
            }
            bare = max(median["bare"], 1e-9)
            extra = median["reading"] - bare + median.get("after", bare) - bare
            share = max(share, extra / bare)
        self.interval = max(1, math.ceil(share / self._share))
        self._begin_round(2 * self._units, max(2, self.interval), _READINGS)
        self._set(self.interval)

    def _set(self, interval: int) -> None:
        self._step.set_interval(self._channels, interval)

    def _wait(self) -> None:
        for replica in self._step.replicas:
            replica.step.numpy()
