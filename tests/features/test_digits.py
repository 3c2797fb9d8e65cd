"""Extraction of digits from images."""

import cv2
import numpy as np
import pytest
from _longer import longer
from scipy import ndimage

from kerasnet.datasets import load_mnist
from kerasnet.errors import ImageDecodeError, KerasNetError
from kerasnet.features import extract_digit
from kerasnet.features.digits import read_gray


def page(*strokes, size=(600, 450), pen=24, paper=220, ink=40):
    """Draw strokes, each a list of (column, row) points, on a page."""
    image = np.full(size, paper, np.uint8)
    for stroke in strokes:
        cv2.polylines(image, [np.array(stroke, np.int32)], False, ink, pen)
    return image


MNIST_CENTER = [14, 14]
SEVEN = [[130, 150], [320, 150], [200, 450]]
FIVE = [[160, 160], [160, 300], [270, 310], [290, 380], [250, 450], [150, 450]], [[185, 155], [300, 155]]


def ink_size(digit):
    rows, columns = np.nonzero(digit > 0.5)
    return rows.max() - rows.min() + 1, columns.max() - columns.min() + 1


@pytest.mark.parametrize("background", ["paper", "uniform"])
@pytest.mark.parametrize("pen", longer([2, 5, 12, 24, 60], [5, 24]))
def test_digits_have_the_size_and_center_of_mnist(pen, background):
    digit = extract_digit(page(SEVEN, pen=pen), background=background)
    assert digit.shape == (28, 28)
    assert digit.dtype == np.float32
    assert digit.min() == 0
    assert digit.max() <= 1
    assert max(ink_size(digit)) in (19, 20, 21)
    np.testing.assert_allclose(ndimage.center_of_mass(digit), MNIST_CENTER, atol=0.1)


@pytest.mark.parametrize("background", ["paper", "uniform"])
@pytest.mark.parametrize("pen", longer([1, 2, 3, 8, 24], [2, 8]))
def test_strokes_have_the_brightness_and_thickness_of_mnist(pen, background):
    digit = extract_digit(page(SEVEN, pen=pen), background=background)
    thickness = digit[10:20].sum(axis=1)  # of the slanted stroke, measured horizontally
    assert digit[10:20].max(axis=1).min() > 0.7
    assert 1.8 < np.median(thickness) < 3.8


@pytest.mark.parametrize("background", ["paper", "uniform"])
@pytest.mark.parametrize("pen", [2, 4, 6, 14])
def test_vertical_strokes_are_ones(pen, background):
    digit = extract_digit(page([[200, 40], [200, 360]], size=(400, 400), pen=pen), background=background)
    rows, columns = ink_size(digit)
    assert rows in (19, 20, 21)
    assert columns <= 4
    np.testing.assert_allclose(ndimage.center_of_mass(digit), MNIST_CENTER, atol=0.1)


def test_mnist_images_are_nearly_unchanged():
    images = load_mnist("test", n_samples=8, random_state=3).data
    correlations = [np.corrcoef(extract_digit(image).ravel(), image.ravel())[0, 1] for image in images]
    assert np.mean(correlations) > 0.93
    centers = [ndimage.center_of_mass(image) for image in images]
    np.testing.assert_allclose(np.mean(centers, axis=0), MNIST_CENTER, atol=0.2)


def test_drawings_on_a_uniform_background_give_the_digits_of_paper():
    for strokes in ([SEVEN], FIVE, [[[210, 150], [300, 250], [200, 400], [130, 260], [210, 150]]]):
        drawing = page(*strokes, pen=14, paper=255, ink=0)
        expected = extract_digit(drawing)
        for image, polarity in ((drawing, "dark-on-light"), (255 - drawing, "light-on-dark")):
            digit, found = extract_digit(image, background="uniform", return_polarity=True)
            assert found == polarity
            assert np.corrcoef(digit.ravel(), expected.ravel())[0, 1] > 0.97
    with pytest.raises(KerasNetError, match="found 2"):
        extract_digit(np.hstack([page(SEVEN)] * 2), background="uniform")
    with pytest.raises(KerasNetError, match="no digit"):
        extract_digit(page(), background="uniform")


def test_uniform_background_is_required_where_it_is_declared():
    image = page(SEVEN)
    image[:, 300:] //= 2
    with pytest.raises(KerasNetError, match="a single color"):
        extract_digit(image, background="uniform")
    with pytest.raises(ValueError, match="background must be one of"):
        extract_digit(image, background="white")


def test_polarity_depends_on_ink_and_not_on_margins_or_bright_spots():
    paper = page(SEVEN, paper=120)
    spot = cv2.circle(paper.copy(), (380, 520), 40, 255, -1)
    table = np.full((900, 750), 60, np.uint8)
    table[150:750, 150:600] = paper
    expected = extract_digit(paper)
    for image in (paper, spot, table):
        digit, polarity = extract_digit(image, return_polarity=True)
        assert polarity == "dark-on-light"
        assert np.corrcoef(digit.ravel(), expected.ravel())[0, 1] > 0.95
    digit, polarity = extract_digit(255 - paper, return_polarity=True)
    assert polarity == "light-on-dark"
    assert np.corrcoef(digit.ravel(), expected.ravel())[0, 1] > 0.95


def test_explicit_polarity_ignores_the_other_one():
    assert extract_digit(page(SEVEN), polarity="dark-on-light").max() > 0.9
    with pytest.raises(KerasNetError, match="no digit found"):
        extract_digit(page(SEVEN), polarity="light-on-dark")


