"""Descriptions of values: equal across processes, different for different behavior, or an error."""

import functools
import importlib
import io
import itertools
import json
import linecache
import os
import pickle
import subprocess
import sys
import textwrap
import time

import keras
import numpy as np
import pytest
import tensorflow as tf
from _fresh import run
from _longer import longer
from _training import seeded

from kerasnet.training._identity import digest, identify

HELPERS = """
import numpy as np

TABLE = {"scale": 1.5}
ARRAY = np.ones(2)

def double(x):
    return 2 * x
"""

MODULE = """
import dataclasses
import enum
import functools
import keras
import numpy as np
import tensorflow as tf
import {helpers} as helpers
from {helpers} import double

NAMES = {{"b", "a", "c"}}
SCALE = np.arange(3.0)
OFFSET = 1.0
LIMITS = [0, 1]
hidden = object()  # also the name of an attribute

class Kind(enum.Enum):
    FIRST = 1

def inner(x):
    return x in NAMES or x.hidden

def outer(x, y=2, *, kind=Kind.FIRST):
    return inner(x) * SCALE + y

def nested(values):
    def shift(value):
        return value + OFFSET
    return [shift(value) * limit for value in values for limit in LIMITS]

def by_module(x):
    return helpers.TABLE["scale"] * helpers.ARRAY + double(x)

def imports(x):
    from {helpers} import ARRAY
    return x * ARRAY

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

def make_loss(power):
    def loss(y_true, y_pred):
        return keras.ops.mean((y_true - y_pred) ** power, axis=-1)
    return loss

class Base:
    LIMIT = 3
    __slots__ = ("a",)

@dataclasses.dataclass
class Settings:
    rate: float = 0.5

    def half(self):
        '''Return a half.
unindented'''
        return self.rate / 2

class Mine(keras.layers.Layer):
    def __init__(self, factor):
        super().__init__(name="mine")
        self.factor, self.others = factor, {{"table": np.ones(2), "shape": [1, (2, 3)]}}

    @property
    def twice(self):
        return 2 * self.factor

    @staticmethod
    def helper(x):
        return outer(x)

    def call(self, x):
        return x * self.twice

class Steep(keras.losses.Loss):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def call(self, y_true, y_pred):
        return self.factor * (y_true - y_pred)

class Slow(keras.optimizers.SGD):
    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient, variable, learning_rate / 7)

def activate(x):
    return OFFSET * x

THINGS = {{
    "function": outer,
    "nested functions": nested,
    "module": by_module,
    "import": imports,
    "tf.function": traced,
    "wrapper": wrapped,
    "closure": make_loss(2.0),
    "class": Base,
    "enum": Kind,
    "dataclass": Settings(),
    "layer": Mine(2.0),
    "loss": Steep(3.0),
    "optimizer": Slow(0.1, clipnorm=1.0),
    "method": Mine(1.0).call,
    "partial": functools.partial(outer, y=3),
    "activation": keras.layers.Dense(2, activation=activate, name="dense"),
    "loss of Keras": keras.losses.Huber(0.3),
    "metric of a function": keras.metrics.MeanMetricWrapper(make_loss(3.0), name="error"),
    "regularizer": keras.regularizers.L2(0.1),
    "values": [np.float32, ..., {{1, 2}}, {{"a": 1, 2: b"b"}}, slice(1, 2), np.dtype("f4"), tf.float32],
}}
"""

_numbers = itertools.count()


def load(folder, monkeypatch, old="", new="", in_helpers=False):
    """Import a changed copy of the module under its usual name."""
    folder = folder / str(next(_numbers))
    folder.mkdir()
    texts = {"helpers_of_mine": HELPERS, "mine": MODULE.format(helpers="helpers_of_mine")}
    changed = "helpers_of_mine" if in_helpers else "mine"
    assert old in texts[changed]
    texts[changed] = texts[changed].replace(old, new)
    for name, text in texts.items():
        (folder / f"{name}.py").write_text(text)
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(folder)
    return importlib.import_module("mine")


def descriptions(things):
    return {name: digest(identify(name, thing)) for name, thing in things.items()}


SCRIPT = """
import json, linecache, pickle, sys
sys.path.insert(0, sys.argv[1])
from joblib.externals.loky.cloudpickle_wrapper import dumps
from kerasnet.training._identity import digest, identify

{module}

import mine
CELL = "def in_a_cell(x):\\n    return OFFSET * x + LIMITS[1]\\n"
linecache.cache["<cell 1>"] = (len(CELL), None, CELL.splitlines(True), "<cell 1>")  # like IPython
exec(compile(CELL, "<cell 1>", "exec"))
THINGS["cell"] = in_a_cell

if __name__ == "__main__":
    found = {{"main": THINGS, "module": mine.THINGS}}
    for group, things in found.items():
        found[group] = {{name: digest(identify(name, thing)) for name, thing in things.items()}}
    with open(sys.argv[2], "wb") as file:
        sent = {{name: THINGS[name] for name in ("function", "nested functions", "closure", "wrapper", "dataclass")}}
        file.write(dumps(sent))
    print(json.dumps(found))
"""


