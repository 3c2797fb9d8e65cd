"""Outputs that are taken for probabilities."""

_TOLERANCE = 0.02  # half precision adds up to 1 within this


def check_probabilities(outputs, are_exclusive, multilabel, model):
    """Refuse outputs that are no probabilities, such as logits.

    Parameters
    ----------
    outputs : ndarray of shape (n_samples, n_outputs)
        Of a model.
    are_exclusive : bool
        Whether they are probabilities of classes of which each sample has exactly one, so that they add up to 1.
    multilabel : bool
        Whether the targets are an indicator of labels.
    model : object
        For messages.

    Raises
    ------
    ValueError
        If a value is outside of [0, 1], or if rows add up to something else than 1 where they should, or to 1 where
        each label is by itself.
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
            f"The outputs of {model!r} add up to 1 in each row, as those of a softmax do, but the loss takes each "
            'label by itself. Where each sample has exactly one label, set loss="categorical_crossentropy"; else let '
            "the model end in a sigmoid."
        )
    else:
        return
    activation, loss = (
        ("softmax", "SparseCategoricalCrossentropy") if are_exclusive else ("sigmoid", "BinaryCrossentropy")
    )
    raise ValueError(
        f"The outputs of {model!r} must be probabilities. Received: {found}. Let the model end in a {activation}, or, "
        f"where it ends in logits, give a loss that says so: loss=keras.losses.{loss}(from_logits=True)."
    )
