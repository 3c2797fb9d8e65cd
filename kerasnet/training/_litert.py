"""Run LiteRT models."""

import warnings

import tensorflow as tf

QUANTIZED = {"optimizations": [tf.lite.Optimize.DEFAULT]}  # options of the converter: weights of 8 bits


def litert_runner(content):
    """Return a function that runs a LiteRT model.

    Parameters
    ----------
    content : bytes
        The LiteRT file.

    Returns
    -------
    run : callable
        Takes a dict of input arrays by name, with any number of samples, and returns a dict of output arrays.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the interpreter will move to the package ai-edge-litert
        interpreter = tf.lite.Interpreter(model_content=content)
    runner = interpreter.get_signature_runner()
    return lambda inputs: runner(**inputs)
