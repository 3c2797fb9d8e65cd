"""Learning-rate schedules, as data: one value a step."""

import numpy as np

SCHEDULES = ("constant", "cosine", "one_cycle")

# (fraction of the steps spent warming up, first rate, last rate; both as fractions of the learning rate)
_SHAPES = {"cosine": (0.05, 0.0, 0.0), "one_cycle": (0.3, 1 / 25, 1 / 25e4)}


def learning_rates(schedule, learning_rate, n_steps):
    """Compute the learning rate of every step of a training run.

    Parameters
    ----------
    schedule : {"constant", "cosine", "one_cycle"}
        "constant" keeps `learning_rate`. The two others rise to it (the warm-up) and fall again: "cosine"
        rises linearly from 0 during the first 5 % of the steps and falls along half a cosine to 0 [1]_;
        "one_cycle" rises along half a cosine from 1/25 of it during the first 30 % and falls along another to
        1/250,000 of it [2]_.
    learning_rate : float
        The largest rate.
    n_steps : int
        The number of steps (batches) of the whole run.

    Returns
    -------
    rates : ndarray of shape (n_steps,), dtype float32
        The rate of each step.

    References
    ----------
    .. [1] I. Loshchilov and F. Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017.
    .. [2] L. N. Smith and N. Topin, "Super-convergence: very fast training of neural networks using large
       learning rates", 2018. With the fractions that PyTorch's ``OneCycleLR`` and fast.ai use.

    Examples
    --------
    >>> from kerasnet.training import learning_rates
    >>> learning_rates("cosine", 1.0, 40)[[0, 1, 2, 20, 39]].round(2)
    array([0.5 , 1.  , 1.  , 0.52, 0.  ], dtype=float32)
    """
    if schedule not in SCHEDULES:
        raise ValueError(f"schedule must be one of {list(SCHEDULES)}. Received: {schedule!r}.")
    if schedule == "constant":
        return np.full(n_steps, learning_rate, dtype=np.float32)
    fraction, first, last = _SHAPES[schedule]
    n_warm_up = round(fraction * n_steps)
    warm_up = np.arange(1, n_warm_up + 1) / (n_warm_up or 1)
    decay = np.arange(n_steps - n_warm_up) / max(n_steps - n_warm_up - 1, 1)
    if schedule == "one_cycle":
        warm_up = (1 - np.cos(np.pi * warm_up)) / 2
    factors = np.concatenate([first + (1 - first) * warm_up, last + (1 - last) * (1 + np.cos(np.pi * decay)) / 2])
    return (learning_rate * factors).astype(np.float32)
