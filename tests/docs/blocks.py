"""Code out of pages and docstrings, cut to what a test can afford, and its run."""

import ast
import re
import textwrap

import numpy as np

BLOCK = re.compile(r"^( *)```python\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
# Arguments whose numbers are cut, and to what; nothing else of the code changes.
MOST = {
    "epochs": 3,
    "start_epoch": 1,
    "max_trials": 4,
    "max_epochs": 3,
    "max_evaluations": 20,
    "members": 3,
    "seeds": 1,
    "workers": 1,
}
# Those by default, cut as if they were written out.
STAGES = "[tk.search.Stage(4, epochs=epochs) for epochs in (1, 3, 3)]"


def blocks(markdown):
    """The Python blocks of a page, in order: first line and code."""
    found = []
    for match in BLOCK.finditer(markdown):
        line = markdown[: match.start()].count("\n") + 1
        found.append((line, textwrap.dedent(match.group(2))))
    return found


def cut(code, line=0):
    """The statements of some code, each with the value its comment promises."""
    most = MOST | ({"period": 3} if ".fit(" in code else {})
    tree = _Cut(most).visit(ast.parse(code))
    lines = code.splitlines()
    statements = []
    for node in tree.body:
        promise = lines[node.end_lineno - 1].partition("  # ")[2]
        ast.increment_lineno(node, line)
        statements.append((ast.fix_missing_locations(node), _literal(promise)))
    return statements


def run(statements, namespace, name):
    """Runs statements in a namespace; an expression must keep what it promises."""
    for node, promise in statements:
        if isinstance(node, ast.Expr):
            value = eval(compile(ast.Expression(node.value), name, "eval"), namespace)
            if promise is not None:
                assert _same(value, promise), f"{name}:{node.lineno} gave {value!r}"
        else:
            exec(compile(ast.Module([node], []), name, "exec"), namespace)


def free_names(code):
    """Names that some code reads before it binds them."""
    free, bound = set(), set()
    for statement in ast.parse(code).body:
        names = [node for node in ast.walk(statement) if isinstance(node, ast.Name)]
        free |= {one.id for one in names if isinstance(one.ctx, ast.Load)} - bound
        bound |= {one.id for one in names if isinstance(one.ctx, ast.Store)}
    return free


class _Cut(ast.NodeTransformer):
    def __init__(self, most):
        self.most = most

    def visit_Call(self, node):
        self.generic_visit(node)
        called = getattr(node.func, "attr", getattr(node.func, "id", ""))
        for keyword in node.keywords:
            if keyword.arg in self.most:
                _lower(keyword.value, self.most[keyword.arg])
        if called == "Stage" and node.args:
            _lower(node.args[0], 4)
        if called.startswith("from_") and len(node.args) > 1:
            _lower(node.args[1], MOST["members"])
        stages = [keyword for keyword in node.keywords if keyword.arg == "stages"]
        if called == "CoarseToFine" and not stages and len(node.args) < 3:
            value = ast.parse(STAGES, mode="eval").body
            node.keywords.append(ast.keyword("stages", value))
        if called == "problems":  # of the test bed: some of the chosen ones
            few = ast.Slice(None, ast.Constant(8), None)
            return ast.Subscript(node, few, ast.Load())
        return node

    def visit_Dict(self, node):
        self.generic_visit(node)
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and key.value in self.most:
                _lower(value, self.most[key.value])
        return node


def _lower(node, most):
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        node.value = min(node.value, most)


def _literal(text):
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError):
        return None


def _same(value, promise):
    if isinstance(promise, bool | str):
        return value == promise
    if isinstance(promise, float):
        # A comment gives two or three digits.
        return bool(np.isclose(float(value), promise, rtol=0.01))
    return list(value) == promise if isinstance(promise, list) else value == promise
