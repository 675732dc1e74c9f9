"""Blocks of readings in memory, and each series found in them."""

from collections.abc import Sequence

import numpy as np

from keras_trainkit.record.series import Block, Series


class Blocks:
    """All readings of a record as they were added, block after block."""

    def __init__(self) -> None:
        self._blocks: list[Block] = []
        self._columns_of: dict[Series, list[tuple[Block, int]]] = {}

    def keep(self, block: Block) -> None:
        """Adds a block."""
        self._blocks.append(block)
        for column, series in enumerate(block.columns):
            if block.present is None or block.present[:, column].any():
                self._columns_of.setdefault(series, []).append((block, column))

    def since(self, start: int) -> Sequence[Block]:
        """Returns the blocks from number `start` on."""
        return self._blocks[start:]

    def __len__(self) -> int:
        return len(self._blocks)

    @property
    def series(self) -> tuple[Series, ...]:
        """All series that have at least one reading, in order of appearance."""
        return tuple(self._columns_of)

    @property
    def last(self) -> tuple[int, int]:
        """The last step and the last epoch of any reading, -1 where there is none."""
        filled = [block for block in self._blocks if len(block.steps)]
        return (
            max((int(block.steps.max()) for block in filled), default=-1),
            max((int(block.epochs.max()) for block in filled), default=-1),
        )

    def values(self, series: Series) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns steps, epochs and values of one series, each `(n,)`, by step."""
        steps, epochs, values = [], [], []
        for block, column in self._columns_of.get(series, ()):
            rows = slice(None) if block.present is None else block.present[:, column]
            steps.append(block.steps[rows])
            epochs.append(block.epochs[rows])
            values.append(block.values[rows, column])
        if not steps:
            return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
        arrays = (
            np.concatenate(steps),
            np.concatenate(epochs),
            np.concatenate(values).astype(np.float64),
        )
        if (arrays[0][1:] >= arrays[0][:-1]).all():
            return arrays
        order = np.argsort(arrays[0], kind="stable")
        return arrays[0][order], arrays[1][order], arrays[2][order]

    def ever_positive(self, measure: str) -> set[Series]:
        """Series of a measure that may hold a value above 0, block by block."""
        places: dict[tuple[Series, ...], list[int]] = {}
        positive: set[Series] = set()
        for block in self._blocks:
            if block.columns not in places:
                places[block.columns] = [
                    index
                    for index, series in enumerate(block.columns)
                    if series.measure == measure
                ]
            chosen = places[block.columns]
            above = (block.values[:, chosen] > 0).any(axis=0)
            positive.update(
                block.columns[chosen[place]] for place in above.nonzero()[0]
            )
        return positive


def block_of_numbers(numbers: Sequence[tuple[int, int, Series, float]]) -> Block:
    """Gathers single numbers in one block, of two at the same place the later.

    Args:
        numbers: Step, epoch, series and value of each, one or more.

    Returns:
        A row for each step and epoch, a column for each series, both in the order of
        appearance.
    """
    columns = tuple(dict.fromkeys(series for _, _, series, _ in numbers))
    rows = tuple(dict.fromkeys((step, epoch) for step, epoch, _, _ in numbers))
    column_of = {series: index for index, series in enumerate(columns)}
    row_of = {row: index for index, row in enumerate(rows)}
    values = np.zeros((len(rows), len(columns)))
    present: np.ndarray = np.zeros(values.shape, bool)
    for step, epoch, series, value in numbers:
        place = row_of[step, epoch], column_of[series]
        values[place] = value
        present[place] = True
    steps, epochs = (np.array(each, np.int64) for each in zip(*rows, strict=True))
    return Block(columns, steps, epochs, values, present)
