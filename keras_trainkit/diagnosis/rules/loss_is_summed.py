"""Is the loss summed over the batch?"""

import dataclasses

from keras_trainkit.diagnosis.course import Course
from keras_trainkit.diagnosis.rule import LEARNS_LITTLE, Rule
from keras_trainkit.finding import Verdict


@dataclasses.dataclass(frozen=True)
class LossIsSummed(Rule):
    """Finds a summed loss in a run that does not learn: gradients grow with the batch.

    Args:
        left: Share of the best constant answer's loss, above which much is left.
    """

    code = "loss_is_summed"
    category = "loss or output"
    needs = ("example_loss", "trivial_loss")
    explains = (
        *LEARNS_LITTLE,
        "dead_units",
        "diverging",
        "far_too_long_updates",
        "nonfinite",
        "rate_too_high",
        "saturated_units",
        "stopped_too_early",
    )

    left: float = 0.6

    def judge(self, course: Course) -> Verdict:
        if not course.is_summed or not course.share_left > self.left:
            return self.passes("the loss is a mean, or the run learns")
        return self.finds(
            "The loss is summed over the batch, which makes every update as many "
            "times longer.",
            where="loss",
            evidence={"share_left": course.share_left, "limit": self.left},
            first_step=0,
            advice='reduction="sum_over_batch_size", or divide the learning rate by '
            "the size of the batch.",
        )
