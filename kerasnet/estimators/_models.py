"""The model of an estimator: its specification, the fitted network and ``model_``."""

from __future__ import annotations

import inspect
from typing import Any

import keras
import numpy as np
from sklearn.exceptions import NotFittedError

from kerasnet.estimators._compiling import CompileSettings
from kerasnet.estimators._parameters import EstimatorParameters, get_builder
from kerasnet.estimators._scikeras import route_params
from kerasnet.estimators._targets import Targets
from kerasnet.training._loop import replace_model
from kerasnet.training._network import Network
from kerasnet.training._spec import ModelSpec

_NOT_METADATA = ("history_", "n_iter_", "input_shape_", "feature_encoder_", "target_encoder_")
_NOT_FOR_BUILDERS = ("_network", "_callbacks", "_skl_callbacks", "_parent_callback_ctx", "_fit_keywords")


class ModelOwner(EstimatorParameters):
    """Base class for the model of an estimator, which is stored as a :class:`Network`.

    Subclasses define the targets.
    """

    _network: Any = None
    _callbacks = None  # callbacks of the last fit, with the model that they may still refer to

    def __sklearn_is_fitted__(self):
        """Return whether the network exists, trained or not."""
        return self._network is not None

    def __dir__(self):
        """List the attributes without building the model for lazily computed ones."""
        lazy = {"model_", "callbacks_"} if self._network is None or not self._network.has_model else set()
        return [name for name in object.__dir__(self) if name not in lazy and hasattr(self, name)]

    @property
    def model_(self) -> keras.Model:
        """The trained Keras model, built on demand."""
        if self._network is None:
            raise NotFittedError(
                f"This {type(self).__name__} instance is not fitted yet and has no model_. Call fit first."
            )
        return self._network.model

    @model_.setter
    def model_(self, model: keras.Model) -> None:
        self._network = Network(None, model=model)

    @property
    def callbacks_(self) -> list[keras.callbacks.Callback]:
        """The Keras callbacks of the last fit. Their ``model`` is ``model_``."""
        if self._callbacks is None:
            raise AttributeError(f"This {type(self).__name__} has no callbacks_: it was not fitted in this process.")
        callbacks, trained_model = self._callbacks
        if trained_model is not None:
            replace_model(trained_model, self.model_, callbacks)
            self._callbacks = callbacks, None
        return callbacks

    def __getstate__(self):
        """Return the state for pickling and copying. A model is stored as its specification and weights."""
        state = dict(super().__getstate__())
        state.pop("_callbacks", None)  # may contain objects that cannot be pickled, such as open files
        if self.target_encoder is None:
            state.pop("target_encoder_", None)  # derived from classes_
        return state

    def __copy__(self):
        """Copy shallowly. The network is shared, and trained in place by neither estimator."""
        copied = type(self).__new__(type(self))
        vars(copied).update(vars(self))
        if self._network is not None:
            self._network.is_shared = True
        return copied

    def _targets(self, loss):
        """Return the targets of the model for a loss."""
        return Targets(self.input_shape_, getattr(self, "n_outputs_expected_", 1))

    def _compile_settings(self, parameters):
        targets = (ModelOwner._targets if self.target_encoder is not None else type(self)._targets)(
            self, parameters.get("loss")
        )
        return CompileSettings.of(parameters, targets, isinstance(self.model, keras.Model))

    def _spec_from(self, builder, arguments, compiling, dtype_policy):
        """Return the specification of a model, including the shape and dtype of the data."""
        return ModelSpec(
            builder,
            arguments,
            compiling,
            input_shape=self.input_shape_,
            input_dtype=self._input_dtype(),
            augmentation=self.augmentation,
            dtype_policy=dtype_policy,
        )

    def _spec(self):
        """Return the specification of the model for the parameters and the data."""
        builder, params, explicit = self._fixed_builder(), self._settings(), self._explicit()
        compiling, accepted = self._compile_settings(params), inspect.signature(builder).parameters
        given = {"input_shape": self.input_shape_}
        given |= compiling.targets.builder_arguments("output_activation" in accepted)
        if any(argument.kind == argument.VAR_KEYWORD for argument in accepted.values()):
            accepted = {**accepted, **given, **explicit, **route_params(explicit, "model", ())}
        given |= {name: value for name, value in params.items() if "__" not in name}
        given |= route_params(params, "model", pass_filter=(), strict=True)
        given |= {name: make() for name, make in self._scikeras_arguments().items() if name in accepted}
        if self._input_kind == "tokens":
            given["vocabulary_size"] = self.vocabulary_size_
        if self._padding is not None:
            given["mask_value"] = self._padding
        arguments = {name: value for name, value in given.items() if name in accepted}
        return self._spec_from(builder, arguments, compiling, keras.config.dtype_policy().name)

    def _fixed_builder(self):
        """Return the builder. Parameters that are set later do not affect it."""
        if self._method_builder():
            frozen = type(self).__new__(type(self))
            vars(frozen).update((name, value) for name, value in vars(self).items() if name not in _NOT_FOR_BUILDERS)
            return frozen._method_builder()
        return self._builder(self.model) or get_builder(self.model)

    def _scikeras_arguments(self):
        """Return functions that compute the arguments of builders in the style of SciKeras."""
        return {
            "meta": self._metadata,
            "params": self.get_params,
            "compile_kwargs": lambda: self._compile_settings(self._settings()).arguments(),
        }

    def _metadata(self):
        """Return the argument `meta` of builders in the style of SciKeras: information about the data."""
        return {
            name: value
            for name, value in vars(self).items()
            if name[-1] == "_" != name[0] and name not in _NOT_METADATA
        }

    def _input_dtype(self):
        """Return the dtype of the samples, for a model that is not built yet; None for floats."""
        dtype = getattr(self, "X_dtype_", np.dtype(np.float32))
        return dtype.name if dtype.kind in "iu" and self._input_kind is None else None
