"""Section about the calibration of probabilities."""

import numpy as np

from kerasnet.report._figures import BLUE, INK, MUTED, drawing, to_plot
from kerasnet.report._page import Plots, Section, Text, counted, number, percent
from kerasnet.report._statistics import calibration_bins, expected_calibration_error, wilson_interval


def calibration_section(probabilities, outcomes, event):
    """Return the calibration curve and the distribution of the probabilities.

    Parameters
    ----------
    probabilities : ndarray of shape (n,)
        Predicted probabilities of an event.
    outcomes : ndarray of shape (n,) of bool
        Whether the event occurred.
    event : str
        Name of the event, such as "predicted class".
    """
    means, frequencies, counts = calibration_bins(probabilities, outcomes)
    error = expected_calibration_error(probabilities, outcomes)
    bins = ", ".join(
        f"{percent(mean)} predicted, {percent(frequency)} observed ({counted(count, 'sample')})"
        for mean, frequency, count in zip(means, frequencies, counts, strict=True)
    )
    with drawing() as figure:
        ax = figure.subplots()
        ax.plot([0, 1], [0, 1], color=MUTED, linestyle="--", linewidth=1, label="perfect calibration")
        successes = np.rint(frequencies * counts)
        bounds = np.array([wilson_interval(*each) for each in zip(successes, counts, strict=True)])
        lengths = np.abs(bounds - frequencies[:, np.newaxis]).T
        ax.errorbar(means, frequencies, lengths, color=BLUE, marker="o", linewidth=1, capsize=2, label="observed")
        ax.set(xlabel=f"probability of the {event}", ylabel="observed frequency", xlim=(0, 1.02), ylim=(0, 1.02))
        ax.legend()
        curve = to_plot(figure, f"Calibration curve: {bins}.", "Error bars are 95 % Wilson intervals.")
    with drawing() as figure:
        ax = figure.subplots()
        ax.hist(probabilities, bins=15, range=(0, 1), color=BLUE, edgecolor=INK, linewidth=0.3)
        ax.set(xlabel=f"probability of the {event}", ylabel="samples", xlim=(0, 1))
        above = percent(np.mean(probabilities > 0.9))
        alternative = f"Histogram of the probabilities of the {event}: {above} of them are above 90 %."
        histogram = to_plot(figure, alternative, "Distribution of the probabilities.")
    text = (
        f"The mean probability of the {event} is {percent(probabilities.mean())}, and it occurs in "
        f"{percent(np.mean(outcomes))} of the cases. Expected calibration error (15 bins of equal width): "
        f"{number(error)}."
    )
    return Section("Calibration", [Text(text), Plots([curve, histogram])])
