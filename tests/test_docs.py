"""Docs and README keep pace with the code."""

import importlib
import re
from pathlib import Path

import pytest

import keras_trainkit

ROOT = Path(__file__).parents[1]
REFERENCE = "\n".join(
    page.read_text() for page in (ROOT / "docs/pages/reference").glob("*.md")
)
ROOMS = [
    path.parent.name
    for path in sorted((ROOT / "keras_trainkit").glob("*/__init__.py"))
    if "__all__" in path.read_text()
]


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_name_has_a_place_in_the_reference(room):
    names = importlib.import_module(f"keras_trainkit.{room}").__all__
    missing = [name for name in names if not re.search(rf"\b{name}\b", REFERENCE)]
    assert not missing


def test_version_is_told_once():
    text = (ROOT / "keras_trainkit/version.py").read_text()
    assert f'"{keras_trainkit.__version__}"' in text


def test_pictures_of_the_readme_exist():
    paths = re.findall(r"!\[[^]]*\]\(([^)]+)\)", (ROOT / "README.md").read_text())
    assert paths
    assert all((ROOT / path).exists() for path in paths)
