"""The few numbers on top of a search's page."""

from keras_trainkit.report.drawing.tile import Tile
from keras_trainkit.report.trials.results import SearchResults
from keras_trainkit.report.trials.words import score_of


def summarise(results: SearchResults, warnings: int) -> list[Tile]:
    """Returns the tiles.

    Args:
        results: The search.
        warnings: How many ranges are too narrow.
    """
    ranked, failed = results.ranked(), results.failed()
    running = len([one for one in results.trials if one.status == "running"])
    better = "largest" if results.maximised else "smallest"
    tiles = [
        Tile(
            f"best {results.objective}",
            score_of(ranked[0]) if ranked else "none yet",
            f"trial {ranked[0].name}, the {better}" if ranked else "",
            "good" if ranked else "",
        ),
        Tile(
            "trials",
            str(len(results.trials)),
            f"{len(ranked)} completed" + (f", {running} running" if running else ""),
        ),
        Tile(
            "failed",
            str(len(failed)),
            "none" if not failed else "listed at the end",
            "bad" if 2 * len(failed) > len(results.trials) else "",
        ),
        Tile(
            "ranges too narrow",
            str(warnings),
            "see the findings" if warnings else "no best value crowds at an end",
            "warning" if warnings else "",
        ),
    ]
    epochs = sum(trial.epochs or 0 for trial in results.trials)
    seconds = sum(trial.seconds or 0.0 for trial in results.trials)
    if epochs:
        time = f"in {_duration(seconds)}" if seconds else ""
        tiles.append(Tile("epochs trained", str(epochs), time))
    return tiles


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"
