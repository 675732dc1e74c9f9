"""Blocks of readings: single numbers gathered, series found again."""

import numpy as np

from keras_trainkit.record.blocks import Blocks, block_of_numbers
from keras_trainkit.record.series import Block, Series

LOSS, RATE, NORM = Series("loss"), Series("rate"), Series("norm", "dense")


def test_numbers_make_a_row_a_step_and_a_column_a_series():
    block = block_of_numbers(
        [(3, 0, LOSS, 1.0), (3, 0, RATE, 0.1), (5, 1, LOSS, np.nan), (3, 0, LOSS, 2.0)]
    )
    assert block.columns == (LOSS, RATE)
    assert block.steps.tolist() == [3, 5]
    assert block.epochs.tolist() == [0, 1]
    np.testing.assert_array_equal(block.present, [[True, True], [True, False]])
    np.testing.assert_array_equal(block.values, [[2.0, 0.1], [np.nan, 0.0]])


def block(steps, values, columns=(LOSS,), present=None, epoch=0):
    values = np.asarray(values, float).reshape(len(steps), len(columns))
    return Block(columns, np.array(steps), np.full(len(steps), epoch), values, present)


def test_a_series_comes_by_step_wherever_it_stood():
    blocks = Blocks()
    assert [each.tolist() for each in blocks.values(LOSS)] == [[], [], []]
    assert blocks.last == (-1, -1)
    present = np.array([[True, True], [False, True]])
    blocks.keep(block([8, 9], [8.0, 1.0, 0.0, 2.0], (LOSS, RATE), present, epoch=1))
    blocks.keep(block([2, 4], [2.0, 4.0]))
    blocks.keep(block([], []))
    steps, epochs, values = blocks.values(LOSS)
    assert steps.tolist() == values.tolist() == [2, 4, 8]
    assert epochs.tolist() == [0, 0, 1]
    assert blocks.values(RATE)[2].tolist() == [1.0, 2.0]
    assert blocks.last == (9, 1)
    assert len(blocks) == 3
    assert len(blocks.since(2)) == 1


def test_a_series_that_was_never_read_is_not_listed():
    blocks = Blocks()
    absent = np.array([[True, False]])
    blocks.keep(block([0], [1.0, 5.0], (LOSS, RATE), absent))
    assert blocks.series == (LOSS,)


def test_what_was_ever_positive_is_found_in_any_block():
    blocks = Blocks()
    other = Series("norm", "other")
    blocks.keep(block([0], [0.0, 0.0, 9.0], (NORM, other, LOSS)))
    blocks.keep(block([1], [0.0, 1e-9], (other, NORM)))
    assert blocks.ever_positive("norm") == {NORM}
