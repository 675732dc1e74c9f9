"""Are the inputs what the layers can learn from?"""

import dataclasses
from typing import Any

import keras
import numpy as np

from keras_trainkit.finding import Finding, Verdict, judged
from keras_trainkit.keras_model.batches import input_symbols
from keras_trainkit.preflight.observation import Observation
from keras_trainkit.preflight.subject import Subject
from keras_trainkit.problems.of_model import has_own_train_step

LARGE = 20.0  # standard deviation from which inputs count as unscaled
APART = 1e3  # ratio of the standard deviations of two features
CONSTANT = 0.25  # share of constant features from which it is a warning


@dataclasses.dataclass
class _Leaf:
    """One input: its name, its rows, and what becomes of it."""

    name: str
    array: np.ndarray
    alone: bool
    role: str


def check_features(subject: Subject) -> Verdict:
    """Looks at shape, NaN, constant features, scale and ids of every input.

    What a layer truly receives decides: strings are right in front of a lookup, ids
    are those that arrive at an embedding, and unscaled numbers matter where a layer
    with weights receives them as they are.

    Args:
        subject: The model and its data.
    """
    paths = [
        ("/".join(["x", *map(str, path)]), np.asarray(leaf))
        for path, leaf in keras.tree.flatten_with_path(subject.x)
        if leaf is not None
    ]
    words = [f"{name} {array.dtype} {array.shape}" for name, array in paths]
    findings = _shapes(subject, paths)
    if findings:
        return judged("features", ", ".join(words), findings)
    seen = subject.observation
    findings += _ids(paths, seen)
    failed = bool(seen.failure) and not subject.no_loss
    if failed and not findings:
        findings += _failure(subject, paths, seen)
    for place, (name, array) in enumerate(paths):
        leaf = _Leaf(name, array, len(paths) == 1, _role(place, seen))
        if array.dtype.kind == "f":
            findings += _floats(leaf)
        elif array.dtype.kind in "iu":
            findings += [*_constant(leaf), *_scale(leaf)]
    if not any(finding.severity == "error" for finding in findings):
        findings += _first(paths, seen)
    return judged("features", ", ".join(words), findings)


def _role(place: int, seen: Observation) -> str:
    """Says what an input is to the layers: "raw", "ids" or "processed"."""
    if seen.raw.get(place):
        return "raw"
    if any(seen.place_of(ids) == place for _, ids in seen.ids):
        return "ids"
    if place in seen.normalised or seen.first is not None or seen.ids:
        return "processed"
    return "raw"  # no layer could be watched


def _shapes(subject: Subject, paths: list[tuple[str, np.ndarray]]) -> list[Finding]:
    symbols = input_symbols(subject.model)
    if len(symbols) != len(paths):
        return []
    leaves = dict(zip([name for name, _ in paths], symbols, strict=True))
    if isinstance(subject.x, dict):
        # By name where they have names; the order of a dictionary says nothing.
        named = {symbol.name: symbol for symbol in symbols}
        leaves |= {f"x/{k}": named[k] for k in subject.x if k in named}
    return [
        Finding(
            f"{name} has rows of shape {array.shape[1:]}, the model takes "
            f"{tuple(leaves[name].shape[1:])}.",
            name,
            "error",
            code="inputs_of_other_shape",
            category="data",
            advice="Give the model the shape of the data, or reshape the data.",
        )
        for name, array in paths
        if not _fits(array.shape[1:], leaves[name].shape[1:])
    ]


def _fits(row: tuple[int, ...], expected: tuple[int | None, ...]) -> bool:
    # Keras adds or drops a last axis of one.
    if len(row) == len(expected) + 1 and row[-1:] == (1,):
        row = row[:-1]
    elif len(row) + 1 == len(expected) and expected[-1:] == (1,):
        row = (*row, 1)
    return len(row) == len(expected) and all(
        want in (None, has) for has, want in zip(row, expected, strict=True)
    )


def _failure(
    subject: Subject, paths: list[tuple[str, np.ndarray]], seen: Observation
) -> list[Finding]:
    strings = [name for name, array in paths if array.dtype.kind in "OUS"]
    custom = has_own_train_step(subject.model)
    if strings:
        return [
            Finding(
                f"{strings[0]} holds strings, and no layer takes them: {seen.failure}",
                strings[0],
                "error",
                code="inputs_not_numbers",
                category="data",
                advice="Convert it: x.astype('float32'), or put StringLookup or "
                "TextVectorization first.",
            )
        ]
    return [
        Finding(
            f"The model cannot be run on x: {seen.failure}",
            "x",
            "warning" if custom else "error",
            code="model_cannot_run",
            category="data",
            advice="Call it on a few rows, model(x[:2]), and mend what it says.",
        )
    ]


