"""Watches how far each update moves each parameter."""

from typing import Literal

from keras_trainkit.callbacks.monitor import Monitor
from keras_trainkit.recording.instruments.updates import Updates


class UpdateRatioMonitor(Monitor):
    """Records the ratio of update to weight, for every trainable variable.

    The ratio is taken on the update that was made, after momentum, clipping,
    decay and constraints, not on the gradient. About 1e-3 is healthy; far below,
    the learning rate may be too low, far above, too high. Recorded are
    `update_ratio`, `update_norm`, `weight_norm` (before the update),
    `gradient_norm` (before clipping, unscaled) and `nonfinite_count`. At
    `every=1` it cost 2 to 8 % of the processor time of two small models.

    Args:
        every: Steps between two readings, int >= 1, or "auto" for as often as
            `overhead` allows. With gradient accumulation, optimizer updates.
        entries: Entries of a variable that its norms are taken on, int >= 1. Larger
            variables are sampled evenly and their norms scaled up, which is an
            estimate and keeps reading large kernels cheap;
            `None` reads all.
        overhead: Share of the running time that `every="auto"` may cost, in
            (0, 1].

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        ```python
        monitor = UpdateRatioMonitor(every=10)
        model.fit(x, y, callbacks=[monitor])
        monitor.record.to_frame(measure="update_ratio")
        ```

    Reference:
        [CS231n notes, ratio of weights:updates](https://cs231n.github.io/neural-networks-3/#ratio)
    """

    def __init__(
        self,
        every: int | Literal["auto"] = 1,
        entries: int | None = 8_192,
        overhead: float = 0.03,
    ) -> None:
        super().__init__(Updates(), every=every, entries=entries, overhead=overhead)
