"""Are the inputs numbers that a network can learn from?"""

from typing import Any

import keras
import numpy as np

from keras_trainkit.finding import Finding, Verdict, judged
from keras_trainkit.keras_model.layers import all_layers
from keras_trainkit.preflight.subject import Subject

LARGE = 20.0  # standard deviation from which inputs count as unscaled
APART = 1e3  # ratio of the standard deviations of two features
CONSTANT = 0.25  # share of constant features from which it is a warning
SCALING = ("Rescaling", "Normalization", "BatchNormalization", "LayerNormalization")


def check_features(subject: Subject) -> Verdict:
    """Looks at the type, NaN, constant features, scale and ids of every input.

    Args:
        subject: The model and its data.
    """
    findings: list[Finding] = []
    scaled = _scales_first(subject.model)
    words = []
    for path, leaf in keras.tree.flatten_with_path(subject.x):
        name = "/".join(["x", *map(str, path)])
        array = np.asarray(leaf)
        words.append(f"{name} {array.dtype} {array.shape}")
        if array.dtype.kind in "OUS":
            findings.append(
                Finding(
                    f"{name} holds {array.dtype}, not numbers.",
                    name,
                    "error",
                    code="inputs_not_numbers",
                    category="data",
                    advice="Convert it: x.astype('float32'), or StringLookup.",
                )
            )
        elif array.dtype.kind == "f":
            findings += _floats(name, array, scaled)
        elif array.dtype.kind in "iu":
            findings += _integers(name, array, scaled, subject.model)
    return judged("features", ", ".join(words), findings)


def _scales_first(model: Any) -> bool:
    """Returns whether a scaling layer comes before the first layer with weights."""
    for layer in getattr(model, "layers", ()):
        if type(layer).__name__ in SCALING:
            return True
        if isinstance(layer, keras.Model):
            return _scales_first(layer)
        if layer.weights:
            return False
    return False


def _floats(name: str, array: np.ndarray, scaled: bool) -> list[Finding]:
    bad = int(array.size - np.isfinite(array).sum())
    if bad:
        return [
            Finding(
                f"{name} holds {bad} NaN or infinite values.",
                name,
                "error",
                code="inputs_not_finite",
                category="data",
                evidence={"values": bad},
                advice="Remove or fill them: np.nan_to_num(x).",
            )
        ]
    return [*_constant(name, array), *_scale(name, array, scaled)]


def _constant(name: str, array: np.ndarray) -> list[Finding]:
    if len(array) < 2:
        return []
    features = array.reshape(len(array), -1)
    constant = np.flatnonzero(np.ptp(features, axis=0) == 0)
    share = len(constant) / features.shape[1]
    if not len(constant):
        return []
    severity = "error" if share == 1 else "warning" if share > CONSTANT else "info"
    return [
        Finding(
            f"{len(constant)} of {features.shape[1]} features of {name} never change.",
            name,
            severity,
            code="constant_features",
            category="data",
            evidence={"features": constant[:10].tolist()},
            advice="Drop them, or look for a fault in the reading of the data.",
        )
    ]


def _scale(name: str, array: np.ndarray, scaled: bool) -> list[Finding]:
    findings = []
    spread = float(np.std(array, dtype=np.float64))
    if spread > LARGE and not scaled:
        findings.append(
            Finding(
                f"{name} is not scaled: it spans {array.min():.3g} to "
                f"{array.max():.3g}.",
                name,
                "warning",
                code="unscaled_inputs",
                category="data",
                evidence={"standard_deviation": round(spread, 3), "limit": LARGE},
                advice="Divide by 255, or put keras.layers.Normalization first.",
            )
        )
    if array.ndim == 2 and array.shape[1] > 1:
        each = np.std(array, axis=0, dtype=np.float64)
        each = each[each > 0]
        ratio = float(each.max() / each.min()) if len(each) > 1 else 1.0
        # Rare features (a pixel at the rim) are small without being ill scaled.
        typical = float(each.max() / np.median(each)) if len(each) else 1.0
        if ratio > APART and typical > np.sqrt(APART) and not scaled:
            findings.append(
                Finding(
                    f"The features of {name} differ {ratio:.0f}-fold in scale.",
                    name,
                    "warning",
                    code="features_of_different_scale",
                    category="data",
                    evidence={"ratio": round(ratio), "limit": APART},
                    advice="Standardise each: keras.layers.Normalization().adapt(x).",
                )
            )
    return findings


def _integers(name: str, array: np.ndarray, scaled: bool, model: Any) -> list[Finding]:
    tables = [
        layer
        for layer in all_layers(model)
        if isinstance(layer, keras.layers.Embedding)
    ]
    if len(tables) == 1:
        rows = int(tables[0].input_dim)
        if array.min() < 0 or array.max() >= rows:
            return [
                Finding(
                    f"{name} holds ids from {array.min()} to {array.max()}; the "
                    f"embedding has rows 0 to {rows - 1}.",
                    tables[0].name,
                    "error",
                    code="ids_outside_embedding",
                    category="data",
                    advice="Raise input_dim, or map unknown ids to one row.",
                )
            ]
    if tables:
        return []
    return [*_constant(name, array), *_scale(name, array, scaled)]
