"""Compute the initial state of a model for any seed, without building a model."""

import numpy as np

from kerasnet.training._building import draw_seeds
from kerasnet.training._identity import digest, identify
from kerasnet.training._variables import read_variables


class InitialState:
    """Compute the initial values of the variables of a model, for any seed.

    Keras' initializers and random layers draw their seeds in a fixed order when they are created. For another seed,
    the same sequence of seeds is drawn again, and the initializers are called with these seeds. The first result is
    compared with a real build and must be bit-identical. Values that do not depend on the seed, such as zeros and
    pretrained weights, are stored.

    Parameters
    ----------
    spec : ModelSpec
        The specification of the model.
    seed : int
        The seed that the model was built with.
    model : keras.Model
        A new model with a built optimizer.
    record : BuildRecord
        The record of the build.
    """

    def __init__(self, spec, seed, model, record):
        self.is_pure = not record.used_global_generators  # otherwise, models may differ in more than their weights
        self.builder, self.optimizer = spec.builder, read_variables(model.optimizer.variables)
        self._spec, self._variables, self.record = spec, model.variables, record
        self._last = seed, read_variables(model.variables)
        self._sources, self._digest = None, (None, None)

    def variables(self, seed):
        """Return the initial values of the model's variables; None if they can only be obtained by a build."""
        if self._last[0] != seed:
            if self._sources is None:
                self._sources = self._find_sources(seed)
            if not self._sources:
                return None
            self._last = seed, self._compute_values(draw_seeds(seed, len(self.record.seeds)))
        return self._last[1]

    def digest(self, seed):
        """Return a hash of the initial values, for cache keys."""
        if self._digest[0] != seed:
            self._digest = seed, digest(identify("the weights", self.variables(seed)))
        return self._digest[1]

    def _compute_values(self, seeds):
        """Return the initial values for the seeds that Keras draws."""
        values = []
        for (source, place), stored in zip(self._sources, self._stored, strict=True):
            if source is None:
                values.append(stored)
            elif source == "seed":
                values.append(np.array([seeds[place], 0], stored.dtype.as_numpy_dtype))
            else:
                original_seed, source.seed = source.seed, seeds[place]
                try:
                    values.append(source(tuple(stored.shape), dtype=stored.dtype.name))
                finally:
                    source.seed = original_seed
        return values

    def _find_sources(self, other_seed):
        """Return the source of each variable's initial value; an empty list if the values cannot be reproduced."""
        other, record = self._spec.build(other_seed)
        other.optimizer.build(other.trainable_variables)
        self._stored, expected = self._last[1], read_variables(other.variables)
        if (
            len(record.seeds) != len(self.record.seeds)
            or not _all_equal(self.optimizer, read_variables(other.optimizer.variables))
            or [value.shape for value in self._stored] != [value.shape for value in expected]
        ):
            return []
        self._sources = [*map(self._find_source, self._variables, self._stored, expected)]
        seeds = draw_seeds(other_seed, len(record.seeds))
        return self._sources if seeds == record.seeds and _all_equal(self._compute_values(seeds), expected) else []

    def _find_source(self, variable, value, other_value):
        """Return the initializer of a variable and the position of its seed; (None, None) for a stored value."""
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
        return None, None  # then the comparison with the real build fails


def _all_equal(first, second):
    return len(first) == len(second) and all(map(np.array_equal, first, second))
