"""Plots in the form of scikit-learn displays."""

import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError

from kerasnet.estimators import Autoencoder, CNNClassifier
from kerasnet.features import HOGTransformer, SIFTTransformer, sift
from kerasnet.plots import (
    EmbeddingDisplay,
    HOGDisplay,
    KeypointDisplay,
    PredictionGridDisplay,
    ReconstructionDisplay,
    TrainingCurveDisplay,
)

HISTORY = {"loss": [0.9, 0.5, 0.4], "val_loss": [0.8, 0.6, 0.7], "accuracy": [0.5, 0.7, 0.9]}


def test_training_and_validation_curves():
    display = TrainingCurveDisplay.from_history(HISTORY)
    training, validation = display.lines_
    np.testing.assert_array_equal(training.get_xdata(), [1, 2, 3])
    np.testing.assert_array_equal(training.get_ydata(), HISTORY["loss"])
    np.testing.assert_array_equal(validation.get_ydata(), HISTORY["val_loss"])
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("epoch", "loss")
    assert display.figure_ is display.ax_.figure
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == ["training", "validation"]


def test_metric_without_validation_on_existing_axes():
    _, ax = plt.subplots()
    display = TrainingCurveDisplay.from_history(HISTORY, metric="accuracy", ax=ax, color="red")
    assert display.ax_ is ax
    assert [line.get_color() for line in display.lines_] == ["red"]
    assert display.plot(metric="loss").ax_ is not ax


def test_keras_history():
    history = keras.callbacks.History()
    history.history = HISTORY
    assert len(TrainingCurveDisplay.from_history(history).lines_) == 2


def test_unknown_metric_raises():
    with pytest.raises(ValueError, match=r"metric must be one of \['accuracy', 'loss', 'val_loss'\]. Received: 'f1'"):
        TrainingCurveDisplay.from_history(HISTORY, metric="f1")


def test_from_estimator(mnist):
    X, y = mnist
    with pytest.raises(NotFittedError):
        TrainingCurveDisplay.from_estimator(CNNClassifier())
    estimator = CNNClassifier(filters=(4,), dense_units=(), epochs=2, random_state=0).fit(X, y)
    display = TrainingCurveDisplay.from_estimator(estimator, metric="accuracy")
    np.testing.assert_array_equal(display.lines_[0].get_ydata(), estimator.history_["accuracy"])

    grid = PredictionGridDisplay.from_estimator(estimator, X, y, n_images=7)
    probabilities = estimator.predict_proba(X)
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != y)
    worst = wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")][:7]
    np.testing.assert_array_equal(grid.images, X[worst])
    first = worst[0]
    assert grid.axes_[0].get_title() == (
        f"{y[first]}, predicted {probabilities[first].argmax()}\n{probabilities[first].max():.1%}"
    )


def test_all_predictions_in_order(mnist):
    X, y = mnist
    display = PredictionGridDisplay.from_predictions(X, y, y, show="all", n_images=12)
    assert [axes.get_title() for axes in display.axes_] == [str(label) for label in y[:12]]
    np.testing.assert_array_equal(display.axes_[3].get_images()[0].get_array(), X[3])
    assert display.axes_[0].get_images()[0].get_clim() == (0, 255)


def test_floats_are_scaled_from_0_to_1(mnist):
    X, y = mnist
    display = PredictionGridDisplay.from_predictions(X / 255, y, y, show="all", n_images=1)
    assert display.axes_[0].get_images()[0].get_clim() == (0, 1)


def test_no_mistakes(mnist):
    X, y = mnist
    display = PredictionGridDisplay.from_predictions(X, y, y)
    assert display.axes_ == []
    assert display.ax_.texts[0].get_text() == "no images to show"


def test_existing_axes_are_used(mnist):
    X, y = mnist
    figure, axes = plt.subplots(1, 2)
    display = PredictionGridDisplay.from_predictions(X, y, (y + 1) % 10, n_images=3, ax=axes[1])
    figure.canvas.draw()
    frame = axes[1].get_position()
    assert display.figure_ is figure
    assert all(frame.x0 - 0.01 <= image_axes.get_position().x0 <= frame.x1 for image_axes in display.axes_)


