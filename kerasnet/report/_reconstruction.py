"""Sections about autoencoders."""

import numpy as np

from kerasnet.plots import EmbeddingDisplay, ReconstructionDisplay
from kerasnet.report._classification import bootstrapped
from kerasnet.report._figures import BLUE, INK, drawing, to_plot
from kerasnet.report._page import Metric, Plots, Section, Text, counted, number, percent
from kerasnet.report._samples import sample_section
from kerasnet.report._subject import take_rows

_N_IMAGES = 6


def report_reconstruction(subject):
    """Return the metrics and the sections of an autoencoder."""
    errors = np.asarray(subject.measure(subject.final.reconstruction_errors, subject.final_samples))
    codes = np.asarray(subject.final.transform(take_rows(subject.final_samples, subject.sample)))
    sections = [
        *reconstruction_sections(subject, errors),
        code_section(subject, codes),
    ]
    return summary(subject, errors, codes), [*sections, worst_section(subject, errors)]


def summary(subject, errors, codes):
    """Return the metrics of all samples."""
    n_values = int(np.prod(np.shape(subject.final_samples)[1:]))
    active = f" {int((codes.std(axis=0) > 0).sum()):,} units of the code are active." if len(codes) > 1 else ""
    return [
        bootstrapped("Mean squared error", lambda rows: errors[rows].mean(), len(errors), baseline_note(subject)),
        Metric(
            "Code",
            counted(codes.shape[1], "value"),
            "",
            f"Samples have {n_values:,} values: {number(n_values / codes.shape[1], 3)} per value of the code.{active}",
        ),
    ]


def baseline_note(subject):
    """Return the error of reconstructing the mean sample, computed from some of the samples."""
    X = subject.final_samples
    samples = subject.sample_of(X) / (255 if X.dtype == np.uint8 else 1)
    return f"Reconstructing the mean sample: {number(samples.var(axis=0).mean())}."


def reconstruction_sections(subject, errors):
    """Return reconstructions of samples with a typical error, and the largest errors."""
    middle = np.argsort(np.abs(errors - np.median(errors)), kind="stable")[:_N_IMAGES]
    worst = np.argsort(-errors, kind="stable")[:_N_IMAGES]
    plots = [error_histogram(errors)]
    if subject.image_rows is not None:
        for rows, which in ((middle, "typical"), (worst, "largest")):
            plots.append(reconstruction_plot(subject, rows, errors[rows], which))
    return [Section("Reconstructions", [Plots(plots)])]


def reconstruction_plot(subject, rows, errors, which):
    """Return a plot of images and their reconstructions."""
    reconstructions = np.asarray(subject.final.reconstruct(take_rows(subject.final_samples, rows)))
    images = subject.image_rows(rows)
    if images.dtype == np.uint8:
        images = images / np.float32(255)
    reconstructions = reconstructions.reshape(images.shape)
    with drawing(height=2.6) as figure:
        ReconstructionDisplay.from_predictions(images, reconstructions, n_images=len(rows), ax=figure.subplots())
        low, high = number(errors.min(), 3), number(errors.max(), 3)
        text = f"{len(rows)} images with {which} errors ({low} to {high}): input, output and difference."
        return to_plot(figure, f"Reconstructions of {text}", text)


def error_histogram(errors):
    """Return a histogram of the errors of the samples."""
    with drawing() as figure:
        ax = figure.subplots()
        ax.hist(errors, bins=30, color=BLUE, edgecolor=INK, linewidth=0.3)
        ax.set(xlabel="mean squared error", ylabel="samples")
        middle, high = map(number, np.quantile(errors, [0.5, 0.95]))
        text = f"Distribution of the reconstruction errors: median {middle}, 5 % are above {high}."
        return to_plot(figure, f"Histogram. {text}", text)


def code_section(subject, codes):
    """Return a scatter plot of the codes and the activity of the units."""
    active = codes.std(axis=0)
    text = f"Codes of {counted(len(codes), 'sample')} with {counted(codes.shape[1], 'value')}."
    plots = []
    if codes.shape[1] > 1 and len(codes) > 1:
        labels = None if subject.y is None else subject.y[subject.sample]
        with drawing(height=3.6) as figure:
            EmbeddingDisplay.from_codes(codes, labels, ax=figure.subplots(), rasterized=True)
            reduced = "" if codes.shape[1] == 2 else " reduced to two principal components"
            colored = "" if labels is None else ", colored by y"
            alternative = f"Scatter plot of the codes{reduced}{colored}."
            plots.append(to_plot(figure, alternative, alternative))
    with drawing() as figure:
        ax = figure.subplots()
        ax.bar(range(len(active)), np.sort(active)[::-1], color=BLUE, width=1)
        ax.set(xlabel="unit of the code, sorted", ylabel="standard deviation")
        share = percent(np.mean(active > 0))
        alternative = f"Standard deviations of the units of the code: {share} are above zero, the largest is "
        plots.append(to_plot(figure, alternative + f"{number(active.max())}.", "Activity of the units of the code."))
    return Section("Codes", [Text(text), Plots(plots)])


def worst_section(subject, errors):
    """Return the samples with the largest errors."""
    rows = np.argsort(-errors, kind="stable")[:20]
    return sample_section("Largest errors", "", subject, rows, lambda row: [number(errors[row])], ["error"])
