"""The state that a new model with any seed would have, without building one."""

import numpy as np

from kerasnet.training._building import draw_seeds
from kerasnet.training._identity import digest, identify
from kerasnet.training._variables import read


class InitialState:
    """Initial values of the variables of a model and its optimizer, for any seed.

    Keras' initializers and random layers draw their seeds, one after the other, when they are created. For another seed
    the same sequence is drawn again, and the initializers that had these seeds are run once more. The first time this
    is compared with a real build, bit for bit. Values that are equal in builds with two seeds, such as zeros and
    pretrained weights, are stored.

    Parameters
    ----------
    spec : ModelSpec
        What the model was built from.
    seed : int
        The seed that it was built with.
    model : keras.Model
        New, with an optimizer that is built.
    record : BuildRecord
        Of that build.
    """

    def __init__(self, spec, seed, model, record):
        self.is_pure = not record.used_global_generators  # else the model may differ in more than its weights
        self.builder, self.optimizer = spec.builder, read(model.optimizer.variables)
        self._spec, self._variables, self.record = spec, model.variables, record
        self._last = seed, read(model.variables)
        self._sources, self._digest = None, (None, None)

    def variables(self, seed):
        """Return the values of a new model's variables; None if only a build can tell them."""
        if self._last[0] != seed:
            if self._sources is None:
                self._sources = self._find_sources(seed)
            if not self._sources:
                return None
            self._last = seed, self._values(draw_seeds(seed, len(self.record.seeds)))
        return self._last[1]

    def digest(self, seed):
        """Return a short name of these values, for the keys of checkpoints."""
        if self._digest[0] != seed:
            self._digest = seed, digest(identify("the weights", self.variables(seed)))
        return self._digest[1]

    def _values(self, seeds):
        """Return the initial values when Keras draws these seeds."""
        values = []
        for (source, place), stored in zip(self._sources, self._stored, strict=True):
            if source is None:
                values.append(stored)
            elif source == "seed":
                values.append(np.array([seeds[place], 0], stored.dtype.as_numpy_dtype))
            else:
                drawn, source.seed = source.seed, seeds[place]
                try:
                    values.append(source(tuple(stored.shape), dtype=stored.dtype.name))
                finally:
                    source.seed = drawn
        return values

    def _find_sources(self, other_seed):
        """Return where the value of each variable comes from; an empty list where values cannot be repeated."""
        other, record = self._spec.build(other_seed)
        other.optimizer.build(other.trainable_variables)
        self._stored, expected = self._last[1], read(other.variables)
        if (
            len(record.seeds) != len(self.record.seeds)
            or not _all_equal(self.optimizer, read(other.optimizer.variables))
            or [value.shape for value in self._stored] != [value.shape for value in expected]
        ):
            return []
        self._sources = [*map(self._source, self._variables, self._stored, expected)]
        drawn = draw_seeds(other_seed, len(record.seeds))
        return self._sources if drawn == record.seeds and _all_equal(self._values(drawn), expected) else []

    def _source(self, variable, value, other_value):
        """Return the initializer of a variable and which of the drawn seeds it has; (None, None) for a stored value."""
        if _all_equal([value], [other_value]):
            return None, None
        seeds = self.record.seeds
        _, initializer = self.record.initializers.get(id(variable), (None, None))
        seed = getattr(initializer, "seed", None)
        if type(seed) is int and seeds.count(seed) == 1:
            return initializer, seeds.index(seed)
        first, *_ = np.ravel(value)
        if variable.name == "seed_generator_state" and seeds.count(first) == 1:
            return "seed", seeds.index(first)
        return None, None  # the comparison with a real build fails


def _all_equal(first, second):
    return len(first) == len(second) and all(map(np.array_equal, first, second))
