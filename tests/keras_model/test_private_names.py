"""Private names of Keras and TensorFlow that are used, and in which file.

Each may go with the next version of the library. The list may only shrink: what is
asked of a model belongs in `keras_model/`, and public ways come first.
"""

import ast
import pathlib

PACKAGE = pathlib.Path(__file__).parents[2] / "keras_trainkit"
PRIVATE_MODULES = ("keras.src", "tensorflow.python")
# Named tuples, `os` and `sys` have these in public; KerasTuner is the search's affair.
OTHERS = {
    "_asdict",
    "_deepcopy_callbacks",
    "_exit",
    "_fields",
    "_get_oracle_fname",
    "_getframe",
    "_replace",
}

ALLOWED = {
    "averaging/batch_statistics.py": {"_call_has_training_arg"},
    "keras_model/generators.py": {
        "_rng",
        "keras.src.backend.common",
        "tensorflow.python.eager",
    },
    "keras_model/layers.py": {"_flatten_layers", "_functional", "_trainable_variables"},
    "keras_model/metrics.py": {"_compile_metrics", "_direction", "_user_"},
    "keras_model/outputs.py": {"_fn_kwargs", "_keras_history", "_keras_logits"},
    "optimizers/passes.py": {"_iterations", "_use_weight_decay"},
    "preflight/reported_loss.py": {"_compute_loss"},
    "preflight/subject.py": {"_compile_loss", "_flat_losses"},
    "probes/untouched.py": {"_learning_rate"},
    "problems/double_precision.py": {
        "_compile_loss",
        "_dtype",
        "_dtype_policy",
        "_flat_losses",
        "_inputs",
        "_user_loss",
    },
    "problems/of_model.py": {"_compute_loss", "_loss_ids", "_losses", "_trainable"},
    "testbed/candidates.py": {"_learning_rate"},
    "keras_model/train_function.py": {"_handle_data"},
    "train_step/kernels.py": {"tensorflow.python.eager"},
    "train_step/replay.py": {"_value_specs"},
}


def files():
    return {
        path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text())
        for path in sorted(PACKAGE.rglob("*.py"))
    }


def is_private(name):
    return name.startswith("_") and not name.startswith("__") and len(name) > 1


def own_names(trees):
    """What the package defines itself: functions, classes and attributes."""
    found = set()
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                found.add(node.name)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                if isinstance(node.value, ast.Name) and node.value.id == "self":
                    found.add(node.attr)
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found.add(node.target.id)
    return found


def used(tree, own):
    """Private names of others in one file, read as attributes or by their text."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            if node.module.startswith(PRIVATE_MODULES):
                found.add(node.module)
        elif isinstance(node, ast.Import):
            found |= {a.name for a in node.names if a.name.startswith(PRIVATE_MODULES)}
        elif isinstance(node, ast.Attribute) and is_private(node.attr):
            of_self = isinstance(node.value, ast.Name) and node.value.id == "self"
            if not of_self:
                found.add(node.attr)
        elif isinstance(node, ast.Call):
            found |= set(named_by_text(node))
    known = set().union(*ALLOWED.values())
    return {name for name in found - OTHERS if name not in own or name in known}


def named_by_text(call):
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    if name not in ("getattr", "hasattr", "setattr", "swap"):
        return
    for argument in call.args:
        parts = argument.values if isinstance(argument, ast.JoinedStr) else [argument]
        for part in parts:
            if isinstance(part, ast.Constant) and is_private(str(part.value)):
                yield part.value


def test_private_names_are_used_where_they_are_allowed():
    trees = files()
    own = own_names(trees.values())
    found = {path: used(tree, own) for path, tree in trees.items()}
    more = {
        path: sorted(names - ALLOWED.get(path, set()))
        for path, names in found.items()
        if names - ALLOWED.get(path, set())
    }
    assert not more, f"Ask the model in keras_model/, or find a public way: {more}"
    gone = {
        path: sorted(names - found.get(path, set()))
        for path, names in ALLOWED.items()
        if names - found.get(path, set())
    }
    assert not gone, f"The list may only shrink; take these out of it: {gone}"
