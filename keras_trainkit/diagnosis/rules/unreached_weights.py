"""Are there weights that no update moves?"""

import dataclasses

import numpy as np

from keras_trainkit.diagnosis.course import Course
from keras_trainkit.diagnosis.rule import LEARNS_LITTLE, Rule
from keras_trainkit.finding import Verdict


@dataclasses.dataclass(frozen=True)
class UnreachedWeights(Rule):
    """Finds trainable kernels whose gradient is zero all along."""

    code = "unreached_weights"
    category = "capacity"
    needs = ("gradient_norm", "trivial_loss")
    explains = (*LEARNS_LITTLE, "rate_too_low")

    left: float = 0.5

    def judge(self, course: Course) -> Verdict:
        norms = course.gradient_norms
        still = [
            layer
            for layer, (_, values) in norms.items()
            if len(values) > 1 and np.all(values == 0)
        ]
        if not still or not course.share_left > self.left:
            return self.passes(f"a gradient moves {len(norms) - len(still)} kernels")
        return self.finds_at_start(
            f"No gradient ever reached the weights of {len(still)} layers: "
            f"{', '.join(still[:5])}.",
            where=still[0],
            evidence={"layers": len(still), "share_left": course.share_left},
            advice="Look for stop_gradient, argmax or NumPy between them and the loss, "
            "for weights that all start at zero, or for units that are all dead.",
        )
