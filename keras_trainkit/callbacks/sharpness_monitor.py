"""Watches how sharp the valley of the loss is that a training goes through."""

from typing import Any, Literal

from keras_trainkit.arguments import check_integer, check_number, received
from keras_trainkit.callbacks.monitor import Monitor
from keras_trainkit.recording.budget import Budget
from keras_trainkit.recording.instruments.sharpness import Sharpness


class SharpnessMonitor(Monitor):
    """Records the largest eigenvalue of the Hessian of the loss, between epochs.

    Gradient descent without momentum is stable only for rates below two over
    `sharpness`; with a constant rate and large batches the sharpness tends to rise to
    about there and stay, and a rate that is to grow must wait until it falls. The
    Hessian is that of the training loss, penalties included, on the examples first
    trained on, in inference mode, as `tk.second_order.top_eigenvalues` computes it.
    By Lanczos' method: some five to ten products with the Hessian, each about one and
    a half gradients on the examples, and memory for as many vectors of all weights.
    The second derivative is traced once, which takes a second or more.

    Args:
        examples: How many training examples to keep and evaluate on, int >= 1.
        every_epochs: Epochs between two readings, int >= 1; "auto" for as often as
            `overhead` allows, the first epoch always.
        overhead: Share of the running time that monitors may cost, in (0, 1]; a third
            of it is for "auto", the first reading and its tracing not counted.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        ```python
        monitor = SharpnessMonitor(every_epochs=1)
        model.fit(x, y, epochs=3, callbacks=[monitor])
        monitor.record.to_frame(measure="sharpness")
        ```

    Reference:
        [Cohen et al., 2021](https://arxiv.org/abs/2103.00065)
    """

    def __init__(
        self,
        examples: int = 128,
        every_epochs: int | Literal["auto"] = "auto",
        overhead: float = 0.03,
    ) -> None:
        self.examples = check_integer("examples", examples, 1)
        self.every_epochs = _check_every_epochs(every_epochs)
        check_number("overhead", overhead, 0.0, 1.0, open_minimum=True)
        share = Budget(overhead).between_epochs
        super().__init__(
            Sharpness(self.examples, self.every_epochs, share), overhead=overhead
        )


def _check_every_epochs(value: Any) -> Any:
    if isinstance(value, str):
        if value != "auto":
            raise ValueError(
                '`every_epochs` must be an integer >= 1 or "auto". '
                + received("every_epochs", value)
            )
        return value
    return check_integer("every_epochs", value, 1)
