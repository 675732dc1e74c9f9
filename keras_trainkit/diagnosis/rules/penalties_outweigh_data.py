"""Do penalties, weight decay or dropout drown the data?"""

import dataclasses
from typing import Any

import numpy as np

from keras_trainkit.diagnosis.course import Course
from keras_trainkit.diagnosis.rule import LEARNS_LITTLE, Rule
from keras_trainkit.finding import Verdict


@dataclasses.dataclass(frozen=True)
class PenaltiesOutweighData(Rule):
    """Finds regularisation that keeps a run from learning.

    Args:
        penalty: Penalties over the loss of the data, from which they outweigh it.
        decay: Share of the weights that decay takes away a step, that is too large.
        dropout: Largest rate of a Dropout layer that leaves enough.
        left: Share of the best constant answer's loss, above which much is left.
    """

    code = "penalties_outweigh_data"
    category = "regularisation"
    needs = ("example_loss", "trivial_loss")
    explains = (
        *LEARNS_LITTLE,
        "dead_units",
        "rate_too_high",
        "rate_too_low",
        "stopped_too_early",
        "unreached_weights",
        "vanishing_gradient",
        "wild_start",
    )

    penalty: float = 0.3
    decay: float = 0.005
    dropout: float = 0.75
    left: float = 0.7

    def judge(self, course: Course) -> Verdict:
        if not course.share_left > self.left:
            return self.passes("the run learns")
        most = self._penalties(course)
        decay = _decay(course.record.metadata)
        dropout = float(course.task.get("dropout", 0.0))
        if most > self.penalty:
            what, value, advice = "penalties", most, "Lower the regularizers' factor."
        elif decay > self.decay:
            what, value, advice = "weight decay", decay, "Divide weight_decay by 100."
        elif dropout > self.dropout:
            what, value, advice = "dropout", dropout, "Use a rate of 0.2 to 0.5."
        else:
            return self.passes("nothing regularises strongly")
        return self.finds(
            f"Regularisation outweighs the data: {what} at {value:.3g}, and little "
            "is learnt.",
            where=what,
            evidence={
                "penalties_over_constant": most,
                "decay_a_step": decay,
                "dropout": dropout,
                "share_left": course.share_left,
            },
            first_step=0,
            advice=advice,
        )

    def _penalties(self, course: Course) -> float:
        """Penalties over the best constant answer's loss: reported less own."""
        reported, own = course.values("train_loss_eval"), course.values("example_loss")
        count = min(len(reported), len(own))
        if course.depends_on_rows or not count:
            return np.nan
        reported, own = reported[-count:], own[-count:]
        # Sure and wrong predictions differ too: own ones are clipped.
        calm = own < 1.5 * course.trivial
        return float((reported - own)[calm].max(initial=0.0)) / course.trivial


def _decay(metadata: dict[str, Any]) -> float:
    """Share of the weights that decoupled decay takes away a step."""
    optimizer = metadata.get("optimizer")
    config = optimizer.get("config") if isinstance(optimizer, dict) else None
    if not isinstance(config, dict):
        return 0.0
    rate, decay = config.get("learning_rate"), config.get("weight_decay")
    if not isinstance(rate, int | float) or not isinstance(decay, int | float):
        return 0.0
    return float(rate) * float(decay)
