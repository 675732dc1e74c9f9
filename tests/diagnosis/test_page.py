from pathlib import Path

import pytest

from keras_trainkit.diagnosis import RULES

PAGE = Path(__file__).parents[2] / "docs/pages/guide/diagnosis.md"
REFERENCE = Path(__file__).parents[2] / "docs/pages/reference/diagnosis.md"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_the_guide_tells_of_every_rule_with_its_thresholds(rule):
    rows = PAGE.read_text().splitlines()
    (row,) = [row for row in rows if row.startswith(f"| `{rule.code}` |")]
    for name, value in vars(rule).items():
        assert f"`{name}={value:g}`" in row
    assert type(rule).__name__ in REFERENCE.read_text()
