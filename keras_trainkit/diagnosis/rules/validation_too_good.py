"""Is validation better than training for no good reason?"""

import dataclasses

import numpy as np

from keras_trainkit.diagnosis.course import Course
from keras_trainkit.diagnosis.rule import Rule
from keras_trainkit.finding import Verdict


@dataclasses.dataclass(frozen=True)
class ValidationTooGood(Rule):
    """Finds validation that loses far less than training does on equal terms.

    Args:
        share: Of the training loss, evaluated without dropout, below which it is
            too good.
        epochs: Fewest epochs.
    """

    code = "validation_too_good"
    category = "data"
    needs = ("val_loss", "train_loss_eval", "trivial_loss")

    share: float = 0.5
    epochs: int = 3

    def judge(self, course: Course) -> Verdict:
        count = min(len(course.validation), len(course.values("train_loss_eval")))
        if count < self.epochs or course.depends_on_rows:
            return self.skips(f"fewer than {self.epochs} epochs")
        late = max(1, count // 2)
        validation = float(np.median(course.validation[-late:]))
        training = float(np.median(course.values("train_loss_eval")[-late:]))
        notable = course.share_left > 0.1  # small losses differ by chance
        if not (notable and 0 < validation < self.share * training):
            return self.passes(f"validation {validation:.4g}, training {training:.4g}")
        return self.finds(
            f"Validation loses {validation:.4g}, training {training:.4g} on equal "
            "terms.",
            where="validation_data",
            evidence={
                "validation": validation,
                "training": training,
                "limit": self.share,
            },
            advice="Look for training rows in the validation set, for an easier "
            "validation set, or for targets that leak into its inputs.",
        )