@pytest.mark.parametrize("color", [(0, 0, 0), (255, 255, 255), (200, 30, 30), (120, 120, 120)])
@pytest.mark.parametrize("below", [0, 255])
def test_ink_of_any_color_on_a_transparent_canvas(color, below):
    expected = extract_digit(page(SEVEN, paper=255, ink=0))
    canvas = np.full((600, 450, 4), below, np.uint8)
    canvas[..., 3] = 255 - page(SEVEN, paper=255, ink=0)
    canvas[canvas[..., 3] > 0, :3] = color
    assert np.corrcoef(extract_digit(canvas).ravel(), expected.ravel())[0, 1] > 0.95


def test_separate_strokes_of_one_digit_are_grouped():
    digit = extract_digit(page(*FIVE, pen=14))
    whole = extract_digit(page(FIVE[0], [[160, 155], [300, 155]], pen=14))
    assert np.corrcoef(digit.ravel(), whole.ravel())[0, 1] > 0.9


def test_lines_of_the_paper_are_removed():
    expected = extract_digit(page(SEVEN))
    for across in (False, True):
        lines = np.full((600, 450), 255, np.uint8)
        for position in range(20, 600, 45):
            cv2.line(lines, (0, position), (450, position + 10), 150, 2)
            if across:
                cv2.line(lines, (position, 0), (position - 10, 600), 150, 2)
        lined = np.minimum(page(SEVEN), lines)
        assert np.corrcoef(extract_digit(lined).ravel(), expected.ravel())[0, 1] > 0.95


@pytest.mark.parametrize(
    "image",
    [
        np.full((300, 300), 255, np.uint8),
        np.zeros((300, 300), np.uint8),
        np.zeros((1, 1), np.uint8),
        np.zeros((200, 200, 4), np.uint8),
        np.clip(np.random.default_rng(0).normal(200, 15, (400, 300)), 0, 255).astype(np.uint8),
        cv2.circle(np.full((400, 300), 120, np.uint8), (150, 150), 30, 255, -1),
        cv2.rectangle(np.full((600, 400), 60, np.uint8), (80, 90), (330, 480), 220, -1),
        np.tile(np.linspace(0, 1, 300), (300, 1)),
        page([[0, 300], [449, 300]], pen=6),
    ],
    ids=["white", "black", "one pixel", "transparent", "noise", "highlight", "table", "gradient", "one line"],
)
def test_page_without_a_digit_raises(image):
    with pytest.raises(KerasNetError, match="no digit found: expected strokes"):
        extract_digit(image)


@pytest.mark.parametrize("scale", [1, 0.6])
def test_two_digits_raise(scale, tmp_path):
    other = (np.array(SEVEN) * scale + [320, 60]).tolist()
    image = page(SEVEN, other, size=(600, 900))
    with pytest.raises(KerasNetError, match=r"expected one digit, found 2\. Crop the image to one digit\."):
        extract_digit(image)
    cv2.imwrite(str(tmp_path / "two.png"), image)
    with pytest.raises(KerasNetError, match=r"expected one digit, found 2, '.*two\.png'"):
        extract_digit(tmp_path / "two.png")


def test_files_bytes_and_arrays_give_equal_digits_and_are_not_modified(tmp_path):
    image = page(SEVEN)
    copy = image.copy()
    expected = extract_digit(image)
    np.testing.assert_array_equal(image, copy)
    cv2.imwrite(str(tmp_path / "seven.png"), image)
    for source in (tmp_path / "seven.png", (tmp_path / "seven.png").read_bytes(), image / 255, np.dstack([image] * 3)):
        np.testing.assert_allclose(extract_digit(source), expected, atol=0.02)


def test_invalid_images_and_parameters_raise(tmp_path):
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(ImageDecodeError, match=r"notes\.txt'.*found: something else"):
        extract_digit(tmp_path / "notes.txt")
    with pytest.raises(ImageDecodeError, match="expected at most 100 pixels"):
        extract_digit(cv2.imencode(".png", page(SEVEN))[1].tobytes(), max_pixels=100)
    with pytest.raises(ValueError, match="expected a path, the bytes of a file, a Pillow image, or an array"):
        extract_digit(np.zeros((2, 2, 2)))
    with pytest.raises(ValueError, match="polarity must be one of"):
        extract_digit(page(SEVEN), polarity="dark")


def test_transparent_ink_is_blended_with_a_contrasting_background():
    canvas = np.zeros((1, 3, 4), np.uint8)
    canvas[0, 1:] = [[255, 255, 255, 255], [255, 255, 255, 51]]
    np.testing.assert_allclose(read_gray(canvas), [[0, 1, 0.2]], atol=0.01)
    canvas[..., :3] = 255 - canvas[..., :3]
    np.testing.assert_allclose(read_gray(canvas), [[1, 0, 0.8]], atol=0.01)


@pytest.mark.parametrize("strokes", [[[[130, 150], [300, 150], [220, 290], [300, 380], [140, 430]]], FIVE, [SEVEN]])
@pytest.mark.parametrize("frame", longer([60, 100, 200], [100]))
def test_sheet_on_a_table_is_not_a_digit(strokes, frame):
    sheet = page(*strokes, pen=30)
    digit, polarity = extract_digit(np.pad(sheet, frame, constant_values=60), return_polarity=True)
    assert polarity == "dark-on-light"
    assert np.corrcoef(digit.ravel(), extract_digit(sheet).ravel())[0, 1] > 0.95
