"""Does validation get worse while training gets better?"""

import dataclasses

import numpy as np

from keras_trainkit.diagnosis.course import Course
from keras_trainkit.diagnosis.rule import Rule
from keras_trainkit.finding import Verdict


@dataclasses.dataclass(frozen=True)
class Overfitting(Rule):
    """Finds a validation loss that rises while the training loss falls.

    Args:
        epochs: Fewest epochs.
        rise: Over its best, as a share of it, that is no cause for a word.
        gap: Between validation and training, as a share of the training loss, that
            is no cause for a word.
        notable: Share of the best constant answer's loss that the rise must reach.
    """

    code = "overfitting"
    category = "overfitting"
    needs = ("val_loss", "train_loss_eval")

    epochs: int = 4
    rise: float = 0.1
    gap: float = 0.5
    notable: float = 0.1

    def judge(self, course: Course) -> Verdict:
        _, epochs, validation = course.arrays(course.select("val_loss")[0])
        training = course.values("train_loss_eval")
        if min(len(validation), len(training)) < self.epochs:
            return self.skips(f"fewer than {self.epochs} epochs")
        if not (np.isfinite(validation).all() and np.isfinite(training).all()):
            return self.skips("the losses are not finite")
        best = int(validation.argmin())
        rise = float(validation[-3:].min() - validation[best])
        gap = float(validation[-1] - training[-1])
        scale = course.trivial if course.has_floor else abs(float(validation[best]))
        worse = rise > max(
            self.rise * abs(float(validation[best])), self.notable * scale
        )
        falls = training[-1] < training[0]
        if not (worse and falls and gap > self.gap * abs(float(training[-1]))):
            return self.passes(f"validation {validation[-1]:.4g}, gap {gap:.3g}")
        return self.finds(
            "Overfitting: the validation loss has risen since its best epoch while "
            "the training loss went on falling.",
            where="val_loss",
            evidence={
                "gap": gap,
                "best_epoch": int(epochs[best]),
                "val_loss_since_best": rise,
            },
            advice="Stop at the best epoch (`EarlyStopping(restore_best_weights=True)`"
            "), add data, dropout or weight decay.",
        )
