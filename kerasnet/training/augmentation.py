"""Data augmentation: random transformations of training images."""

from __future__ import annotations

import copy

import keras
import numpy as np

AUGMENTATIONS = ("flip", "shift", "shift_flip", "shift_rotate", "shift_rotate_zoom")
_SHIFT = 0.08  # of height and width: about two pixels of 28
_ROTATION = 0.03  # of a full turn: about 11 degrees
_ZOOM = 0.1


def make_augmentation(augmentation: str | keras.layers.Layer | None) -> keras.layers.Layer | None:
    """Return the layer for an `augmentation` parameter.

    Parameters
    ----------
    augmentation : {"flip", "shift", "shift_flip", "shift_rotate", "shift_rotate_zoom"}, keras.layers.Layer or None
        The random transformations, joined by underscores. "flip" mirrors half of the images horizontally. "shift"
        translates images by up to 8 % of their height and width, in whole pixels. "rotate" rotates them by up to 11
        degrees. "zoom" stretches or shrinks height and width independently by up to 10 %. Pixels from outside of the
        image are 0. A layer is copied.

    Returns
    -------
    keras.layers.Layer or None
        Takes images of shape (n, height, width, channels) in [0, 1]. It has an effect in training only.

    Raises
    ------
    ValueError
        If the layer cannot be copied, or the name is unknown.

    Examples
    --------
    >>> from kerasnet.training.augmentation import make_augmentation
    >>> [layer.name for layer in make_augmentation("shift_rotate").layers]
    ['shift', 'rotate']
    """
    if augmentation is None:
        return None
    if isinstance(augmentation, keras.layers.Layer):
        try:
            return copy.deepcopy(augmentation)
        except Exception as error:  # Keras copies by configuration, and raises whatever the layer's code does
            raise ValueError(
                f"augmentation={augmentation!r} cannot be copied, but each fit uses a copy. A custom layer needs "
                "keras.saving.register_keras_serializable and get_config. The function of a Lambda must not use "
                f"variables of its enclosing scope. Keras says: {' '.join(str(error).split())[:300]}"
            ) from error
    if augmentation not in AUGMENTATIONS:
        raise ValueError(
            f"augmentation must be None, a Keras layer or one of {AUGMENTATIONS}. Received: {augmentation!r}."
        )
    settings = {"fill_mode": "constant", "seed": 0}
    steps = {
        "shift": keras.layers.RandomTranslation(_SHIFT, _SHIFT, "constant", "nearest", seed=0, name="shift"),
        "flip": keras.layers.RandomFlip("horizontal", seed=0, name="flip"),
        "rotate": keras.layers.RandomRotation(_ROTATION, **settings, name="rotate"),
        "zoom": keras.layers.RandomZoom(_ZOOM, _ZOOM, **settings, name="zoom"),
    }
    return keras.Sequential([steps[name] for name in augmentation.split("_")], name="augmentation")


def reseed(augmentation, seed, epoch):
    """Seed the random layers of an augmentation for an epoch, so that each epoch is reproducible."""
    states = [each for each in augmentation.variables if each.name == "seed_generator_state"]
    drawn = np.random.SeedSequence([seed, epoch]).generate_state(len(states))
    for state, number in zip(states, drawn, strict=True):
        state.assign(np.array([number, 0], np.uint32))