@pytest.mark.parametrize("seeds", longer(["1", "12"], ["12"]))  # hash seeds that differ from that of this process
def test_descriptions_are_equal_across_processes(seeds, tmp_path, monkeypatch):
    here = descriptions(load(tmp_path, monkeypatch).THINGS)
    folder = max(tmp_path.iterdir())
    script = folder / "script.py"
    script.write_text(SCRIPT.format(module=MODULE.format(helpers="helpers_of_mine")))
    found = []
    for seed in seeds:
        command, environment = [script, folder, folder / "sent"], {**os.environ, "PYTHONHASHSEED": seed}
        if seed == "1":
            done = run(*command)  # with the hash seed of the forkserver
        else:
            done = subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        found.append(json.loads(done.stdout))
    assert found[0] == found[-1]
    assert found[0]["module"] == here
    assert len({*found[0]["main"].values()}) == len(here) + 1
    for name, thing in pickle.loads((folder / "sent").read_bytes()).items():  # as in a joblib worker
        assert digest(identify(name, thing)) == found[0]["main"][name], name


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        return descriptions(load(tmp_path_factory.mktemp("unchanged"), patch).THINGS)


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        ("return x in", "return x not in", "function,tf.function,layer,method,partial"),
        ('"b", "a"', '"b", "d"', "function,tf.function,layer,method,partial"),
        ("np.arange(3.0)", "np.arange(3.0) + 1e-9", "function,tf.function,layer,method,partial"),
        ("y=2", "y=3", "function,tf.function,layer,method,partial"),
        ("kind=Kind.FIRST", "kind=None", "function,tf.function,layer,method,partial"),
        ("FIRST = 1", "FIRST = 2", "function,tf.function,layer,method,partial,enum"),
        ("OFFSET = 1.0", "OFFSET = 2.0", "nested functions,activation"),
        ("LIMITS = [0, 1]", "LIMITS = [0, 1.0]", "nested functions"),
        ("function(x) + 1", "function(x) + 2", "wrapper"),
        ("def wrapped(x):\n    return x", "def wrapped(x):\n    return -x", "wrapper"),
        ("make_loss(2.0)", "make_loss(2.5)", "closure"),
        ("make_loss(3.0)", "make_loss(3.5)", "metric of a function"),
        ("** power, axis=-1", "** power, axis=0", "closure,metric of a function"),
        ("LIMIT = 3", "LIMIT = 4", "class"),
        ("rate: float = 0.5", "rate: float = 0.6", "dataclass"),
        ("self.rate / 2", "self.rate / 3", "dataclass"),
        ("@dataclasses.dataclass", "@dataclasses.dataclass(frozen=True)", "dataclass"),
        ("2 * self.factor", "3 * self.factor", "layer,method"),
        ("Mine(2.0)", "Mine(2.5)", "layer"),
        ("np.ones(2)", "np.zeros(2)", "layer,method"),
        ("(2, 3)", "(2, 4)", "layer,method"),
        ("Steep(3.0)", "Steep(4.0)", "loss"),
        ("self.factor * (", "-self.factor * (", "loss"),
        ("learning_rate / 7", "learning_rate / 8", "optimizer"),
        ("clipnorm=1.0", "clipnorm=2.0", "optimizer"),
        ("Slow(0.1", "Slow(keras.optimizers.schedules.ExponentialDecay(0.1, 3, 0.5)", "optimizer"),
        ("partial(outer, y=3)", "partial(outer, y=4)", "partial"),
        ("activation=activate", "activation='relu'", "activation"),
        ("Huber(0.3)", "Huber(0.4)", "loss of Keras"),
        ("L2(0.1)", "L2(0.2)", "regularizer"),
        ("Slow(0.1", "Slow(0.2", ""),  # a constant learning rate is a variable
    ],
)
def test_different_behavior_has_different_descriptions(tmp_path, monkeypatch, unchanged, old, new, names):
    found = descriptions(load(tmp_path, monkeypatch, old, new).THINGS)
    assert {name for name in found if found[name] != unchanged[name]} == {*filter(None, names.split(","))}


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        ("1.5", "2.5", {"module", "import"}),
        ("np.ones(2)", "np.ones(3)", {"module", "import"}),
        ("2 * x", "3 * x", {"module", "import"}),
    ],
)
def test_user_defined_modules_are_described_by_source_text_and_values(
    tmp_path, monkeypatch, unchanged, old, new, names
):
    module = load(tmp_path, monkeypatch, old, new, in_helpers=True)
    found = descriptions(module.THINGS)
    assert {name for name in found if found[name] != unchanged[name]} == names


