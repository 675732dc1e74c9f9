"""Did the untrained model lose far more than a clueless guess?"""

import dataclasses
import math

from keras_trainkit.diagnosis.course import Course
from keras_trainkit.diagnosis.rule import LEARNS_LITTLE, Rule
from keras_trainkit.finding import Verdict


@dataclasses.dataclass(frozen=True)
class WildStart(Rule):
    """Finds initial weights, or inputs, that are far too large.

    Args:
        times: Loss of the first steps over that of the best constant answer, or of
            answering zero, from which it is too large.
        left: Share of the best constant answer's loss, above which much is left.
    """

    code = "wild_start"
    category = "initialisation"
    needs = ("loss", "trivial_loss")
    explains = (
        *LEARNS_LITTLE,
        "dead_units",
        "nonfinite",
        "rate_too_high",
        "rate_too_low",
        "saturated_units",
        "stopped_too_early",
        "vanishing_gradient",
    )

    times: float = 4.0
    left: float = 0.5

    def judge(self, course: Course) -> Verdict:
        if not course.has_floor or course.depends_on_rows:
            return self.skips("no loss to compare with")
        guess = max(course.trivial, self._clueless(course))
        ratio = float(course.losses[0]) / guess if course.steps else 0.0
        if not (ratio > self.times and course.share_left > self.left):
            return self.passes(f"the first loss is {ratio:.2g} times a clueless guess")
        return self.finds_at_start(
            f"The untrained model lost {ratio:.3g} times as much as a clueless guess: "
            "its initial weights or its inputs are too large.",
            where="loss",
            evidence={
                "first_loss": float(course.losses[0]),
                "clueless_guess": guess,
                "limit": self.times,
                "share_left": course.share_left,
            },
            advice="Keep Keras' default initialisers and scale the inputs to about "
            "-1 ... 1.",
        )

    def _clueless(self, course: Course) -> float:
        """What is lost by answering zero, or all classes alike."""
        top = course.last("target_high")
        size = max(abs(course.last("target_low")), abs(top))
        return {
            "mean_squared_error": size**2,
            "mean_absolute_error": size,
            "sparse_categorical_crossentropy": math.log(max(top + 1, 2)),
            "binary_crossentropy": math.log(2),
        }.get(str(course.task.get("loss", "")), 0.0)
