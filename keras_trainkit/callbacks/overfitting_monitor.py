"""Watches the gap between training and validation."""

from typing import Any

from keras_trainkit.arguments import check_integer, check_number, received
from keras_trainkit.callbacks.monitor import Monitor
from keras_trainkit.recording.instruments.gap import Gap


class OverfittingMonitor(Monitor):
    """Compares training and validation on equal terms, once an epoch.

    What Keras shows for training is a running mean over an epoch in which the
    weights changed and dropout was on. Here a fixed subset of the training data is
    evaluated like the validation data, at the end of the epoch:
    `train_<metric>_eval`, and of each metric `overfitting_gap` (positive when
    validation is worse), `overfitting_gap_smoothed` (exponential mean) and
    `overfitting_gap_trend` (slope over the last 5 epochs, per epoch), with the
    metric's name in the column `metric`. A metric that does not say whether more
    of it is better, as a function of your own, has no gap. Sample weights are not
    used.

    Args:
        train_data: `(x, y)` to evaluate on; `None` keeps the first `examples`
            examples that are trained on.
        examples: Size of the subset, int >= 1.
        smoothing: Weight of the past in the smoothed gap, in [0, 1).
        every_epochs: Epochs between two comparisons, int >= 1.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        ```python
        monitor = OverfittingMonitor()
        model.fit(x, y, validation_data=(xv, yv), callbacks=[monitor])
        monitor.record.to_frame(measure="overfitting_gap")
        ```

    Reference:
        [CS231n notes, train/val accuracy](https://cs231n.github.io/neural-networks-3/#accuracy)
    """

    def __init__(
        self,
        train_data: tuple[Any, Any] | None = None,
        examples: int = 512,
        smoothing: float = 0.6,
        every_epochs: int = 1,
    ) -> None:
        self.train_data = check_train_data(train_data)
        self.examples = check_integer("examples", examples, 1)
        self.smoothing = check_number(
            "smoothing", smoothing, 0.0, 1.0, open_maximum=True
        )
        self.every_epochs = check_integer("every_epochs", every_epochs, 1)
        super().__init__(
            Gap(self.train_data, self.examples, self.smoothing, self.every_epochs)
        )


def check_train_data(value: Any) -> Any:
    """Returns `train_data` if it is `None` or a pair, else says why not."""
    if value is None or (isinstance(value, (tuple, list)) and len(value) == 2):
        return value
    raise ValueError(
        "`train_data` must be None or a pair (x, y). "
        + received(
            "train_data", value if isinstance(value, str) else type(value).__name__
        )
    )
