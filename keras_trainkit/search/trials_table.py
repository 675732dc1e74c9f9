"""A table of trials that is printed whole."""

import shutil

import pandas


class TrialsTable(pandas.DataFrame):
    """A data frame that wraps its columns where pandas would leave out those between.

    The first ones, which tell what a trial tried and how good it was, come first; what
    is taken of the table is printed alike.
    """

    @property
    def _constructor(self) -> type["TrialsTable"]:
        return TrialsTable

    def __repr__(self) -> str:
        """The rows as pandas prints them, with all columns."""
        width = shutil.get_terminal_size().columns
        with pandas.option_context(
            *("display.max_columns", None, "display.width", width)
        ):
            return super().__repr__()
