"""A record as one offline HTML page, as single figures, or for TensorBoard."""

from keras_trainkit.report import figures
from keras_trainkit.report.page import write
from keras_trainkit.report.tensorboard import TensorBoardExport

__all__ = ["TensorBoardExport", "figures", "write"]
