"""Does the loss depend on which target belongs to which prediction?"""

import dataclasses

from keras_trainkit.diagnosis.course import Course
from keras_trainkit.diagnosis.rule import LEARNS_LITTLE, Rule
from keras_trainkit.finding import Verdict


@dataclasses.dataclass(frozen=True)
class LossIgnoresOrder(Rule):
    """Finds a loss that stays as it is if targets are exchanged among the examples.

    Targets of shape `(batch,)` against predictions of shape `(batch, 1)` broadcast to
    all pairs, so that the best answer is a constant; nothing raises an error.
    """

    code = "loss_ignores_order"
    category = "loss or output"
    needs = ("prediction_spread", "target_spread")
    explains = (
        *LEARNS_LITTLE,
        "dead_units",
        "labels_of_others",
        "rate_too_high",
        "rate_too_low",
        "stopped_too_early",
        "validation_differs",
    )

    def judge(self, course: Course) -> Verdict:
        ignores = course.task.get("loss_ignores_order")
        if ignores is None:
            return self.skips("predictions or targets are all the same")
        if not ignores:
            return self.passes("the loss depends on which target is whose")
        return self.finds_at_start(
            "The loss is the same if targets are exchanged among the examples: each "
            "prediction is compared with all targets.",
            where="loss",
            evidence={"prediction_spread": course.last("prediction_spread")},
            advice="Give targets the shape of the predictions: y.reshape(-1, 1), or "
            "squeeze the predictions in the loss.",
        )
