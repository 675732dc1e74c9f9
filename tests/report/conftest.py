"""No model is built here, so there is no Keras state to clean."""

import pytest


@pytest.fixture(autouse=True)
def clean_keras():
    """Replaces the fixture of all tests, which costs more than these do."""
