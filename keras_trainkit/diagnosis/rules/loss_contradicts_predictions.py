"""Is the loss that Keras reports that of what the model predicts?"""

import dataclasses

from keras_trainkit.diagnosis.course import Course
from keras_trainkit.diagnosis.rule import LEARNS_LITTLE, Rule
from keras_trainkit.finding import Verdict


@dataclasses.dataclass(frozen=True)
class LossContradictsPredictions(Rule):
    """Finds predictions that lose more than the loss that `evaluate` reports.

    Keras lets a cross-entropy read the logits behind the last activation, whichever
    this is; a penalty can only make the reported loss the larger of the two.

    Args:
        share: Of the best constant answer's loss, that they may differ by.
    """

    code = "loss_contradicts_predictions"
    category = "loss or output"
    needs = ("example_loss", "train_loss_eval", "trivial_loss")
    explains = LEARNS_LITTLE

    share: float = 0.1

    def judge(self, course: Course) -> Verdict:
        if course.depends_on_rows or not course.has_floor:
            return self.skips("the loss is summed over batches, or has no floor")
        own, reported = course.last("example_loss"), course.last("train_loss_eval")
        apart = own - reported
        examples = int(course.task.get("examples", 0))
        if not apart > self.share * max(course.trivial, reported) or examples < 2:
            return self.passes(f"reported {reported:.4g}, predictions lose {own:.4g}")
        return self.finds_at_start(
            f"The reported loss, {reported:.4g}, is not that of the predictions, "
            f"{own:.4g}.",
            where="output",
            evidence={"reported": reported, "recomputed": own, "limit": self.share},
            advice="Check the last activation against the loss: softmax over one "
            "unit, sigmoid for exclusive classes, or from_logits.",
        )
