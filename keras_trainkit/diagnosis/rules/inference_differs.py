"""Does the model predict otherwise than it trains?"""

import dataclasses

import numpy as np

from keras_trainkit.diagnosis.course import Course
from keras_trainkit.diagnosis.rule import Rule
from keras_trainkit.finding import Verdict


@dataclasses.dataclass(frozen=True)
class InferenceDiffers(Rule):
    """Finds training examples that are predicted far worse than they are trained.

    Args:
        times: Loss in inference over that in training, from which they differ.
        notable: Share of the best constant answer's loss that inference must lose.
    """

    code = "inference_differs"
    category = "regularisation"
    needs = ("train_loss_eval", "epoch_loss", "trivial_loss")
    explains = ("overfitting", "learns_nothing", "validation_differs")

    times: float = 2.0
    notable: float = 0.6

    def judge(self, course: Course) -> Verdict:
        if not course.has_floor or course.depends_on_rows:
            return self.skips("no loss to compare with")
        trained, evaluated = (
            course.values("epoch_loss"),
            course.values("train_loss_eval"),
        )
        count = min(len(trained), len(evaluated), 3)
        training = float(np.median(trained[-count:]))
        inference = float(np.median(evaluated[-count:]))
        apart = inference > self.times * training
        if not (apart and inference > self.notable * course.trivial):
            return self.passes(f"training {training:.4g}, inference {inference:.4g}")
        return self.finds(
            f"The training examples lose {inference:.4g} in inference and "
            f"{training:.4g} in training: the two do not compute the same.",
            where="train_loss_eval",
            severity="error",
            evidence={
                "training": training,
                "inference": inference,
                "limit": self.times,
            },
            advice="Look at BatchNormalization: a lower momentum (0.9), more steps, "
            "training=False only in inference.",
        )
