"""How far each update moves each variable."""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from keras_trainkit.measures import half_square_sum
from keras_trainkit.record.series import Series
from keras_trainkit.record.vocabulary import measure_named
from keras_trainkit.recording.columns import Column, Pairs, suspect
from keras_trainkit.recording.instrument import Instrument
from keras_trainkit.recording.seen import Seen


@dataclasses.dataclass(frozen=True)
class Updates(Instrument):
    """Reads the norms of weights, updates and gradients, variable by variable."""

    measures = tuple(
        map(
            measure_named,
            (
                "weight_norm",
                "update_norm",
                "gradient_norm",
                "update_ratio",
                "nonfinite_count",
            ),
        )
    )
    channel = "updates"

    def read(self, seen: Seen) -> Pairs:
        """Takes the norms of all that was updated in the step."""
        pairs: Pairs = []
        for update in seen.updates:
            name = update.layer, update.name
            after = update.after()
            square = update.gradient_square
            if seen.loss_scale is not None:
                square = square / tf.cast(seen.loss_scale, tf.float32) ** 2
            pairs += [
                (
                    _norm("weight_norm", name, update.scale),
                    half_square_sum(update.before),
                ),
                (
                    _norm("update_norm", name, update.scale),
                    half_square_sum(after - update.before),
                ),
                (_norm("gradient_norm", name, update.gradient_scale), square),
                (suspect(*name, "weight"), after),
                (suspect(*name, "gradient"), update.gradient),
            ]
        return pairs

    def derived(self, readings: dict[Any, Any]) -> dict[Any, Any]:
        """The update ratios."""
        ratios = {}
        for series, moved in readings.items():
            if series.measure == "update_norm":
                size = readings[series._replace(measure="weight_norm")]
                with np.errstate(divide="ignore", invalid="ignore"):
                    ratio = np.where(moved == 0.0, 0.0, moved / size)
                ratios[series._replace(measure="update_ratio")] = ratio
        return ratios


def _norm(measure: str, name: tuple[str, str], scale: float) -> Column:
    return Column(Series(measure, *name), half_square=True, scale=scale)