def free_axes():
    return plt.figure().add_axes((0.1, 0.2, 0.3, 0.4))


def inset_axes():
    return plt.subplots(layout="constrained")[1].inset_axes((0.5, 0.5, 0.4, 0.4))


def subfigure_axes():
    return plt.figure().subfigures(1, 2)[1].subplots()


@pytest.mark.parametrize("make", [free_axes, inset_axes, subfigure_axes])
def test_images_stay_within_axes_of_any_kind(mnist, make):
    X, y = mnist
    for draw in (
        lambda ax: PredictionGridDisplay.from_predictions(X, y, y, show="all", n_images=6, ax=ax).axes_,
        lambda ax: ReconstructionDisplay.from_predictions(X, X, n_images=3, ax=ax).axes_.ravel(),
    ):
        ax = make()
        drawn = draw(ax)
        ax.get_figure(root=True).canvas.draw()
        frame, *images = (item.get_window_extent() for item in (ax, *drawn))
        assert len(images) in (6, 9)
        for number, image in enumerate(images):
            assert frame.x0 - 1 <= image.x0 < image.x1 <= frame.x1 + 1
            assert frame.y0 - 1 <= image.y0 < image.y1 <= frame.y1 + 1
            assert not any(image.overlaps(other) for other in images[:number])


@pytest.mark.parametrize("n_images", [-1, 0, 2.5])
def test_invalid_n_images_raises(mnist, n_images):
    X, y = mnist
    estimator = Autoencoder(code_units=8, epochs=1, random_state=0).fit(X[:50])
    for draw in (
        lambda: PredictionGridDisplay.from_predictions(X, y, y, show="all", n_images=n_images),
        lambda: ReconstructionDisplay.from_predictions(X, X, n_images=n_images),
        lambda: ReconstructionDisplay.from_estimator(estimator, X, n_images=n_images),
    ):
        with pytest.raises((ValueError, TypeError), match="n_images (== .*, must be >= 1|must be an instance of)"):
            draw()


def test_boolean_images():
    images = np.random.default_rng(0).random((3, 6, 6, 3)) > 0.5
    for part in (images, images[..., 0]):
        display = ReconstructionDisplay.from_predictions(part, part[::-1])
        shown = [axes.get_images()[0].get_array() for axes in display.axes_[:, 0]]
        np.testing.assert_array_equal(shown[0], part[0])
        np.testing.assert_array_equal(np.abs(shown[2]), part[0] ^ part[2])
        grid = PredictionGridDisplay.from_predictions(part, [0, 1, 2], [0, 1, 2], show="all")
        np.testing.assert_array_equal(grid.axes_[1].get_images()[0].get_array(), part[1])


@pytest.mark.parametrize("shape", [(2, 6, 6), (2, 6, 6, 1), (2, 6, 6, 3)])
def test_values_outside_0_and_1_are_clipped_without_a_warning(shape, caplog):
    images = np.random.default_rng(0).uniform(-0.1, 1.1, shape)
    display = ReconstructionDisplay.from_predictions(images, images)
    grid = PredictionGridDisplay.from_predictions(images, [0, 1], [1, 0])
    display.figure_.canvas.draw()
    grid.figure_.canvas.draw()
    assert not caplog.records
    for axes in (display.axes_[0, 1], grid.axes_[1]):
        np.testing.assert_array_equal(axes.get_images()[0].get_array(), images[1].clip(0, 1).squeeze())


@pytest.mark.parametrize(
    ("options", "message"),
    [({"show": "none"}, "show must be 'mistakes' or 'all'"), ({"confidence": [1]}, "inconsistent numbers of samples")],
)
def test_invalid_arguments_raise(mnist, options, message):
    X, y = mnist
    with pytest.raises(ValueError, match=message):
        PredictionGridDisplay.from_predictions(X, y, y, **options)


