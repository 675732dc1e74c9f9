"""What the figures and the summary read from a record, each series read once."""

import dataclasses
import os
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from keras_trainkit.record import vocabulary
from keras_trainkit.record.series import Series
from keras_trainkit.record.training_record import TrainingRecord

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray]


# The order of computation within one step.
_COMPUTED = ("activation", "activation_gradient", "gradient", "weight")
_GRADIENTS = ("activation_gradient", "gradient")
# Loss scaling halves its scale at every overflow: after so many in a row, 2 ** 15 has
# become 2 ** -15, and the scale is not to blame.
_OVERFLOWING_STEPS = 30
# Where few steps are read, two bad ones need not have had bad ones between them.
_OVERFLOWING_READINGS = 5


@dataclasses.dataclass(frozen=True)
class Nonfinite:
    """Where numbers first were not finite.

    Args:
        series: Which tensor: its layer, variable and kind.
        step: At which step.
        epoch: In which epoch.
        count: How many of its numbers were not finite.
    """

    series: Series
    step: int
    epoch: int
    count: int


class Readings:
    """A record as the report reads it.

    Args:
        record: The record; it may still grow, but not while it is being read here.
    """

    def __init__(self, record: TrainingRecord) -> None:
        self.record = record
        self._arrays: dict[Series, Arrays] = {}
        self._latest: dict[Series, float] = {}

    @classmethod
    def of(
        cls, source: "TrainingRecord | Readings | str | os.PathLike[str]"
    ) -> "Readings":
        """Returns readings as they are, or those of a record or of its path."""
        if isinstance(source, cls):
            return source
        return cls(TrainingRecord.of(source))  # type: ignore[arg-type]

    @cached_property
    def _by_measure(self) -> dict[str, list[Series]]:
        groups: dict[str, list[Series]] = {}
        for series in self.record.series:
            groups.setdefault(series.measure, []).append(series)
        return groups

    def select(self, measure: str) -> Sequence[Series]:
        """All series of a measure."""
        return self._by_measure.get(measure, ())

    def arrays(self, series: Series) -> Arrays:
        """Steps, epochs and values of a series."""
        if series not in self._arrays:
            self._arrays[series] = self.record.values(*series)
        return self._arrays[series]

    def latest(self, series: Series) -> float:
        """The present value of a series, one of its readings.

        That is its last reading if this is not finite or the only one of its epoch,
        else the (lower) median of the finite ones of the last epoch; NaN if there
        are none.
        """
        if series not in self._latest:
            self._latest[series] = _latest(self.arrays(series))
        return self._latest[series]

    def at_epochs(self, series: Series, wanted: Sequence[int]) -> np.ndarray:
        """The last reading within each of some epochs, NaN where there is none."""
        values, found = self.found_at_epochs(series, wanted)
        return np.where(found, values, np.nan)

    def found_at_epochs(
        self, series: Series, wanted: Sequence[int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """As `at_epochs`, with a mask that tells readings of NaN from none."""
        _, epochs, values = self.arrays(series)
        if not len(epochs):
            return np.full(len(wanted), np.nan), np.zeros(len(wanted), bool)
        if (epochs[1:] < epochs[:-1]).any():  # a later `fit` counted from 0 again
            order = np.argsort(epochs, kind="stable")
            epochs, values = epochs[order], values[order]
        rows = np.searchsorted(epochs, wanted, side="right") - 1
        return values[rows], (rows >= 0) & (epochs[rows] == wanted)

    @cached_property
    def first_nonfinite(self) -> "Nonfinite | None":
        """The first tensor that held NaN or infinity, `None` if all were finite.

        Among tensors of the same step it is the one computed first: activations in
        the order of the layers, then gradients from the last layer to the first,
        then weights. Gradients of `overflow_steps` do not count.
        """
        found: list[tuple[tuple[int, int, int], Nonfinite]] = []
        suspects = self.record.ever_positive("nonfinite_count")
        for place, series in enumerate(self.select("nonfinite_count")):
            if series not in suspects:
                continue
            steps, epochs, counts = self.arrays(series)
            suspicious = counts > 0
            if series.tensor in _GRADIENTS and len(self.overflow_steps):
                suspicious &= ~np.isin(steps, self.overflow_steps)
            bad = np.flatnonzero(suspicious)
            if not len(bad):
                continue
            row = bad[0]
            step, epoch, count = int(steps[row]), int(epochs[row]), int(counts[row])
            kind = _COMPUTED.index(series.tensor) if series.tensor in _COMPUTED else 3
            backward = kind in (1, 2)
            order = step, kind, -place if backward else place
            found.append((order, Nonfinite(series, step, epoch, count)))
        return min(found, key=lambda item: item[0])[1] if found else None

    @property
    def is_loss_scaled(self) -> bool:
        """Whether an optimizer scales the loss, as under "mixed_float16"."""
        found = self.record.metadata.get("loss_scaled")
        if isinstance(found, bool):
            return found
        optimizer = self.record.metadata.get("optimizer")
        name = optimizer.get("class_name") if isinstance(optimizer, dict) else None
        return name == "LossScaleOptimizer"

    @cached_property
    def overflow_steps(self) -> np.ndarray:
        """Steps that loss scaling skipped because it had scaled too far, as it does.

        In them gradients were not finite, but the loss was; and they end: in 30 steps
        running (and 5 readings) a scale that is halved at each has come down. What
        goes on for longer is no overflow of the scale.
        """
        bad: dict[int, bool] = {}
        if self.is_loss_scaled:
            suspects = self.record.ever_positive("nonfinite_count")
            for series in suspects:
                if series.tensor in _GRADIENTS:
                    steps, _, counts = self.arrays(series)
                    for step, count in zip(steps.tolist(), counts > 0, strict=True):
                        bad[step] = bad.get(step, False) or bool(count)
        if not any(bad.values()):
            return np.empty(0, np.int64)
        steps = np.array(sorted(bad))
        overflows = np.array([bad[step] for step in steps.tolist()])
        # Where runs of overflows begin and end.
        edges = np.flatnonzero(np.diff(np.concatenate([[0], overflows, [0]])))
        for begin, end in edges.reshape(-1, 2):
            long = steps[end - 1] - steps[begin] + 1 >= _OVERFLOWING_STEPS
            if long and end - begin >= _OVERFLOWING_READINGS:
                overflows[begin:end] = False
        at, _, losses = self.arrays(Series("loss"))
        return steps[overflows & ~np.isin(steps, at[~np.isfinite(losses)])]

    @cached_property
    def layers(self) -> tuple[str, ...]:
        """All layers, in the order of the model, then others that were recorded."""
        listed = self.record.metadata.get("layers")
        names = [str(name) for name in listed] if isinstance(listed, list) else []
        return tuple(dict.fromkeys([*names, *self.record.layers]))

    @cached_property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics recorded once an epoch, the loss first.

        `val_` and `train_…_eval` readings belong to the metric they measure.
        """
        names: dict[str, None] = {}
        for measure, chosen in self._by_measure.items():
            if not vocabulary.is_registered(measure) and not chosen[0].layer:
                names[vocabulary.metric_named(measure)] = None
        names.pop("learning_rate", None)  # it has a figure of its own
        return tuple(sorted(names, key=lambda name: name != "loss"))

    def training_series(self, metric: str) -> tuple[Series | None, bool]:
        """Where the training side of a metric is found.

        Returns:
            The series, `None` if there is none, and whether it was measured in
            evaluation mode, which alone compares fairly with validation.
        """
        for name, evaluated in (
            (f"train_{metric}_eval", True),
            (vocabulary.recorded_name(metric), False),
        ):
            if name in self._by_measure:
                return Series(name), evaluated
        return None, False

    def validation_series(self, metric: str) -> Series | None:
        """Where the validation side of a metric is found, if anywhere."""
        name = f"val_{metric}"
        return Series(name) if name in self._by_measure else None


def _latest(arrays: Arrays) -> float:
    _, epochs, values = arrays
    if not len(values) or not np.isfinite(values[-1]):
        return float(values[-1]) if len(values) else np.nan
    last = values[epochs == epochs[-1]]
    last = np.sort(last[np.isfinite(last)])
    return float(last[(len(last) - 1) // 2])
