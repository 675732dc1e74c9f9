import ast
import dataclasses
import pathlib

import pytest

import keras_trainkit
from keras_trainkit.finding import CATEGORIES, Finding, gravest_first, judged

PACKAGE = pathlib.Path(keras_trainkit.__file__).parent


def finding(**changes):
    return Finding(**{"message": "Odd.", "code": "odd", "category": "data", **changes})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"severity": "fatal"}, "`severity` must be one of"),
        ({"confidence": 1.5}, "`confidence` must be between 0 and 1"),
        ({"code": ""}, "`code` must be words in lower case"),
        ({"code": "Dead units"}, "`code` must be words in lower case"),
        ({"category": "weather"}, "`category` must be one of"),
    ],
)
def test_finding_refuses(changes, words):
    with pytest.raises(ValueError, match=words):
        finding(**changes)


def test_finding_has_no_default_for_what_programs_read():
    needed = {
        field.name
        for field in dataclasses.fields(Finding)
        if field.default is dataclasses.MISSING
        and field.default_factory is dataclasses.MISSING
    }
    assert needed == {"message", "code", "category"}


def test_finding_names_what_it_explains():
    cause = finding(symptoms=(finding(code="flat"), finding(code="flat")))
    assert str(cause).endswith("explains: flat")


def test_gravest_first_keeps_the_order_of_equals():
    mild = finding(severity="info", confidence=1.0)
    sure, unsure = finding(confidence=0.9), finding(confidence=0.3)
    twin = dataclasses.replace(sure, message="Later.")
    grave = finding(severity="error", confidence=0.1)
    ordered = gravest_first([mild, unsure, sure, twin, grave])
    assert ordered == [grave, sure, twin, unsure, mild]
    assert judged("one", "why", [mild, grave]).status == "fail"


def test_every_constant_category_in_the_package_is_known():
    """Holds the sites that no test reaches: a wrong word there would raise late."""
    named = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            for keyword in node.keywords:
                if keyword.arg == "category" and isinstance(
                    keyword.value, ast.Constant
                ):
                    named.add(keyword.value.value)
    assert "data" in named
    assert named <= set(CATEGORIES)
