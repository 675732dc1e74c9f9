import logging

from keras_trainkit.search.engine.retracing_warnings import no_retracing_warnings


def test_only_the_warnings_of_retracing_are_dropped(caplog):
    logger = logging.getLogger("tensorflow")
    retraced = "5 out of the last 5 calls triggered tf.function retracing."
    with no_retracing_warnings():
        logger.warning(retraced)
        logger.warning("something else")
    logger.warning(retraced)
    messages = [record.getMessage() for record in caplog.records]
    assert messages == ["something else", retraced]
