"""Does a loss of probabilities get probabilities, and targets that are ones?"""

import dataclasses

import numpy as np

from keras_trainkit.diagnosis.course import Course
from keras_trainkit.diagnosis.rule import LEARNS_LITTLE, Rule
from keras_trainkit.finding import Verdict

_ENTROPIES = (
    "binary_crossentropy",
    "categorical_crossentropy",
    "sparse_categorical_crossentropy",
)


@dataclasses.dataclass(frozen=True)
class OutputNotProbabilities(Rule):
    """Finds a cross-entropy over numbers that are no probabilities.

    Args:
        margin: How far beyond 0 and 1 rounding may bring them.
    """

    code = "output_not_probabilities"
    category = "loss or output"
    needs = ("prediction_low", "prediction_high", "target_low", "target_high")
    explains = (
        *LEARNS_LITTLE,
        "dead_units",
        "diverging",
        "far_too_long_updates",
        "loss_contradicts_predictions",
        "nonfinite",
        "rate_too_high",
        "stopped_too_early",
        "unbounded_loss",
        "unreached_weights",
        "wild_start",
    )

    margin: float = 1e-3

    def judge(self, course: Course) -> Verdict:
        name = course.task.get("loss")
        if name not in _ENTROPIES:
            return self.skips("the loss is no cross-entropy")
        low, high = course.last("target_low"), course.last("target_high")
        whole = name == "sparse_categorical_crossentropy"
        if not whole and (low < -self.margin or high > 1 + self.margin):
            return self.finds_at_start(
                f"Targets from {low:.3g} to {high:.3g} meet {name}, which expects 0 "
                "to 1.",
                where="targets",
                evidence={"target_low": low, "target_high": high},
                advice="Use 'mse' and a linear output for values, or map classes to 0 "
                "and 1.",
            )
        if course.task.get("from_logits"):
            return self._logits(course)
        lowest, highest = (
            course.values(f"prediction_{end}") for end in ("low", "high")
        )
        if np.isnan(lowest).all() or np.isnan(highest).all():
            return self.skips("every prediction is NaN")
        low, high = float(np.nanmin(lowest)), float(np.nanmax(highest))
        if low >= -self.margin and high <= 1 + self.margin:
            return self.passes("predictions are within 0 and 1")
        return self.finds_at_start(
            f"Predictions from {low:.3g} to {high:.3g} meet {name}, which expects "
            "probabilities.",
            where="output",
            evidence={"prediction_low": low, "prediction_high": high},
            advice="Pass from_logits=True to the loss, or end in softmax or sigmoid.",
        )

    def _logits(self, course: Course) -> Verdict:
        activation = course.task.get("activation")
        if activation not in ("softmax", "sigmoid"):
            return self.passes("the loss expects logits")
        return self.finds_at_start(
            f"The loss expects logits, the output already applies {activation}.",
            where="output",
            evidence={"activation": str(activation), "from_logits": True},
            advice="Drop the activation, or from_logits=True.",
        )
