"""Did the learning rate decay before the run had learnt?"""

import dataclasses

import numpy as np

from keras_trainkit.diagnosis.course import Course
from keras_trainkit.diagnosis.rule import LEARNS_LITTLE, Rule
from keras_trainkit.finding import Verdict


@dataclasses.dataclass(frozen=True)
class RateDecayed(Rule):
    """Finds a schedule that spends most steps at next to no rate.

    Args:
        low: Share of the largest rate that counts as next to none.
        most: Share of the steps spent there, that is too large.
        left: Share of the best constant answer's loss, above which much is left.
    """

    code = "rate_decayed"
    category = "schedule"
    needs = ("learning_rate", "loss")
    explains = (*LEARNS_LITTLE, "rate_too_low", "stopped_too_early")

    low: float = 0.01
    most: float = 0.4
    left: float = 0.4

    def judge(self, course: Course) -> Verdict:
        rates = course.values("learning_rate")
        peak = float(rates.max())
        if not peak > 0:
            return self.passes("the learning rate is not positive")
        top = int(np.argmax(rates))
        idle = rates[top:] < self.low * peak
        share = float(idle.sum() / len(rates))
        if not (share > self.most and course.share_left > self.left):
            return self.passes(f"{share:.0%} of the steps at next to no rate")
        return self.finds(
            f"The learning rate fell to nothing: {share:.0%} of the steps had less "
            "than a hundredth of its peak, while much of the loss is left.",
            where="learning_rate",
            evidence={
                "peak": peak,
                "last": float(rates[-1]),
                "share_of_steps": share,
                "share_left": course.share_left,
            },
            first_step=top + int(np.argmax(idle)),
            advice="Let it decay over the whole run: decay_steps = steps an epoch "
            "times epochs, counted in steps, not in epochs.",
        )
