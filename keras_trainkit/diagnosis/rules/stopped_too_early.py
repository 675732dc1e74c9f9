"""Did training end while the loss was still falling?"""

import dataclasses

from keras_trainkit.diagnosis.course import Course
from keras_trainkit.diagnosis.rule import Rule
from keras_trainkit.finding import Verdict


@dataclasses.dataclass(frozen=True)
class StoppedTooEarly(Rule):
    """Finds a loss that was still falling, with much of it left.

    Args:
        left: Share of the best constant answer's loss, above which much is left.
        late: Share of the whole fall that came in the last third.
        sure: Fall of the late losses in units of their uncertainty.
    """

    code = "stopped_too_early"
    category = "schedule"
    needs = ("loss", "trivial_loss", "example_loss")
    explains = (
        "underfitting",
        "worse_than_persistence",
    )

    left: float = 0.6
    late: float = 0.2
    sure: float = 3.0

    def judge(self, course: Course) -> Verdict:
        left = course.share_left
        falling = course.late_fall > self.sure and course.late_share > self.late
        few = course.steps < 20 and course.end < course.start
        if not (left > self.left and (falling or few)):
            return self.passes(f"{left:.2g} of a constant's loss is left")
        return self.finds(
            f"Training ended while the loss was still falling, with {left:.0%} of what "
            "a constant answer loses left.",
            where="loss",
            evidence={
                "share_left": left,
                "late_share_of_fall": course.late_share,
                "steps": course.steps,
            },
            advice="Train for more epochs, or multiply the learning rate by 3.",
        )
