"""What `minimize` returns."""

import dataclasses
from typing import Any

from keras_trainkit.record.training_record import TrainingRecord


@dataclasses.dataclass(frozen=True)
class Minimization:
    """The result of `minimize`; the best weights are in the model.

    Args:
        loss: The lowest full loss found, penalties included.
        gradient_norm: The largest entry of its gradient by magnitude.
        evaluations: Evaluations of the full loss and gradient. Evaluations of a part
            of the data count as that part; a product with the Hessian counts as two.
        iterations: Iterations of the method; epochs, to a callback.
        stopped: Why it stopped: "gradient" if `gradient_norm` fell to the tolerance,
            "no lower loss" if the method found none, "stalled" if the loss no longer
            fell by more than its rounding, "evaluations" if they were used up,
            "callback" if one set `model.stop_training`.
        record: The loss, gradient norm and validation metrics of each iteration;
            the step is the number of evaluations by then.
        history: The Keras `History` of the iterations.
        notes: What the user should know about what was minimised.
    """

    loss: float
    gradient_norm: float
    evaluations: float
    iterations: int
    stopped: str
    record: TrainingRecord
    history: Any
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [
            f"loss {self.loss:.6g}, largest gradient {self.gradient_norm:.2g}, after "
            f"{self.iterations} iterations and {self.evaluations:.6g} evaluations: "
            f"{self.stopped}"
        ]
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])

    __repr__ = __str__
