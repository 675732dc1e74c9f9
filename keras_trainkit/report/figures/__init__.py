"""One function a figure: from a record to an interactive Plotly figure.

Each takes a `TrainingRecord`, a record file or a run directory, and returns a
`plotly.graph_objects.Figure`. A record without the numbers in question gives an
empty figure that says so.
"""

import os
from typing import TYPE_CHECKING

from keras_trainkit.arguments import received
from keras_trainkit.record.readings import Readings
from keras_trainkit.record.training_record import TrainingRecord
from keras_trainkit.report.figures import histograms as _histograms
from keras_trainkit.report.figures import loss as _loss
from keras_trainkit.report.figures import mosaics as _mosaics
from keras_trainkit.report.figures import norms as _norms
from keras_trainkit.report.figures import rate as _rate
from keras_trainkit.report.figures import ratios as _ratios
from keras_trainkit.report.figures import spread as _spread
from keras_trainkit.report.figures import units as _units
from keras_trainkit.report.figures import validation as _validation
from keras_trainkit.report.figures.drawn import figure, mosaic_figure

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Source = TrainingRecord | str | os.PathLike[str]

__all__ = [
    "filter_mosaics",
    "histogram_heatmap",
    "layer_spread",
    "learning_rate",
    "loss_curve",
    "silent_units",
    "train_against_validation",
    "update_ratios",
    "weight_and_gradient_norms",
]


def loss_curve(record: Source) -> "Figure":
    """Draws the loss of every batch, pale, with its running mean over it.

    Long runs are thinned to what a screen can show; the smallest and the largest
    loss of every stretch stay, and a cross marks where the loss stops being finite.

    Args:
        record: The record, its file, or the run directory.

    Returns:
        Loss over steps, both as recorded.

    Example:
        ```python
        tk.report.figures.loss_curve(monitor.record).show()
        ```
    """
    return figure(_loss.draw(_readings(record)), "loss of single steps")


def train_against_validation(record: Source, metric: str = "loss") -> "Figure":
    """Draws a metric on training and on validation data, the gap shaded.

    The training side is the one re-measured in evaluation mode where the record has
    it (`train_<metric>_eval`), else the running mean of the epoch.

    Args:
        record: The record, its file, or the run directory.
        metric: Name of the metric as Keras reports it, without `val_`.

    Raises:
        ValueError: If the record has metrics, but not this one.
    """
    readings = _readings(record)
    if readings.metrics and metric not in readings.metrics:
        known = ", ".join(repr(name) for name in readings.metrics)
        raise ValueError(
            f"`metric` must be one of {known}. {received('metric', metric)}"
        )
    return figure(_validation.draw(readings, metric), "metrics of epochs")


def update_ratios(record: Source) -> "Figure":
    """Draws the update ratio of each variable, with the healthy band around 1/1000.

    The eight variables furthest from 1/1000 are shown, the others on a click in the
    legend.

    Args:
        record: The record, its file, or the run directory.

    Returns:
        Ratios over steps on a logarithmic axis; the band is 1e-4 to 1e-2.
    """
    return figure(_ratios.draw(_readings(record)), "update ratios")


def layer_spread(record: Source) -> "Figure":
    """Draws activations and gradients from the first layer to the last.

    Args:
        record: The record, its file, or the run directory.

    Returns:
        Mean activation with one standard deviation either way, and the standard
        deviations of activations and gradients on a logarithmic axis, each the last
        reading of the epoch that the slider chooses.
    """
    return figure(_spread.draw(_readings(record)), "statistics of layers")


def silent_units(record: Source) -> "Figure":
    """Draws the dead, zero and saturated fractions of the layers, the worst first.

    Args:
        record: The record, its file, or the run directory.
    """
    return figure(_units.draw(_readings(record)), "dead or saturated fractions")


def weight_and_gradient_norms(record: Source) -> "Figure":
    """Draws the Euclidean norms of gradients and weights by variable.

    Args:
        record: The record, its file, or the run directory.
    """
    return figure(_norms.draw(_readings(record)), "norms")


def learning_rate(record: Source) -> "Figure":
    """Draws the learning rate of every step.

    Args:
        record: The record, its file, or the run directory.
    """
    return figure(_rate.draw(_readings(record)), "learning rate")


def histogram_heatmap(record: Source) -> "Figure":
    """Draws the histograms of activations and gradients, one column an epoch.

    Args:
        record: The record, its file, or the run directory.

    Returns:
        The share of values in each bin; a menu chooses the layer.
    """
    return figure(_histograms.draw(_readings(record)), "histograms")


def filter_mosaics(record: Source) -> "Figure":
    """Shows the first layer's filters, with a slider over the epochs.

    Args:
        record: The record, its file, or the run directory.
    """
    return mosaic_figure(_mosaics.mosaics(_readings(record)))


def _readings(record: Source) -> Readings:
    if isinstance(record, TrainingRecord):
        return Readings(record)
    return Readings(TrainingRecord.open(record))
