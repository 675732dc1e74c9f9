"""Watches what the model makes of a few training examples."""

from keras_trainkit.arguments import check_integer
from keras_trainkit.callbacks.monitor import Monitor
from keras_trainkit.recording.instruments.examples import Examples


class ExamplesMonitor(Monitor):
    """Compares predictions with targets and with trivial answers, once an epoch.

    The first examples that are trained on are kept and predicted at the end of
    each epoch, without a trace: `trivial_loss` is what the best constant answer
    would lose on them, `example_loss` what the predictions lose, computed anew;
    beside them accuracies, ranges and spreads of predictions and targets. Models
    with several outputs or losses are not measured.

    Args:
        examples: How many to keep, int >= 1.

    Raises:
        ValueError: If `examples` is not an integer >= 1.

    Example:
        ```python
        monitor = ExamplesMonitor()
        model.fit(x, y, callbacks=[monitor])
        monitor.record.to_frame(measure="trivial_loss")
        ```
    """

    def __init__(self, examples: int = 256) -> None:
        self.examples = check_integer("examples", examples, 1)
        super().__init__(Examples(self.examples))
