"""Convert X to the inputs of a model."""

import functools
import math
import warnings

import keras
import numpy as np
from sklearn.utils import assert_all_finite

from kerasnet._lazy_array import LazyArray
from kerasnet.training import make_augmentation

_CHUNK = 2**25  # bytes that are read in one step


def as_model_input(X, input_kind, image_shape, owner):
    """Convert validated data to the shape and dtype of a model's input.

    Parameters
    ----------
    X : ndarray of shape (n_samples, ...)
        Numbers.
    input_kind : {"image", "sequence", "tokens", "vector"} or None
        Input kind of the model. If None, the shape is not changed.
    image_shape : tuple (height, width[, channels]) or None
        Shape of images that are given as flattened rows.
    owner : str
        Name of the estimator, for messages.

    Returns
    -------
    X : ndarray
        Images of shape (n, height, width, channels), uint8 or float32; sequences of shape (n, steps, features) or
        vectors of shape (n, features), float32; token ids of shape (n, steps), integers.
    """
    if image_shape is not None and input_kind != "image":
        raise ValueError(f"image_shape requires an image model. Received: {owner} with input kind {input_kind!r}.")
    if input_kind == "image":
        return _as_images(X, image_shape, owner)
    if input_kind == "sequence":
        X = _as_sequences(X, owner)
    elif input_kind == "vector":
        X = reshape_samples(X, (-1,))
    elif input_kind == "tokens" and X.ndim != 2:
        raise ValueError(
            f"{owner} expects token ids of shape (n, steps), as TextVectorizer returns them. Received: X of shape "
            f"{X.shape}."
        )
    return as_numbers(X) if input_kind in ("tokens", None) else as_float32(X)


def n_samples_of(X):
    """Return the number of samples in an array, or in a list of arrays for multiple inputs."""
    return len(keras.tree.flatten(X)[0])


def accepts_lazy_arrays(convert):
    """Decorate a function that converts arrays: the rows of a `LazyArray` are converted when they are read."""

    @functools.wraps(convert)
    def wrapper(values, *arguments):
        if isinstance(values, LazyArray):
            return values.map_rows(convert, *arguments)
        return convert(values, *arguments)

    return wrapper


def iter_chunks(X):
    """Yield an array in memory as one chunk, and a `LazyArray` in chunks that are read one by one."""
    yield from X.chunks(_CHUNK) if isinstance(X, LazyArray) else (X,)


def value_range(X):
    """Return the minimum and maximum of an array or `LazyArray`."""
    smallest, largest = zip(*((chunk.min(), chunk.max()) for chunk in iter_chunks(X)), strict=True)
    return min(smallest), max(largest)


@accepts_lazy_arrays
def reshape_samples(X, shape):
    """Reshape each sample."""
    return X.reshape(len(X), *shape)


@accepts_lazy_arrays
def as_float32(values, name="X"):
    """Convert validated numbers to float32; raise an error if they are too large."""
    if values.dtype == np.float32:
        return values
    with np.errstate(over="ignore"):
        values = values.astype(np.float32)
    assert_all_finite(values, input_name=name)
    return values


@accepts_lazy_arrays
def as_numbers(values):
    """Keep integers and float64, which the model casts; convert uint8, which are not images here, to int32."""
    if values.dtype == np.uint8:
        return values.astype(np.int32)
    return values if values.dtype.kind in "iu" or values.dtype == np.float64 else as_float32(values)


def cast_to_input_dtypes(model, X):
    """Cast arrays to the dtypes of a model's inputs: integers or float32.

    Parameters
    ----------
    model : keras.Model
        A built model. If its inputs are unknown, integers are not cast, as in Keras.
    X : ndarray, or a list or dict of them
        Arrays. uint8 is not cast, since such arrays are images.

    Returns
    -------
    X : ndarray, or a list or dict of them
    """
    inputs = getattr(model, "inputs", None) or []
    arrays = keras.tree.flatten(X)
    if len(inputs) != len(arrays):
        return keras.tree.map_structure(lambda array: array if array.dtype.kind in "iu" else as_float32(array), X)
    dtypes = [keras.backend.standardize_dtype(each.dtype) for each in inputs]
    if isinstance(X, dict):
        by_name = {each.name: dtype for each, dtype in zip(inputs, dtypes, strict=True)}
        return {name: _as_input(array, by_name.get(name, "float32")) for name, array in X.items()}
    return keras.tree.pack_sequence_as(X, [*map(_as_input, arrays, dtypes)])


@accepts_lazy_arrays
def _as_input(array, dtype):
    if array.dtype == np.uint8:
        return array
    if "int" not in dtype:
        return as_float32(array)
    if array.dtype.kind == "f" and not (array == np.rint(array)).all():
        raise ValueError(f"The model expects integers. Received: X of dtype {array.dtype} with fractional values.")
    return array.astype("int32" if dtype == "uint8" else dtype)  # uint8 would be divided by 255