def _ids(paths: list[tuple[str, np.ndarray]], seen: Observation) -> list[Finding]:
    """Compares ids with the tables: of all rows where they arrive unchanged."""
    findings = []
    for layer, received in seen.ids:
        place = seen.place_of(received)
        if place is None:
            name, ids = f"what {layer.name} receives", received
        else:
            name, ids = paths[place]
        rows = int(layer.input_dim)
        low, high = ids.min(), ids.max()
        if np.isfinite([low, high]).all() and (low < 0 or high >= rows):
            findings.append(
                Finding(
                    f"{name} holds ids from {int(low)} to {int(high)}; the embedding "
                    f"has rows 0 to {rows - 1}.",
                    layer.name,
                    "error",
                    code="ids_outside_embedding",
                    category="data",
                    advice="Raise input_dim, or map unknown ids to one row.",
                )
            )
    return findings


def _floats(leaf: _Leaf) -> list[Finding]:
    bad = int(leaf.array.size - np.isfinite(leaf.array).sum())
    if bad:
        return [
            Finding(
                f"{leaf.name} holds {bad} NaN or infinite values.",
                leaf.name,
                "error",
                code="inputs_not_finite",
                category="data",
                evidence={"values": bad},
                advice="Remove or fill them: np.nan_to_num(x).",
            )
        ]
    return [*_constant(leaf), *_scale(leaf)]


def _constant(leaf: _Leaf) -> list[Finding]:
    if len(leaf.array) < 2 or leaf.role == "ids":
        return []
    features = leaf.array.reshape(len(leaf.array), -1)
    constant = np.flatnonzero(np.ptp(features, axis=0) == 0)
    share = len(constant) / max(features.shape[1], 1)
    if not len(constant):
        return []
    severity = "error" if share == 1 else "warning" if share > CONSTANT else "info"
    if share == 1 and not leaf.alone:
        # Beside other inputs: a mask of ones, or places counted from 0, is right.
        values = features[0]
        switch = np.isin(values, (0, 1)).all()
        counted = np.array_equal(values, np.arange(len(values)))
        severity = "info" if switch or counted else "warning"
    return [
        Finding(
            f"{len(constant)} of {features.shape[1]} features of {leaf.name} never "
            "change.",
            leaf.name,
            severity,
            code="constant_features",
            category="data",
            evidence={"features": constant[:10].tolist()},
            advice="Drop them, or look for a fault in the reading of the data.",
        )
    ]


def _scale(leaf: _Leaf) -> list[Finding]:
    if leaf.role != "raw":
        return []
    spread = float(np.std(leaf.array, dtype=np.float64))
    findings = []
    if spread > LARGE:
        low, high = leaf.array.min(), leaf.array.max()
        findings.append(_unscaled(leaf.name, float(low), float(high), spread))
    if leaf.array.ndim == 2 and leaf.array.shape[1] > 1:
        each: np.ndarray = np.std(leaf.array, axis=0, dtype=np.float64)
        each = each[each > 0]
        ratio = float(each.max() / each.min()) if len(each) > 1 else 1.0
        # Rare features (a pixel at the rim) are small without being ill scaled.
        typical = float(each.max() / np.median(each)) if len(each) else 1.0
        if ratio > APART and typical > np.sqrt(APART):
            findings.append(
                Finding(
                    f"The features of {leaf.name} differ {ratio:.0f}-fold in scale.",
                    leaf.name,
                    "warning",
                    code="features_of_different_scale",
                    category="data",
                    evidence={"ratio": round(ratio), "limit": APART},
                    advice="Standardise each: keras.layers.Normalization().adapt(x).",
                )
            )
    return findings


def _first(paths: list[tuple[str, np.ndarray]], seen: Observation) -> list[Finding]:
    """Judges what the first layer receives, where that is no input unchanged."""
    if seen.first is None or len(seen.raw) == len(paths):
        return []
    layer, received = seen.first
    if seen.place_of(received) is not None or received.dtype.kind != "f":
        return []
    spread = float(np.std(received, dtype=np.float64))
    if not spread > LARGE:
        return []
    name = f"What {layer.name} receives"
    return [_unscaled(name, float(received.min()), float(received.max()), spread)]


def _unscaled(name: str, low: float, high: float, spread: float) -> Finding:
    evidence: dict[str, Any] = {"standard_deviation": round(spread, 3), "limit": LARGE}
    return Finding(
        f"{name} is not scaled: it spans {low:.3g} to {high:.3g}.",
        name,
        "warning",
        code="unscaled_inputs",
        category="data",
        evidence=evidence,
        advice="Divide by 255, or put keras.layers.Normalization first.",
    )
