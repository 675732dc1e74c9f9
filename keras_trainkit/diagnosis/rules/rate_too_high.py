"""Does the loss swing, or jump far above an untrained model's?"""

import dataclasses

import numpy as np

from keras_trainkit.diagnosis.course import Course
from keras_trainkit.diagnosis.loss_curve import describe_loss_curve
from keras_trainkit.diagnosis.rule import LEARNS_LITTLE, Rule
from keras_trainkit.finding import Verdict


@dataclasses.dataclass(frozen=True)
class RateTooHigh(Rule):
    """Finds a loss that swings around a plateau, or that jumped and did not recover.

    Args:
        jump: Times the loss of the start, and of the best constant answer, from which
            one batch is a jump.
        left: Share of the best constant answer's loss below which a run has learnt
            all the same.
        steady: Swing of the loss on the same examples from epoch to epoch, as a share
            of it, below which batches swing by what they hold and not by the rate.
    """

    code = "rate_too_high"
    category = "learning rate"
    needs = ("loss",)
    explains = (*LEARNS_LITTLE, "dead_units", "saturated_units")

    jump: float = 5.0
    left: float = 0.6
    steady: float = 0.05

    def judge(self, course: Course) -> Verdict:
        if course.steps < 20:
            return self.skips("fewer than 20 steps")
        curve = describe_loss_curve(course.record)
        evidence = {
            "start": course.start,
            "end": course.end,
            "wiggle": curve.wiggle,
            "share_left": course.share_left,
            "swing_of_examples": course.swing_of_examples,
        }
        advice = "Divide the learning rate by 10, or take larger batches."
        level = float(np.nanmax([abs(course.losses[0]), abs(course.trivial)]))
        peak = float(course.losses[1:].max())
        # Spikes of single examples are no jumps: the mean of several is asked.
        mean_peak = float(course.smoothed[1:].max())
        if course.share_left > self.left and mean_peak > self.jump * level:
            step = int(np.argmax(course.losses == peak))
            return self.finds(
                "The loss jumped far above that of the untrained model, and the run "
                "has not recovered.",
                where="loss",
                severity="error",
                evidence={**evidence, "peak": peak},
                first_step=step,
                advice=advice,
            )
        steady = course.swing_of_examples < self.steady
        if curve.shape == "high" and not (course.share_left < self.left or steady):
            return self.finds(
                "The loss swings around a plateau, as it does when the learning rate "
                "is too high for the noise of the batches.",
                where="loss",
                evidence=evidence,
                advice=advice,
            )
        return self.passes(f"batch losses wiggle by {curve.wiggle:.1%}")
