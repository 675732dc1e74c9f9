"""One file a figure: from a record to an interactive Plotly figure.

Each function takes a `TrainingRecord`, a record file or a run directory, and returns
a `plotly.graph_objects.Figure`. A record without the numbers in question gives an
empty figure that says so.
"""

from keras_trainkit.report.figures.histograms import histogram_heatmap
from keras_trainkit.report.figures.loss import loss_curve
from keras_trainkit.report.figures.mosaics import filter_mosaics
from keras_trainkit.report.figures.norms import weight_and_gradient_norms
from keras_trainkit.report.figures.others import other_measures
from keras_trainkit.report.figures.rate import learning_rate
from keras_trainkit.report.figures.ratios import update_ratios
from keras_trainkit.report.figures.spread import layer_spread
from keras_trainkit.report.figures.units import silent_units
from keras_trainkit.report.figures.validation import train_against_validation

__all__ = [
    "filter_mosaics",
    "histogram_heatmap",
    "layer_spread",
    "learning_rate",
    "loss_curve",
    "other_measures",
    "silent_units",
    "train_against_validation",
    "update_ratios",
    "weight_and_gradient_norms",
]