def test_reconstructions_and_differences(mnist):
    X, _ = mnist
    estimator = Autoencoder(code_units=8, epochs=1, random_state=0).fit(X)
    display = ReconstructionDisplay.from_estimator(estimator, X, n_images=5)
    assert display.axes_.shape == (3, 5)
    assert [axes.get_title() for axes in display.axes_[:, 0]] == ["input", "output", "difference"]
    shown = [axes.get_images()[0].get_array() for axes in display.axes_[:, 2]]
    expected = X[2] / 255, estimator.reconstruct(X[:5])[2]
    np.testing.assert_allclose(shown[0], expected[0])
    np.testing.assert_allclose(shown[1], expected[1])
    np.testing.assert_allclose(shown[2], expected[1] - expected[0], atol=1e-6)
    assert display.axes_[2, 0].get_images()[0].get_clim() == (-1, 1)


def test_color_reconstructions_show_absolute_differences():
    images = np.random.default_rng(0).random((2, 6, 6, 3))
    display = ReconstructionDisplay.from_predictions(images, images[::-1])
    np.testing.assert_allclose(display.axes_[2, 0].get_images()[0].get_array(), np.abs(images[1] - images[0]))


def test_reconstructions_of_another_shape_raise(mnist):
    X, _ = mnist
    with pytest.raises(ValueError, match=r"same shape\. Received: \(500, 28, 28\) and \(500, 28, 14\)"):
        ReconstructionDisplay.from_predictions(X, X[..., :14])
    with pytest.raises(ValueError, match=r"at least one image, .*Received: \(0, 28, 28\)"):
        ReconstructionDisplay.from_predictions(X[:0], X[:0])


def test_codes_have_one_collection_per_label(digits):
    X, y = digits[0].reshape(-1, 64), digits[1]
    display = EmbeddingDisplay.from_codes(X, y, s=3)
    expected = PCA(2, random_state=0).fit_transform(X)
    np.testing.assert_allclose(display.collections_[4].get_offsets(), expected[y == 4])
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == list("0123456789")
    assert display.collections_[0].get_sizes() == [3]


def test_two_dimensional_codes_are_not_transformed(digits):
    estimator = Autoencoder(code_units=2, epochs=1, random_state=0).fit(digits[0])
    display = EmbeddingDisplay.from_estimator(estimator, digits[0])
    np.testing.assert_array_equal(display.collections_[0].get_offsets(), estimator.transform(digits[0]))
    assert display.ax_.get_legend() is None
    with pytest.raises(ValueError, match="minimum of 2 is required"):
        EmbeddingDisplay.from_codes(np.zeros((5, 1)))


CODES = np.random.default_rng(0).random((300, 2))