def warn_about_uint8(X, model, owner):
    """Warn that images of dtype uint8 are not rescaled for a Keras model."""
    is_keras_model = isinstance(model, keras.Model) and not any(
        isinstance(layer, keras.layers.Rescaling | keras.layers.Normalization) for layer in model._flatten_layers()
    )
    if is_keras_model and X.dtype == np.uint8 and X.ndim > 2:
        warnings.warn(
            f"X has dtype uint8 and is not divided by 255 for {model.name!r}, since {owner} got it as a Keras model "
            "instead of a registered name. Divide X by 255, or add a Rescaling layer to the model.",
            stacklevel=2,
        )


def warn_about_integers(X, owner):
    """Warn that sequences of integers are used as numbers, since they may be token ids."""
    if X.ndim == 2 and X.dtype.kind == "i":
        warnings.warn(
            f"X contains sequences of integers, which {owner} uses as numbers. If they are token ids, as those of "
            'TextVectorizer, set vocabulary_size="auto". Otherwise, convert X to float.',
            stacklevel=2,
        )


def warn_about_pretrained_range(X, weights, owner):
    """Warn if samples exceed the range that pretrained weights were trained on."""
    _, largest = value_range(X)
    if largest > 1:
        warnings.warn(
            f"The pretrained weights {weights!r} of {owner} expect values in [0, 1]; the maximum here is {largest:g}. "
            "Divide X by 255.",
            stacklevel=2,
        )


def check_augmentation(augmentation, X, model, owner):
    """Raise an error for augmentation of samples that are not images, or if it changes their shape."""
    if augmentation is None:
        return
    if getattr(X, "ndim", None) != 4:
        shape = keras.tree.map_structure(np.shape, X)
        raise ValueError(
            f"augmentation={augmentation!r} requires images of shape (n, height, width, channels). Received: inputs of "
            f"shape {shape} for the model {model!r} of {owner}. Set augmentation=None."
        )
    if not isinstance(augmentation, str):
        image = np.zeros((1, *X.shape[1:]), np.float32)
        augmented = make_augmentation(augmentation)(image, training=True)
        if augmented.shape != image.shape:
            raise ValueError(
                f"augmentation={augmentation!r} must not change the shape of the images. Expected: {image.shape[1:]}. "
                f"Received: {tuple(augmented.shape[1:])}."
            )


def _as_images(X, image_shape, owner):
    if image_shape is not None:
        X = _to_image_shape(X, image_shape, owner)
    if X.ndim == 3:
        X = reshape_samples(X, (*X.shape[1:], 1))
    if X.ndim != 4:
        raise ValueError(
            f"{owner} expects images of shape (n, height, width) or (n, height, width, channels). "
            f"Received: X of shape {X.shape}. For flattened rows, set image_shape, for example "
            "image_shape=(28, 28, 1)."
        )
    if X.dtype == np.uint8:
        return X  # divided by 255 in the compiled training step
    X = as_float32(X)
    _, largest = value_range(X)
    if largest > 1:
        warnings.warn(
            f"{owner} expects float images in [0, 1] and does not rescale them; the maximum here is "
            f"{largest:g}. Divide X by 255, or pass it as uint8, which is divided by 255.",
            stacklevel=2,
        )
    return X


def _to_image_shape(X, image_shape, owner):
    shape = tuple(image_shape)
    if len(shape) == 2:
        shape = (*shape, 1)
    if len(shape) != 3:
        raise ValueError(f"image_shape must be (height, width[, channels]). Received: {image_shape!r}.")
    matches = X.ndim == 2 and X.shape[1] == math.prod(shape)
    matches = matches or X.shape[1:] == shape or (*X.shape[1:], 1) == shape
    if not matches:
        raise ValueError(
            f"{owner} has image_shape={image_shape!r}, and expects rows of {math.prod(shape)} values or images "
            f"of this shape. Received: X of shape {X.shape}."
        )
    return reshape_samples(X, shape)


def _as_sequences(X, owner):
    if X.ndim == 2:
        X = reshape_samples(X, (*X.shape[1:], 1))
    if X.ndim != 3:
        raise ValueError(
            f"{owner} expects sequences of shape (n, steps, features), or (n, steps) with one feature. "
            f"Received: X of shape {X.shape}."
        )
    if X.shape[1] == 1 and X.shape[2] > 1:
        warnings.warn(
            f"X of shape {X.shape} contains sequences of one step with {X.shape[2]} features, since {owner} expects "
            f"shape (n, steps, features). For {X.shape[2]} steps with one feature, pass X.reshape({len(X)}, "
            f"{X.shape[2]}, 1).",
            stacklevel=2,
        )
    return X
