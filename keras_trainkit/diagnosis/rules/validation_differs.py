"""Is validation prepared as training is?"""

import dataclasses

import numpy as np

from keras_trainkit.diagnosis.course import Course
from keras_trainkit.diagnosis.rule import Rule
from keras_trainkit.finding import Verdict


@dataclasses.dataclass(frozen=True)
class ValidationDiffers(Rule):
    """Finds validation that is far worse than any guess from the first epoch on.

    Overfitting takes time; inputs that are scaled otherwise than those of training
    are wrong at once.

    Args:
        times: Best validation loss over that of the best constant answer, from which
            it is too large.
        left: Share of the best constant answer's loss, below which training learnt.
    """

    code = "validation_differs"
    category = "data"
    needs = ("val_loss", "trivial_loss")
    explains = ("overfitting", "labels_of_others")

    times: float = 1.5
    left: float = 0.7

    def judge(self, course: Course) -> Verdict:
        if (
            course.depends_on_rows
            or not course.has_floor
            or not np.isfinite(course.validation).any()
        ):
            return self.skips("no loss to compare with")
        best = float(np.nanmin(course.validation)) / course.trivial
        if not (best > self.times and course.share_left < self.left):
            return self.passes(f"validation came to {best:.2g} of a constant's loss")
        return self.finds(
            f"Validation never lost less than {best:.3g} times what a constant answer "
            "does, from the first epoch on, while training learns.",
            where="validation_data",
            severity="error",
            evidence={
                "best_validation_share": best,
                "training_share_left": course.share_left,
                "limit": self.times,
            },
            advice="Prepare validation as training: the same scaling, the same order "
            "of features and classes.",
        )
