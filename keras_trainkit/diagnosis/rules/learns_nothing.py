"""Is the model better than a constant answer?"""

import dataclasses

import numpy as np

from keras_trainkit.diagnosis.course import Course
from keras_trainkit.diagnosis.rule import Rule
from keras_trainkit.finding import Verdict


@dataclasses.dataclass(frozen=True)
class LearnsNothing(Rule):
    """Finds a run that has not beaten the best constant answer.

    Where nothing else explains it, labels are to be looked at: if examples with like
    inputs have targets no more alike than any others, or, where that is not known,
    if updates are of a healthy size and gradients arrive. Where like inputs have
    like targets, the labels are right and the model is to blame.

    Args:
        left: Share of the best constant answer's loss, above which nothing was learnt.
        steps: Fewest steps.
    """

    code = "learns_nothing"
    category = "underfitting"
    needs = ("trivial_loss", "example_loss")
    explains = (
        "stopped_too_early",
        "underfitting",
        "worse_than_persistence",
    )

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
        suspect = course.labels_fit_by_chance or (
            moves and not course.labels_fit_inputs
        )
        if course.labels_fit_inputs:
            advice = (
                "The labels fit their inputs, nearest examples say so: look at the "
                "activations, the initial weights, the rate and the loss; "
                "tk.probes.what_if tries seven changes."
            )
        elif suspect:
            advice = (
                "Check that labels belong to their inputs: look at ten pairs, and "
                "that the loss fits the output."
            )
        else:
            advice = (
                "Check rate, initial weights and scale of the inputs; tk.preflight "
                "looks at all of them."
            )
        return self.finds(
            f"The model is no better than a constant answer: it loses {left:.3g} times "
            f"as much after {course.steps} steps.",
            category="labels" if suspect else "underfitting",
            where="loss",
            evidence={
                "share_left": left,
                "limit": self.left,
                "update_ratio": ratio,
                "first_over_last_gradient": decay,
                "neighbours_alike": course.neighbours_alike,
            },
            advice=advice,
        )