def test_values_changed_at_run_time_change_the_description(tmp_path, monkeypatch, unchanged):
    module = load(tmp_path, monkeypatch)
    module.LIMITS.append(2)
    module.helpers.TABLE["scale"] = 3.0
    found = descriptions(module.THINGS)
    assert {name for name in found if found[name] != unchanged[name]} == {"nested functions", "module", "import"}


def test_line_numbers_and_file_names_do_not_change_the_description(tmp_path, monkeypatch, unchanged):
    assert descriptions(load(tmp_path, monkeypatch, "import enum", "\n\n# more\nimport enum").THINGS) == unchanged


def test_function_with_a_file_changed_after_import_raises(tmp_path, monkeypatch):
    module = load(tmp_path, monkeypatch)
    for _ in range(100):
        module.double(1)  # Python specializes the bytecode of functions that run often
    before = identify("it", module.double)
    path = module.helpers.__file__
    with open(path, "a") as file:
        file.write("\n# more\n")
    os.utime(path, (time.time() + 10, time.time() + 10))
    assert identify("it", module.double) == before
    with open(path, "w") as file:
        file.write(HELPERS.replace("2 * x", "3 * x"))
    os.utime(path, (time.time() + 20, time.time() + 20))
    with pytest.raises(ValueError, match="changed after double was imported from it; restart Python"):
        identify("it", module.double)
    with pytest.raises(ValueError, match="restart Python"):
        identify("it", module.by_module)


def recursive(n):
    return n and recursive(n - 1) + other(n)


def other(n):
    return n and recursive(n - 1)


def test_mutually_recursive_functions_are_described():
    assert json.dumps(identify("it", recursive)) != json.dumps(identify("it", other))


def test_plain_values_of_different_types_have_different_descriptions():
    values = [1, 1.0, True, "1", None, [1], (1,), {1}, {1: 1}, {"1": 1}, np.float32(1), np.float64(1), np.ones(1), b"1"]
    assert len({json.dumps(identify("it", value)) for value in values}) == len(values)


@tf.custom_gradient
def straight_through(x):
    return keras.ops.round(x), lambda upstream: upstream


class Container:
    def __init__(self, what):
        self.what = what


def without_source():
    scope = {"__name__": "mine"}
    exec("def function(x):\n    return x", scope)
    return scope["function"]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (lambda: 1, "is a lambda"),
        (functools.partial(lambda: 1), "is a lambda"),
        (Container(lambda: 1), "is a lambda"),
        (without_source(), "the source text of mine.function cannot be read"),
        (functools.wraps(keras.losses.mean_squared_error)(lambda y_true, y_pred: 0), "is a lambda"),
        (Container(np.random.default_rng()), "the attributes of .* cannot be described"),
        (Container(np.random.RandomState(0)), "the attributes of .* cannot be described"),
        (Container(io.StringIO()), "the attributes of .* cannot be described"),
        (np.array([object()]), "contains Python objects"),
        (keras.layers.Lambda(lambda x: x), "is a lambda"),
        # the module attribute is TensorFlow's wrapper, not the function
        (straight_through, "the attributes of .* cannot be described"),
    ],
)
def test_error_for_values_without_description_names_the_remedy(value, reason):
    with pytest.raises(ValueError, match=f"a cache key for the thing.*{reason}.*`def`.*, or nothing, or set memory"):
        identify("the thing", value, ", or nothing")


def test_automatic_names_of_losses_do_not_change_the_description():
    losses = [keras.losses.Huber(0.5, name=None) for _ in range(2)] + [keras.losses.Huber(0.6)]
    first, second, third = (identify("it", loss) for loss in losses)
    assert first == second != third


def test_vocabulary_of_an_adapted_layer_changes_the_description():
    layers = [keras.layers.StringLookup(name="lookup") for _ in range(3)]
    for layer, words in zip(layers, (["a", "b"], ["a", "b"], ["a", "c"]), strict=True):
        layer.adapt(words)
    first, second, third = (digest(identify("it", layer)) for layer in layers)
    assert first == second != third


def test_constants_of_functional_models_change_the_description():
    def build(value):
        inputs = keras.Input((2,), name="input")
        return keras.Model(inputs, keras.ops.add(inputs, np.full(2, value)), name="model")

    first, second, third = (
        digest(identify("it", seeded(lambda value=value: build(value)))) for value in (1.0, 1.0, 2.0)
    )
    assert first == second != third


def test_changed_notebook_cell_changes_the_description():
    def run(number, text):
        name = f"<cell {number}>"
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
        scope = {"__name__": "__main__"}
        exec(compile(text, name, "exec"), scope)
        return identify("it", scope["Cell"])

    text = "class Cell:\n    def call(self, x):\n        return 2 * x\n"
    assert run(1, text) == run(2, text) != run(3, text.replace("2", "3"))


def test_long_values_are_abbreviated_in_error_messages():
    with pytest.raises(ValueError, match="cannot be described") as error:
        identify("it", iter([textwrap.dedent(MODULE)] * 1000))
    assert len(str(error.value)) < 700
