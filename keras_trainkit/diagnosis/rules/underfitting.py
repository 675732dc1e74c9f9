"""Has the loss come to rest with much of it left?"""

import dataclasses

from keras_trainkit.diagnosis.course import Course
from keras_trainkit.diagnosis.rule import Rule
from keras_trainkit.finding import Verdict


@dataclasses.dataclass(frozen=True)
class Underfitting(Rule):
    """Finds a run that stands still with most of the loss left.

    Args:
        left: Share of the best constant answer's loss, above which much is left.
        steps: Fewest steps.
    """

    code = "underfitting"
    category = "underfitting"
    needs = ("trivial_loss", "example_loss")

    left: float = 0.8
    steps: int = 100

    def judge(self, course: Course) -> Verdict:
        if course.steps < self.steps:
            return self.skips(f"fewer than {self.steps} steps")
        left = course.share_left
        if not left > self.left:
            return self.passes(f"{left:.2g} of a constant's loss is left")
        return self.finds(
            f"Much is left to learn: {left:.0%} of what a constant answer loses. The "
            "model is too small, or the inputs say no more of the targets.",
            where="loss",
            severity="info",  # a loss near the noise of its targets looks alike
            evidence={"share_left": left, "limit": self.left},
            advice="Give the model more units or layers, activations between them, "
            "less regularisation, or inputs that say more.",
        )
