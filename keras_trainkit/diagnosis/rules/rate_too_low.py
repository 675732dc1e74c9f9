"""Are updates too short to arrive anywhere?"""

import dataclasses

from keras_trainkit.diagnosis.course import Course
from keras_trainkit.diagnosis.rule import LEARNS_LITTLE, Rule
from keras_trainkit.finding import Verdict


@dataclasses.dataclass(frozen=True)
class RateTooLow(Rule):
    """Finds updates that stay tiny while most of the loss is left.

    Args:
        ratio: Of an update to the weight, below which it is tiny.
        left: Share of the best constant answer's loss, above which much is left.
    """

    code = "rate_too_low"
    category = "learning rate"
    needs = ("update_ratio", "loss")
    explains = (*LEARNS_LITTLE, "stopped_too_early")

    ratio: float = 1e-4
    left: float = 0.7

    def judge(self, course: Course) -> Verdict:
        if course.steps < 20:
            return self.skips("fewer than 20 steps")
        ratio = course.typical_ratio
        if not (ratio < self.ratio and course.share_left > self.left):
            return self.passes(f"update ratios reach {ratio:.1e}")
        if ratio == 0:
            return self.passes("updates are zero: no gradient arrives")
        factor = 10 ** max(1, round(-3 - _log10(ratio)))
        return self.finds(
            "The updates stay far too short for the weights they change, and most of "
            "the loss is left: the learning rate is too low.",
            where="loss",
            severity="warning",
            evidence={
                "update_ratio": ratio,
                "limit": self.ratio,
                "share_left": course.share_left,
            },
            first_step=0,
            advice=f"Multiply the learning rate by about {factor}.",
        )


def _log10(value: float) -> float:
    import math

    return math.log10(value)
