"""Is the model better than a constant answer?"""

import dataclasses

import numpy as np

from keras_trainkit.diagnosis.course import Course
from keras_trainkit.diagnosis.rule import Rule
from keras_trainkit.finding import Verdict


@dataclasses.dataclass(frozen=True)
class LearnsNothing(Rule):
    """Finds a run that has not beaten the best constant answer.

    Where nothing else explains it, updates are of a healthy size and gradients
    arrive, the inputs say nothing of the targets: labels are to be looked at.

    Args:
        left: Share of the best constant answer's loss, above which nothing was learnt.
        steps: Fewest steps.
    """

    code = "learns_nothing"
    category = "underfitting"
    needs = ("trivial_loss", "example_loss")
    explains = ("stopped_too_early", "underfitting")

    left: float = 0.95
    steps: int = 60

    def judge(self, course: Course) -> Verdict:
        left = course.share_left
        if course.steps < self.steps or np.isnan(left):
            return self.skips(f"fewer than {self.steps} steps, or no loss to compare")
        if not left > self.left:
            return self.passes(f"{left:.2g} of a constant's loss is left")
        ratio, decay = course.typical_ratio, course.gradient_decay
        moves = 3e-4 < ratio < 0.1 and not decay < 1e-2
        return self.finds(
            f"The model is no better than a constant answer: it loses {left:.3g} times "
            f"as much after {course.steps} steps.",
            category="labels" if moves else "underfitting",
            where="loss",
            severity="warning",
            confidence=0.7,
            evidence={
                "share_left": left,
                "limit": self.left,
                "update_ratio": ratio,
                "first_over_last_gradient": decay,
            },
            advice="Updates are of a healthy size: check that labels belong to their "
            "inputs, and that the loss fits the output."
            if moves
            else "Check rate, initial weights and scale of the inputs; tk.preflight "
            "looks at all of them.",
        )
