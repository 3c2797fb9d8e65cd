"""Validation of predicted probabilities."""

_TOLERANCE = 0.02  # of sums in half precision


def check_probabilities(outputs, are_exclusive, multilabel, model):
    """Raise an error for outputs that are not probabilities, such as logits.

    Parameters
    ----------
    outputs : ndarray of shape (n_samples, n_outputs)
        Outputs of a model.
    are_exclusive : bool
        Whether the classes are mutually exclusive, so that the probabilities of a sample add up to 1.
    multilabel : bool
        Whether the targets are a multilabel indicator matrix.
    model : object
        The model, for error messages.

    Raises
    ------
    ValueError
        If a value is outside of [0, 1], if rows of mutually exclusive classes do not add up to 1, or if rows of
        multilabel outputs do.
    """
    lowest, highest, sums = outputs.min(), outputs.max(), outputs.sum(axis=1)
    if lowest < -_TOLERANCE or highest > 1 + _TOLERANCE:
        found = f"values from {lowest:.3g} to {highest:.3g}"
    elif are_exclusive and abs(sums - 1).max() > _TOLERANCE:
        found = f"rows that add up to {sums.min():.3g} to {sums.max():.3g}"
    elif outputs.shape[1] == 1 and len(outputs) > 1 and highest == lowest == 0:
        found = "0 for all samples"
    elif multilabel and not are_exclusive and outputs.shape[1] > 1 and abs(sums - 1).max() < 1e-5:
        raise ValueError(
            f"The outputs of {model!r} add up to 1 in each row, as for a softmax, but the loss is for multilabel "
            'targets. If each sample has exactly one label, set loss="categorical_crossentropy". Otherwise use a '
            "sigmoid as the activation of the outputs."
        )
    else:
        return
    activation, loss = (
        ("softmax", "SparseCategoricalCrossentropy") if are_exclusive else ("sigmoid", "BinaryCrossentropy")
    )
    raise ValueError(
        f"The outputs of {model!r} must be probabilities. Received: {found}. Use a {activation} as the activation of "
        f"the outputs, or, if they are logits, set loss=keras.losses.{loss}(from_logits=True)."
    )