def legend_of(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


def test_every_label_is_in_the_legend():
    display = EmbeddingDisplay.from_codes(CODES, np.repeat(["_a", "b", "_c"], 100))
    assert legend_of(display) == ["_a", "_c", "b"]
    np.testing.assert_array_equal(display.collections_[0].get_offsets(), CODES[:100])


def test_column_vector_of_labels():
    display = EmbeddingDisplay.from_codes(CODES, np.arange(300).reshape(-1, 1) % 3)
    assert legend_of(display) == ["0", "1", "2"]
    np.testing.assert_array_equal(display.collections_[1].get_offsets(), CODES[1::3])


def test_more_than_ten_labels_differ_in_color_or_marker():
    points = EmbeddingDisplay.from_codes(CODES, np.arange(300) % 20).collections_
    looks = {(*each.get_facecolor()[0], each.get_paths()[0].vertices.tobytes()) for each in points}
    assert len(looks) == 20
    assert len({look[:4] for look in looks}) == 10


def test_labels_are_not_formulas_and_many_have_no_legend():
    display = EmbeddingDisplay.from_codes(CODES, np.repeat(["$a$", r"$\frac$", "b"], 100))
    PredictionGridDisplay.from_predictions(np.zeros((1, 4, 4)), [r"$\frac$"], ["$a$"]).figure_.canvas.draw()
    display.figure_.canvas.draw()
    assert legend_of(display) == [r"$\frac$", "$a$", "b"]
    assert EmbeddingDisplay.from_codes(CODES, [f"class {n % 30}" for n in range(300)]).ax_.get_legend() is None


@pytest.mark.parametrize("dtype", [float, int])
def test_many_distinct_numbers_have_a_color_bar(dtype):
    y = (CODES[:, 0] * 1000).astype(dtype)
    display = EmbeddingDisplay.from_codes(CODES, y, cmap="magma")
    (points,) = display.collections_
    np.testing.assert_array_equal(points.get_array(), y)
    assert points.colorbar.ax in display.figure_.axes
    assert points.get_cmap().name == "magma"
    assert display.ax_.get_legend() is None


@pytest.mark.parametrize(
    ("y", "options", "message"),
    [
        (
            np.where(np.arange(300) == 7, np.nan, 1),
            {},
            r"Expected one label per sample in y. .*missing labels for samples \[7\]",
        ),
        (["a", None, np.nan] * 100, {}, r"missing labels for samples \[1, 2, 4, 5, 7, 8, \.\.\.\]"),
        (np.eye(300), {}, r"y should be a 1d array, got an array of shape \(300, 300\)"),
        (np.zeros(299), {}, "inconsistent numbers of samples"),
        (np.zeros(300), {"c": "red"}, "Expected either labels y or colors. Received: y and c. Remove one of them"),
        (np.zeros(300), {"color": "red"}, "Received: y and color"),
    ],
)
def test_invalid_labels_raise(y, options, message):
    with pytest.raises(ValueError, match=message):
        EmbeddingDisplay.from_codes(CODES, y, **options)


def test_color_of_points_without_labels():
    assert EmbeddingDisplay.from_codes(CODES, c="red", alpha=1).collections_[0].get_facecolor().tolist() == [
        [1, 0, 0, 1]
    ]


@pytest.mark.parametrize("flat", [False, True])
def test_images_and_hog_visualizations(mnist, flat):
    images = mnist[0][:3]
    transformer = HOGTransformer(pixels_per_cell=(4, 4), image_shape=(28, 28) if flat else None)
    display = HOGDisplay.from_estimator(transformer, images.reshape(3, -1) if flat else images, n_images=2)
    assert display.axes_.shape == (2, 2)
    for index, visualization in enumerate(transformer.visualize(images)[:2]):
        above, below = display.axes_[:, index]
        np.testing.assert_array_equal(above.images[0].get_array(), images[index])
        np.testing.assert_array_equal(below.images[0].get_array(), visualization)
        assert below.images[0].get_clim() == (0, display.pictures.max())
    assert display.figure_ is display.ax_.figure
    assert [axes.get_title() for axes in display.axes_[:, 0]] == ["image", "HOG"]


def test_constant_images_have_black_visualizations():
    display = HOGDisplay.from_estimator(HOGTransformer(), np.ones((1, 16, 16)))
    assert display.axes_[1, 0].images[0].get_clim() == (0, 1)


def test_position_size_and_angle_of_keypoints(mnist):
    images = mnist[0][:10]
    _, ax = plt.subplots()
    display = KeypointDisplay.from_images(images, enlarge=4, n_images=9, ax=ax)
    assert display.ax_ is ax
    assert display.axes_.shape == (9,)
    for axes, image, keypoints in zip(display.axes_, images, sift(images, enlarge=4)[0], strict=False):
        np.testing.assert_array_equal(axes.images[0].get_array(), image)
        circles, radii = axes.collections
        np.testing.assert_array_equal(circles.get_offsets(), keypoints[:, :2])
        np.testing.assert_allclose(circles.get_widths(), keypoints[:, 2])
        for (start, end), (x, y, diameter, angle) in zip(radii.get_segments(), keypoints, strict=True):
            np.testing.assert_allclose(start, [x, y])
            np.testing.assert_allclose(np.hypot(*(end - start)), diameter / 2, rtol=1e-5)
            np.testing.assert_allclose(
                (end - start) @ [np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))], diameter / 2, rtol=1e-5
            )
        assert axes.get_title() == f"{len(keypoints)} keypoints"


def test_grid_of_a_transformer(mnist):
    rows = mnist[0][:3].reshape(3, -1) / 255
    display = KeypointDisplay.from_estimator(SIFTTransformer(grid=(2, 5), image_shape=(28, 28)), rows)
    assert [len(keypoints) for keypoints in display.keypoints] == [10, 10, 10]
    flat = KeypointDisplay.from_images(np.zeros((1, 20, 30), np.uint8))
    assert flat.axes_[0].get_title() == "0 keypoints"
    flat.figure_.canvas.draw()
