"""Does the loss end above its start?"""

import dataclasses

from keras_trainkit.diagnosis.course import Course
from keras_trainkit.diagnosis.rule import LEARNS_LITTLE, Rule
from keras_trainkit.finding import Verdict


@dataclasses.dataclass(frozen=True)
class Diverging(Rule):
    """Finds a loss that ends well above its start.

    Args:
        noises: Deviations of the batch losses, that it must lie above.
        share: Of the loss at the start, that it must lie above as well.
    """

    code = "diverging"
    category = "learning rate"
    needs = ("loss",)
    explains = (*LEARNS_LITTLE, "dead_units", "rate_too_high", "saturated_units")

    noises: float = 4.0
    share: float = 0.5

    def judge(self, course: Course) -> Verdict:
        if course.steps < 10:
            return self.skips("fewer than 10 steps")
        rise = course.end - course.start
        evidence = {"start": course.start, "end": course.end, "noise": course.noise}
        if rise <= max(self.noises * course.noise, self.share * abs(course.start)):
            return self.passes(f"loss from {course.start:.4g} to {course.end:.4g}")
        return self.finds(
            "The loss diverges.",
            where="loss",
            severity="error",
            evidence=evidence,
            advice="Divide the learning rate by 10, or clip gradients "
            "(`global_clipnorm=1.0`).",
        )
