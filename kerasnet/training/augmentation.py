"""Augmentation: images that are moved about in training, anew in each epoch."""

import copy

import keras
import numpy as np

AUGMENTATIONS = ("shift", "shift_rotate", "shift_rotate_zoom")
_SHIFT = 0.08  # of height and width: some two pixels of 28
_TURN = 0.03  # of a full turn: some eleven degrees
_ZOOM = 0.1


def make_augmentation(augmentation):
    """Return the layer that an `augmentation` parameter stands for.

    Parameters
    ----------
    augmentation : {"shift", "shift_rotate", "shift_rotate_zoom"}, keras.layers.Layer or None
        "shift" moves images by up to 8 % of their height and width, in whole pixels; "shift_rotate" also turns them by
        up to 11 degrees; "shift_rotate_zoom" also stretches or shrinks height and width by up to 10 %, each by itself.
        What comes into view is 0. A layer is copied.

    Returns
    -------
    keras.layers.Layer or None
        Takes images (n, height, width, channels) in [0, 1], and acts in training only.

    Raises
    ------
    ValueError
        If the layer cannot be copied, or there is no augmentation of that name.

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
                f"augmentation={augmentation!r} cannot be copied, which each fit does. A layer of your own needs "
                "keras.saving.register_keras_serializable and get_config; a Lambda a function that uses nothing around "
                f"it. Keras says: {' '.join(str(error).split())[:300]}"
            ) from error
    if augmentation not in AUGMENTATIONS:
        raise ValueError(
            f"augmentation must be None, a Keras layer or one of {AUGMENTATIONS}. Received: {augmentation!r}."
        )
    settings = {"fill_mode": "constant", "seed": 0}
    steps = {
        "shift": keras.layers.RandomTranslation(_SHIFT, _SHIFT, "constant", "nearest", seed=0, name="shift"),
        "rotate": keras.layers.RandomRotation(_TURN, **settings, name="rotate"),
        "zoom": keras.layers.RandomZoom(_ZOOM, _ZOOM, **settings, name="zoom"),
    }
    return keras.Sequential([steps[name] for name in augmentation.split("_")], name="augmentation")


def reseed(augmentation, seed, epoch):
    """Have the random layers of an augmentation draw what belongs to an epoch, so that it can be drawn again."""
    states = [each for each in augmentation.variables if each.name == "seed_generator_state"]
    drawn = np.random.SeedSequence([seed, epoch]).generate_state(len(states))
    for state, number in zip(states, drawn, strict=True):
        state.assign(np.array([number, 0], np.uint32))
