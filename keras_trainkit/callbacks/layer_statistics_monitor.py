"""Watches the activations of every layer and the gradients that reach them."""

from collections.abc import Sequence
from typing import Literal

from keras_trainkit.arguments import check_flag
from keras_trainkit.callbacks.monitor import Monitor
from keras_trainkit.recording.instruments.histograms import Histograms
from keras_trainkit.recording.instruments.layers import Layers
from keras_trainkit.recording.instruments.units import Units


class LayerStatisticsMonitor(Monitor):
    """Records the distribution of activations and their gradients, layer by layer.

    Measured on the very batch that is trained on, inside the train step:
    `activation_mean`, `activation_std`, `zero_fraction`, `saturated_fraction` (of
    bounded activations), `activation_gradient_mean`, `activation_gradient_std` and
    `nonfinite_count`; and once an epoch `dead_fraction`, the share of a rectifying
    layer's units that gave zero on every reading of the epoch. Healthy layers keep
    a spread of the same order from first to last; 50 to 75 % of zeros are normal
    behind a ReLU, dead units are not.

    A layer that is called several times in a step is measured over all its calls.
    Of a layer with several outputs the first is measured, of a dictionary each.
    The gradient of an output whose loss is computed from its logits is the one
    that arrives at the logits.

    Args:
        every: Steps between two readings, int >= 1, or "auto" for as often as
            `overhead` allows. With gradient accumulation, optimizer updates.
        layers: Names of the layers to measure, `None` for all.
        sample: Measure only the first so many examples of a batch, int >= 1;
            `None` for all of them, "auto" for as many as make about 8,192 values
            of a layer, at most 16, which makes a reading several times cheaper.
        histograms: Whether to count values by sign and magnitude once an epoch
            (`activation_histogram`, `activation_gradient_histogram`).
        overhead: Share of the running time that `every="auto"` may cost, in
            (0, 1].

    Raises:
        ValueError: If an argument is outside its range, or, before training
            begins, if the model has no layer of a name in `layers`.

    Example:
        ```python
        monitor = LayerStatisticsMonitor(every=10, sample=16)
        model.fit(x, y, callbacks=[monitor])
        monitor.record.to_frame(measure="activation_std")
        ```

    Reference:
        [CS231n notes, activation and gradient distributions](https://cs231n.github.io/neural-networks-3/#distr)
    """

    def __init__(
        self,
        every: int | Literal["auto"] = 1,
        layers: Sequence[str] | None = None,
        sample: int | Literal["auto"] | None = None,
        histograms: bool = False,
        overhead: float = 0.03,
    ) -> None:
        self.histograms = check_flag("histograms", histograms)
        counted = (Histograms(),) if histograms else ()
        super().__init__(
            Layers(),
            Units(),
            *counted,
            every=every,
            layers=layers,
            sample=sample,
            overhead=overhead,
        )
