"""Silences what a search makes others say without need."""

import contextlib
import logging
from collections.abc import Iterator


@contextlib.contextmanager
def no_retracing_warnings() -> Iterator[None]:
    """Drops TensorFlow's warnings that a function was traced again.

    In a search every trial has a model of its own, so each is traced, as it must be.
    """
    logger = logging.getLogger("tensorflow")
    logger.addFilter(_is_no_retracing)
    try:
        yield
    finally:
        logger.removeFilter(_is_no_retracing)


def _is_no_retracing(record: logging.LogRecord) -> bool:
    return "triggered tf.function retracing" not in record.getMessage()
