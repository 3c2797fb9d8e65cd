"""Learning rate schedules as arrays with one value per step."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

SCHEDULES = ("constant", "cosine", "one_cycle")

# (fraction of warm-up steps, first rate, last rate); rates are fractions of the maximum learning rate
_SHAPES = {"cosine": (0.05, 0.0, 0.0), "one_cycle": (0.3, 1 / 25, 1 / 25e4)}


def learning_rates(schedule: str, learning_rate: float, n_steps: int) -> npt.NDArray[np.float32]:
    """Compute the learning rate of each step of a training.

    Parameters
    ----------
    schedule : {"constant", "cosine", "one_cycle"}
        The shape of the schedule.

        - "constant": all steps have the same learning rate.
        - "cosine": linear warm-up from 0 during the first 5 % of the steps, then cosine decay to 0 [1]_.
        - "one_cycle": cosine warm-up from 1/25 of the maximum during the first 30 % of the steps, then cosine decay to
          1/250,000 of the maximum [2]_.
    learning_rate : float
        The maximum learning rate.
    n_steps : int
        The number of steps (batches) of the training.

    Returns
    -------
    rates : ndarray of shape (n_steps,), dtype float32
        The learning rate of each step.

    Raises
    ------
    ValueError
        If there is no schedule of this name.

    See Also
    --------
    n_batches : Compute the number of batches per epoch.

    References
    ----------
    .. [1] I. Loshchilov and F. Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017.
    .. [2] L. N. Smith and N. Topin, "Super-Convergence: Very Fast Training of Neural Networks Using Large Learning
       Rates", 2018. The fractions are the defaults of PyTorch's ``OneCycleLR`` and fast.ai.

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
