"""Every Python block of README and guide runs, in order, page by page.

A page may take some names for granted, as its reader has them; what it takes is said
here, and all else it has to define or import itself.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs import stand_ins
from tests.docs.blocks import blocks, cut, free_names, run

ROOT = Path(__file__).parents[2]
DATA = "x y x_val y_val model"
TAKEN = {
    "README.md": "x y xv yv model",
    "docs/pages/index.md": DATA,
    "docs/pages/guide/averaging.md": DATA,
    "docs/pages/guide/before_training.md": DATA,
    "docs/pages/guide/diagnosis.md": DATA,
    "docs/pages/guide/ensembles.md": (
        f"{DATA} x_test y_test build_model tuner models small checkpoints"
    ),
    "docs/pages/guide/instruments.md": "x y model",
    "docs/pages/guide/large_scale.md": "",
    "docs/pages/guide/records.md": "x y model monitor",
    "docs/pages/guide/report.md": "monitor",
    "docs/pages/guide/schedules.md": "x y model",
    "docs/pages/guide/search.md": "x y xv yv",
    "docs/pages/guide/second_order.md": "x y x_val y_val",
    "docs/pages/guide/tuners.md": "x y",
    "docs/pages/guide/update_rules.md": "model",
    "docs/pages/guide/watching.md": DATA,
    "docs/pages/guide/which_rule.md": "",
}
# Who connects to a cluster stays connected, and the tests that follow would be too.
APART = ("large_scale",)
QUICK = ("index", "schedules", "update_rules")
PAGES = [
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "README.md", *sorted((ROOT / "docs/pages").rglob("*.md")))
    if blocks(path.read_text())
]


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(
            page,
            id=Path(page).stem,
            marks=[] if Path(page).stem in QUICK else pytest.mark.slow,
        )
        for page in PAGES
    ],
)
# What an example of a few epochs on a few rows is warned of, a user's is not.
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_every_block_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.setattr("plotly.io.show", lambda *figure, **options: None)
    if Path(page).stem not in APART:
        run_page(page)
        return
    program = f"from tests.docs.test_pages import run_page; run_page({page!r})"
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]


def run_page(page):
    namespace = {"__name__": "page"}
    namespace |= stand_ins.names(TAKEN.get(page, stand_ins.ALL).split())
    for line, code in blocks((ROOT / page).read_text()):
        run(cut(code, line), namespace, page)


def test_blocks_are_found_cut_and_held_to_their_promises():
    text = "a\n```python\nx = [n for n in range(3)]\nlen(x)  # 4\n```\n"
    ((line, code),) = blocks(text)
    assert line == 2
    with pytest.raises(AssertionError, match="page:4 gave 3"):
        run(cut(code, line), {}, "page")
    run(cut(code.replace("4", "3"), line), {}, "page")
    namespace = {"fit": lambda **options: options}
    run(cut("a = fit(epochs=500, rate=500)"), namespace, "page")
    assert namespace["a"] == {"epochs": 3, "rate": 500}
    with pytest.raises(NameError):
        run(cut("undefined"), {}, "page")
    assert free_names("a = b\na.fit(c)") == {"b", "c"}
    assert free_names("a = a + 1") == {"a"}
