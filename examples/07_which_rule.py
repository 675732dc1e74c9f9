"""Which update rule, and how sensitive is it to its rate?

Tests all rules at many rates on 859 small problems with one difficulty each: a heat
map as a page and a picture. Then lets them run over the contours of a loss surface
and over a saddle: a picture, and an animation that any browser opens.

    python examples/07_which_rule.py --out pictures
"""

import argparse
import pathlib

import keras
import matplotlib
import numpy as np
import tensorflow as tf
from matplotlib import animation, pyplot

import keras_trainkit as tk

rules = tk.optimizers
RACERS = {  # the rule, its rate on the contours and on the saddle
    "SGD": (rules.SGD, 0.01, 0.03),
    "Momentum": (rules.Momentum, 0.002, 0.006),
    "Nesterov": (rules.Nesterov, 0.002, 0.006),
    "Adagrad": (rules.Adagrad, 0.4, 0.15),
    "RMSprop": (lambda rate: rules.RMSprop(rate, 0.9), 0.03, 0.02),
    "Adadelta": (lambda rate: rules.Adadelta(rate, 0.9, 1e-5), 3.0, 2.0),
    "Adam": (rules.Adam, 0.08, 0.05),
}


def beale(x, y):
    return sum((c - x + x * y**n) ** 2 for n, c in enumerate((1.5, 2.25, 2.625), 1))


def saddle(x, y):
    return x**2 - y**2


SURFACES = {  # the function, where all start, the ranges of x and y
    "a loss surface": (beale, (0.6, 0.95), (-0.3, 4.0), (-1.3, 1.5)),
    "a saddle": (saddle, (1.0, 1e-3), (-1.3, 1.3), (-1.3, 1.3)),
}


def path(optimizer, function, start, steps):
    """Returns the points that an optimizer visits, shape `(steps + 1, 2)`."""
    point = keras.Variable(start, dtype="float64")
    optimizer.build([point])

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = function(*tf.unstack(point.value))
        optimizer.apply([tape.gradient(loss, point.value)], [point])

    visited = [point.numpy()]
    for _ in range(steps):
        step()
        visited.append(point.numpy())
    return np.array(visited)


def draw_paths(steps, out):
    """Saves where all rules go on both surfaces, still and moving."""
    figure, panels = pyplot.subplots(1, 2, figsize=(10, 4.8), layout="constrained")
    drawn = []
    for place, (axes, (title, surface)) in enumerate(
        zip(panels, SURFACES.items(), strict=True), 1
    ):
        function, start, across, along = surface
        x, y = np.meshgrid(np.linspace(*across, 200), np.linspace(*along, 200))
        z = function(x, y)
        height = np.log(z + 0.05) if z.min() >= 0 else z
        axes.contour(x, y, height, levels=22, cmap="Greys_r", linewidths=0.8)
        axes.set(title=title, xlim=across, ylim=along)
        for name, racer in RACERS.items():
            points = path(racer[0](racer[place]), function, start, steps)
            (line,) = axes.plot(*points.T, linewidth=2, label=name)
            (head,) = axes.plot(*points[-1], "o", color=line.get_color())
            drawn.append((line, head, points))
    panels[0].legend(loc="lower right", fontsize=8)
    figure.savefig(out / "paths.png", dpi=100)

    def show(step):
        for line, head, points in drawn:
            line.set_data(*points[: step + 1].T)
            head.set_data(*points[step : step + 1].T)

    moving = animation.FuncAnimation(figure, show, range(0, steps + 1, 2))
    moving.save(out / "paths.gif", animation.PillowWriter(fps=12), dpi=65)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("."))
    parser.add_argument("--quick", action="store_true", help="few problems and rates")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    matplotlib.use("Agg")

    rates = np.logspace(-3, 0, 3 if arguments.quick else 7)
    problems = tk.testbed.problems(noise="none") if arguments.quick else None
    tested = [make for make, *_ in RACERS.values() if isinstance(make, type)]
    tested += [rules.RMSprop, rules.Adadelta]
    result = tk.testbed.compare(tested, rates, problems)
    columns = ["best_rate", "best", "median", "some", "decades"]
    print(result.sensitivity()[columns].round(3).to_string())
    result.write(arguments.out / "which_rule.html")
    _, axes = pyplot.subplots(figsize=(11, 7), layout="constrained")
    result.plot(axes=axes).figure.savefig(arguments.out / "which_rule.png", dpi=100)
    draw_paths(20 if arguments.quick else 120, arguments.out)


if __name__ == "__main__":
    main()
