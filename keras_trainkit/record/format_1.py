"""Reads files of the first format, which had one name for five things."""

import json
import sqlite3

import numpy as np

from keras_trainkit.record.record_file import (
    Content,
    DamagedError,
    StoredBlock,
    decode_block,
)
from keras_trainkit.record.series import Series

_TENSORS = ("activation", "activation_gradient")


def read_format_1(connection: sqlite3.Connection) -> Content:
    """Reads all of a file of the first format, in today's words.

    It bore no checksums: damage shows only where the parts do not fit together.

    Raises:
        DamagedError: If they do not.
    """
    connection.execute("BEGIN")  # one snapshot for all tables
    metadata = {
        key: json.loads(text)
        for key, text in connection.execute("SELECT key, json FROM metadata")
    }
    series = {
        place: _renamed(*row)
        for place, row in enumerate(
            connection.execute(
                "SELECT measure, layer, variable FROM series ORDER BY id"
            )
        )
    }
    blocks = [
        _checked(decode_block(row), len(series))
        for row in connection.execute(
            "SELECT columns, steps, epochs, type, readings, present FROM blocks "
            "ORDER BY id"
        )
    ]
    images = connection.execute(
        "SELECT name, epoch, png FROM images ORDER BY rowid"
    ).fetchall()
    return Content(metadata, series, blocks, images, version=1)


def _checked(block: StoredBlock, count: int) -> StoredBlock:
    if len(block.columns) and not np.all(
        (block.columns >= 0) & (block.columns < count)
    ):
        raise DamagedError("a block does not fit its series")
    return block


def _renamed(measure: str, layer: str, name: str) -> Series:
    """Puts what stood in the column `variable` where it belongs."""
    if measure == "nonfinite_count":
        if name in _TENSORS:
            return Series(measure, layer, tensor=name)
        if name.endswith(" gradient"):
            variable = name.removesuffix(" gradient")
            return Series(measure, layer, variable, tensor="gradient")
        return Series(measure, layer, name, tensor="weight")
    if measure.endswith("_histogram"):
        return Series(measure, layer, bin=name)
    if measure.startswith("overfitting_gap"):
        return Series(measure, layer, metric=name)
    if name.startswith("execution "):
        return Series(measure, layer, training=name.removeprefix("execution "))
    return Series(measure, layer, name)
