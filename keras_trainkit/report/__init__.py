"""A record as one offline HTML page, as single figures, or for TensorBoard."""

from keras_trainkit.report import figures
from keras_trainkit.report.page import write

__all__ = ["figures", "write"]
