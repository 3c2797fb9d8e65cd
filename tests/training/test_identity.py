"""What is described alike, what is not, and what cannot be described."""

import functools
import io
import json
import os
import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest

from kerasnet.training._identity import digest, identify

MODULE = """
import enum
import functools
import keras
import numpy as np
import tensorflow as tf

NAMES = {"b", "a", "c"}
SCALE = np.arange(3.0)

class Kind(enum.Enum):
    FIRST = 1

def inner(x):
    return x in {"x", "y", "z", "w"} or [each for each in NAMES]

def outer(x, y=2, *, kind=Kind.FIRST):
    "Says something."
    return inner(x) * SCALE + y

@tf.function
def traced(x):
    return outer(x)

def decorated(function):
    @functools.wraps(function)
    def wrapper(x):
        return function(x) + 1
    return wrapper

@decorated
def wrapped(x):
    return x

class Base:
    LIMIT = 3
    __slots__ = ("a",)

class Mine(keras.layers.Layer):
    def __init__(self, factor):
        super().__init__(name="mine")
        self.factor, self.others = factor, {"table": np.ones(2), "shape": [1, (2, 3)]}

    @property
    def twice(self):
        return 2 * self.factor

    @staticmethod
    def helper(x):
        return outer(x)

    def call(self, x):
        return x * self.twice

EVERYTHING = [outer, traced, wrapped, Base, Mine(2.0), functools.partial(outer, y=3), Mine(1.0).call]
EVERYTHING += [np.float32, ..., {1, 2}]
"""


def load(path, text):
    path.write_text(text)
    values = {"__name__": "mine"}
    exec(compile(text, str(path), "exec"), values)
    return values


def test_another_process_describes_alike(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    import mine

    code = "import mine; from kerasnet.training._identity import digest, identify\n"
    code += "print(digest(identify('it', mine.EVERYTHING)))"
    found = {digest(identify("it", mine.EVERYTHING))}
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(tmp_path)}
        found.add(
            subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True).stdout.strip()
        )
    assert len(found) == 1, found


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return x in", "return x not in"),
        ('"x", "y"', '"x", "v"'),
        ('"b", "a"', '"b", "d"'),
        ("np.arange(3.0)", "np.arange(3.0) + 1e-9"),
        ("y=2", "y=3"),
        ("kind=Kind.FIRST", "kind=None"),
        ("function(x) + 1", "function(x) + 2"),
        ("LIMIT = 3", "LIMIT = 4"),
        ("2 * self.factor", "3 * self.factor"),
        ("Mine(2.0)", "Mine(2.5)"),
        ("np.ones(2)", "np.zeros(2)"),
        ("(2, 3)", "(2, 4)"),
        ("partial(outer, y=3)", "partial(outer, y=4)"),
        ("return outer(x)\n\n    def", "return outer(x) + 0\n\n    def"),
    ],
)
def test_what_acts_otherwise_is_described_otherwise(tmp_path, old, new):
    assert old in MODULE
    changed = MODULE.replace(old, new)
    first, second = (load(tmp_path / "mine.py", text)["EVERYTHING"] for text in (MODULE, changed))
    assert identify("it", first) != identify("it", second)


def test_comments_lines_and_files_make_no_difference(tmp_path):
    moved = "\n\n# more\n" + MODULE.replace("return x\n", "return x  # as it is\n")
    first, second = (load(tmp_path / f"{number}.py", text) for number, text in enumerate((MODULE, moved)))
    assert identify("it", first["EVERYTHING"]) == identify("it", second["EVERYTHING"])


def recursive(n):
    return n and recursive(n - 1) + other(n)


def other(n):
    return n and recursive(n - 1)


def test_functions_that_call_each_other_are_described():
    assert json.dumps(identify("it", recursive)) != json.dumps(identify("it", other))


def test_plain_values_are_told_apart():
    values = [1, 1.0, True, "1", None, [1], (1,), {1}, {1: 1}, {"1": 1}, np.float32(1), np.float64(1), np.ones(1), b"1"]
    assert len({json.dumps(identify("it", value)) for value in values}) == len(values)


class Holds:
    def __init__(self, what):
        self.what = what


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (lambda: 1, "is a lambda or is written inside of a function"),
        (functools.partial(lambda: 1), "is a lambda or is written inside of a function"),
        (Holds(np.random.default_rng()), "keeps cannot be told"),
        (Holds(np.random.RandomState(0)), "keeps cannot be told"),
        (Holds(io.StringIO()), "keeps cannot be told"),
        (np.array([object()]), "holds Python objects"),
    ],
)
def test_what_cannot_be_described_is_refused_with_the_remedy(value, reason):
    with pytest.raises(
        ValueError, match=f"must know the thing again.*{reason}.*top level.*, or nothing, or set memory"
    ):
        identify("the thing", value, ", or nothing")


def test_losses_are_not_told_apart_by_their_number():
    losses = [keras.losses.Huber(0.5) for _ in range(2)] + [keras.losses.Huber(0.6)]
    first, second, third = (identify("it", loss) for loss in losses)
    assert first == second != third


def test_a_long_value_is_not_written_out():
    with pytest.raises(ValueError, match="cannot be told") as error:
        identify("it", iter([textwrap.dedent(MODULE)] * 1000))
    assert len(str(error.value)) < 700
