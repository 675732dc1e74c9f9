"""Does the loss fall without end?"""

import dataclasses

from keras_trainkit.diagnosis.course import Course
from keras_trainkit.diagnosis.rule import LEARNS_LITTLE, Rule
from keras_trainkit.finding import Verdict


@dataclasses.dataclass(frozen=True)
class UnboundedLoss(Rule):
    """Finds a loss that is negative from the start and falls ever faster.

    Args:
        growth: Of its size over the run, from which it has no bound.
        size: That it must have reached: similarities end at -1.
    """

    code = "unbounded_loss"
    category = "loss or output"
    needs = ("loss",)
    explains = (
        *LEARNS_LITTLE,
        "dead_units",
        "diverging",
        "far_too_long_updates",
        "inference_differs",
        "labels_of_others",
        "loss_contradicts_predictions",
        "nonfinite",
        "overfitting",
        "rate_too_high",
        "saturated_units",
        "stopped_too_early",
        "validation_differs",
    )

    growth: float = 2.0
    size: float = 1.5

    def judge(self, course: Course) -> Verdict:
        if course.steps < 20:
            return self.skips("fewer than 20 steps")
        start, end = course.start, course.end
        falls = end < min(-self.size, -self.growth * abs(start))
        if not falls or (course.task.get("loss") == "poisson" and end > -50):
            return self.passes(f"loss from {start:.4g} to {end:.4g}")
        return self.finds_at_start(
            f"The loss falls without a lower bound, from {start:.4g} to {end:.4g}: it "
            "is made smaller by being more wrong.",
            where="loss",
            evidence={"start": start, "end": end, "limit": -self.size},
            advice="Look for a flipped sign in the loss, and for targets outside 0 "
            "... 1 under a cross-entropy.",
        )
