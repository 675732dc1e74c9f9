"""How a run went, as far as rules ask: its losses, its updates, what it has learnt."""

from functools import cached_property
from typing import Any

import numpy as np

from keras_trainkit.diagnosis.loss_curve import smooth
from keras_trainkit.record.readings import Readings
from keras_trainkit.record.series import Series

# Losses that a perfect model need not bring to zero, or that may be negative.
_WITHOUT_FLOOR = ("poisson", "cosine_similarity", "hinge", "squared_hinge", "loss")
# Deviations of what permuted targets give.
_BEYOND_CHANCE = 3.5
# And below which nothing speaks against chance; between them nothing is told.
_WITHIN_CHANCE = 2.0
# Kernels of recurrent layers are theirs alone; biases and scales may start at zero.
_KERNELS = ("kernel", "embeddings")


class Course(Readings):
    """What rules read: a record's readings, and what follows from several of them.

    Numbers that a record does not hold are NaN, and every comparison with NaN is
    false: a rule that asks `course.share_left > 0.9` says nothing where that is not
    known.
    """

    def values(self, measure: str, **names: str) -> np.ndarray:
        """All readings of one series, shape `(readings,)`, oldest first."""
        return self.arrays(Series(measure, **names))[2]

    def last(self, measure: str, **names: str) -> float:
        """The last reading of one series, NaN if there is none."""
        values = self.values(measure, **names)
        return float(values[-1]) if len(values) else np.nan

    @property
    def task(self) -> dict[str, Any]:
        """What the model was asked for, see `ExamplesMonitor`; empty if unknown."""
        task = self.record.metadata.get("task")
        return task if isinstance(task, dict) else {}

    @cached_property
    def losses(self) -> np.ndarray:
        """The finite batch losses, shape `(steps,)`."""
        values = self.values("loss")
        return values[np.isfinite(values)]

    @property
    def steps(self) -> int:
        """Steps whose loss was finite."""
        return len(self.losses)

    @cached_property
    def start(self) -> float:
        """Median loss of the first three steps."""
        return float(np.median(self.losses[:3])) if self.steps else np.nan

    @cached_property
    def end(self) -> float:
        """Median loss of the last tenth of the steps, three at least."""
        few = max(3, self.steps // 10)
        return float(np.median(self.losses[-few:])) if self.steps else np.nan

    @cached_property
    def smoothed(self) -> np.ndarray:
        """Running mean of the batch losses over a twentieth of the run."""
        return smooth(self.losses, max(5, self.steps // 20))

    @cached_property
    def noise(self) -> float:
        """Deviation of the batch losses around their running mean, late in the run."""
        half = self.steps // 2
        if self.steps < 4:
            return np.nan
        return float(np.std(self.losses[half:] - self.smoothed[half:]))

    @cached_property
    def late_fall(self) -> float:
        """How far the mean of the last sixth lies below that of the sixth before two.

        In units of its own uncertainty; above 3 the loss is still falling.
        """
        sixth = self.steps // 6
        if sixth < 3:
            return np.nan
        late = self.losses[-sixth:]
        before = self.losses[-3 * sixth : -2 * sixth]
        error = np.sqrt((late.var() + before.var()) / sixth)
        return float((before.mean() - late.mean()) / max(error, 1e-12))

    @cached_property
    def late_share(self) -> float:
        """Share of the whole fall that came in the last third."""
        if self.steps < 9:
            return np.nan
        fall = float(self.smoothed[0] - self.smoothed.min())
        late = float(self.smoothed[-(self.steps // 3)] - self.smoothed[-1])
        return late / fall if fall > 0 else 0.0

    @cached_property
    def trivial(self) -> float:
        """Loss of the best constant answer on the examples that were kept."""
        return self.last("trivial_loss")

    @cached_property
    def has_floor(self) -> bool:
        """Whether the loss is one that perfect predictions bring to zero."""
        name = str(self.task.get("loss", ""))
        return bool(name) and name not in _WITHOUT_FLOOR and self.trivial > 0

    @property
    def is_summed(self) -> bool:
        """Whether the loss that Keras reports is a sum over the batch, no mean."""
        return "sum" in (self.task.get("reduction"), self.task.get("batch_loss"))

    @property
    def depends_on_rows(self) -> bool:
        """Whether losses of different numbers of rows cannot be compared."""
        return self.is_summed or self.task.get("batch_loss") == "other"

    @cached_property
    def share_left(self) -> float:
        """Loss on training examples now, as a share of the best constant answer's.

        1 if nothing of the targets was learnt beyond their mean, 0 if all was,
        infinite if the run ended in predictions that are not finite; NaN if that is
        not known, e.g. for losses without a floor of zero, or says little: where
        examples weigh differently, some are to be lost for others.
        """
        if (
            self.task.get("weighted")
            or not self.has_floor
            or not self.select("example_loss")
        ):
            return np.nan
        left = self.last("example_loss") / self.trivial
        return left if np.isfinite(left) else np.inf

    @cached_property
    def swing_of_examples(self) -> float:
        """How much the loss on the same examples swings from epoch to epoch, late.

        The deviation over the second half of the epochs, as a share of their mean: the
        weights' own swing, without the luck of batches. NaN with fewer than three.
        """
        losses = self.values("example_loss")
        late = losses[len(losses) // 2 :]
        if len(late) < 3 or not np.isfinite(late).all():
            return np.nan
        return float(np.std(late) / max(abs(float(np.mean(late))), 1e-30))

    @cached_property
    def is_stuck(self) -> bool:
        """Whether hardly anything was learnt, as far as that is known."""
        return self.share_left > 0.9

    @property
    def neighbours_alike(self) -> float:
        """How much more alike targets of like inputs are than by chance.

        In deviations of chance, NaN if unknown; see
        `keras_model.data_statistics.neighbours_alike`.
        """
        return float(self.task.get("neighbours_alike", np.nan))

    @property
    def labels_fit_inputs(self) -> bool:
        """Whether like inputs have like targets, beyond chance."""
        return self.neighbours_alike > _BEYOND_CHANCE

    @property
    def labels_fit_by_chance(self) -> bool:
        """Whether like inputs have targets no more alike than any others."""
        return abs(self.neighbours_alike) < _WITHIN_CHANCE

    @cached_property
    def has_learnt(self) -> bool:
        """Whether much was learnt: by the examples, else by the batch losses."""
        if not np.isnan(self.share_left):
            return self.share_left < 0.5
        return bool(self.end < 0.5 * self.start)

    @cached_property
    def validation(self) -> np.ndarray:
        """The validation loss of each epoch."""
        return self.values("val_loss")

    @cached_property
    def update_ratios(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Steps and finite update ratios of each layer's kernel."""
        return self._of_kernels("update_ratio")

    @cached_property
    def gradient_norms(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Steps and finite gradient norms of each layer's kernel."""
        return self._of_kernels("gradient_norm")

    @cached_property
    def weight_norms(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Steps and finite norms of each layer's kernel."""
        return self._of_kernels("weight_norm")

    @cached_property
    def typical_ratio(self) -> float:
        """Of each kernel the 90th percentile of its update ratios; their median."""
        each = [
            float(np.quantile(values, 0.9))
            for _, values in self.update_ratios.values()
            if len(values)
        ]
        return float(np.median(each)) if each else np.nan

    @cached_property
    def gradient_decay(self) -> float:
        """Gradient of the first kernel over that of the last; NaN for fewer than 3."""
        norms = [
            float(np.median(values))
            for _, values in self.gradient_norms.values()
            if len(values)
        ]
        if len(norms) < 3 or norms[-1] == 0:
            return np.nan
        return norms[0] / norms[-1]

    @cached_property
    def dead(self) -> dict[str, np.ndarray]:
        """Share of silent units of each layer, epoch by epoch."""
        return {
            series.layer: self.arrays(series)[2]
            for series in self.select("dead_fraction")
        }

    def _of_kernels(self, measure: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        places = {layer: place for place, layer in enumerate(self.layers)}
        found = {}
        for series in self.select(measure):
            if not series.variable.endswith(_KERNELS) or series.training:
                continue
            steps, _, values = self.arrays(series)
            finite = np.isfinite(values)
            if finite.any():
                found[series.layer] = steps[finite], values[finite]
        return dict(sorted(found.items(), key=lambda item: places.get(item[0], 0)))
