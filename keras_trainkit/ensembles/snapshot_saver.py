"""Saves the model at the end of each cycle of its learning rate."""

import math
import os
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_trainkit.arguments import check_flag, check_integer, received
from keras_trainkit.files import whole_file
from keras_trainkit.keras_model.optimizers import inner_of, schedule_position


class SnapshotSaver(keras.callbacks.Callback):
    """Collects members of an ensemble from one training with a cyclic rate.

    Where the rate ends a cycle, the net has settled in a minimum; where it jumps up,
    the net leaves for the next. The snapshots are saved after the last update of
    each cycle, written whole or not at all, so that a run that is killed leaves no
    damaged file. Updates are counted as the optimizer's schedule counts them: a run
    that is resumed goes on in its cycle.

    Args:
        directory: Where `snapshot_001.keras` and so on are written, one a cycle; a
            file of the same name is replaced.
        cycle: Updates in a cycle, int >= 1; or the updates at which cycles end, in
            rising order; or a schedule with `cycle_ends`, such as
            `tk.schedules.CosineRestarts`; or `None` for the schedule of the model's
            optimizer.
        weights_only: Whether to save the weights only, `snapshot_001.weights.h5`.

    Raises:
        ValueError: If an argument is outside its range; when training begins, if no
            cycles are known, or if one ends within an execution of several steps.

    Example:
        ```python
        rate = tk.schedules.CosineRestarts(0.1, period=1000)
        model.compile(keras.optimizers.SGD(rate, momentum=0.9), loss)
        saver = tk.ensembles.SnapshotSaver("runs/snapshots")
        model.fit(x, y, epochs=50, callbacks=[saver])
        ensemble = tk.ensembles.Ensemble.from_checkpoints(saver.paths, members=5)
        ```

    Reference:
        [Huang et al., 2017](https://arxiv.org/abs/1704.00109)
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        cycle: Any = None,
        weights_only: bool = False,
    ) -> None:
        super().__init__()
        self.directory = os.fspath(directory)
        self.cycle = _checked_cycle(cycle)
        self.weights_only = check_flag("weights_only", weights_only)
        self.paths: list[str] = []
        self._cycles = _Cycles(self.cycle)
        self._next = self._start = self._batches = self._before_epoch = 0

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Finds the cycles, and where in them the run begins."""
        self.paths = []
        optimizer = getattr(self.model, "optimizer", None)
        cycle = self.cycle
        self._cycles = _Cycles(_schedule_of(optimizer) if cycle is None else cycle)
        self._batches = self._before_epoch = 0
        self._start = 0 if optimizer is None else schedule_position(optimizer)
        self._next = 1
        while (self._cycles.end(self._next) or math.inf) <= self._start:
            self._next += 1
        self._check_executions()

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Remembers how many batches earlier epochs had."""
        self._before_epoch = self._batches

    def on_train_batch_end(
        self, batch: int, logs: Mapping[str, Any] | None = None
    ) -> None:
        """Saves, if this was the last update of a cycle."""
        self._batches = self._before_epoch + batch + 1
        end = self._cycles.end(self._next)
        # There are at most as many updates as batches: mostly the device need not
        # be asked.
        if end is None or self._start + self._batches < end:
            return
        optimizer = getattr(self.model, "optimizer", None)
        if optimizer is None or schedule_position(optimizer) >= end:
            self._save(self._next)
            self._next += 1

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Says so if no cycle ended."""
        if not self.paths:
            optimizer = getattr(self.model, "optimizer", None)
            done = self._batches if optimizer is None else schedule_position(optimizer)
            end = self._cycles.end(self._next)
            warnings.warn(
                f"SnapshotSaver saved nothing: training ended after update {done}, and "
                + (
                    "no cycle was left to end."
                    if end is None
                    else f"the next cycle ends with update {end}."
                ),
                stacklevel=2,
            )

    def _save(self, number: int) -> None:
        ending = ".weights.h5" if self.weights_only else ".keras"
        path = os.path.join(self.directory, f"snapshot_{number:03d}{ending}")
        with whole_file(path) as beside:
            if self.weights_only:
                self.model.save_weights(beside)
            else:
                self.model.save(beside)
        self.paths.append(path)

    def _check_executions(self) -> None:
        steps = getattr(self.model, "steps_per_execution", 1) or 1
        if steps == 1:
            return
        near = range(self._next, self._next + 8)
        ends = [self._cycles.end(number) for number in near]
        late = [end for end in ends if end and (end - self._start) % steps]
        if late:
            raise ValueError(
                f"Cycles must end where an execution of {steps} steps ends; update "
                f"{late[0]} is in the midst of one. "
                + received("steps_per_execution", steps)
            )


class _Cycles:
    """Ends of cycles, counted in updates."""

    def __init__(self, cycle: Any) -> None:
        self.cycle = cycle
        self.ends: list[int] = []

    def end(self, number: int) -> int | None:
        """Returns after how many updates cycle `number`, from 1, is over."""
        if isinstance(self.cycle, int):
            return number * self.cycle
        if isinstance(self.cycle, list):
            return self.cycle[number - 1] if number <= len(self.cycle) else None
        if number > len(self.ends):
            self.ends = self.cycle.cycle_ends(2 * number)
        return int(self.ends[number - 1])


def _checked_cycle(cycle: Any) -> Any:
    if cycle is None or hasattr(cycle, "cycle_ends"):
        return cycle
    if isinstance(cycle, Sequence | np.ndarray) and not isinstance(cycle, str):
        ends = [check_integer("cycle", end, minimum=1) for end in cycle]
        if ends and ends == sorted(set(ends)):
            return ends
        raise ValueError(
            "`cycle` must be the updates at which cycles end, in rising order. "
            + received("cycle", cycle)
        )
    return check_integer("cycle", cycle, minimum=1)


def _schedule_of(optimizer: Any) -> Any:
    """Returns the schedule of an optimizer, read from its configuration."""
    inner = inner_of(optimizer)
    rate = None if inner is None else inner.get_config().get("learning_rate")
    if isinstance(rate, dict):
        rate = keras.saving.deserialize_keras_object(rate)
    if not hasattr(rate, "cycle_ends"):
        raise ValueError(
            "`cycle` must be given unless the optimizer's rate is a schedule with "
            "`cycle_ends`, such as tk.schedules.CosineRestarts. "
            + received("cycle", None)
        )
    return rate
