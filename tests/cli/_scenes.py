"""Synthetic photographs and drawings of digits, and images without a single digit."""

import cv2
import numpy as np
from skimage.morphology import skeletonize

from kerasnet.datasets import load_mnist

NONE, TWO = "no digit found", "expected one digit, found 2"
KINDS = {  # kind of scene -> required accuracy
    "plain": 0.95,
    "lined": 0.95,
    "thin pen": 0.95,
    "thick pen": 0.95,
    "transparent": 0.95,
    "shadow": 0.9,
    "table": 0.9,
    "highlight": 0.9,
    "empty": 1,
    "two": 1,
}


def arc(row, column, height, width, start, stop):
    """Return points (x, y) of an ellipse between two angles in degrees."""
    angles = np.radians(np.linspace(start, stop, 50))
    return np.c_[column + width * np.cos(angles), row + height * np.sin(angles)]


STROKES = {  # list of strokes per digit, in a unit square
    0: [arc(0.5, 0.5, 0.5, 0.4, -100, 262)],
    1: [[[0.3, 0.2], [0.55, 0.0], [0.5, 1.0]]],
    2: [np.r_[arc(0.28, 0.46, 0.28, 0.33, 195, 385), [[0.15, 1.0], [0.9, 0.97]]]],
    3: [np.r_[arc(0.25, 0.42, 0.25, 0.3, 205, 440), arc(0.73, 0.42, 0.27, 0.36, 275, 515)]],
    4: [[[0.3, 0.0], [0.1, 0.6], [0.9, 0.55]], [[0.7, 0.05], [0.65, 1.0]]],
    5: [np.r_[[[0.3, 0.03], [0.26, 0.42]], arc(0.7, 0.45, 0.3, 0.36, 235, 500)], [[0.3, 0.03], [0.85, 0.0]]],
    6: [np.r_[[[0.72, 0.0], [0.32, 0.4]], arc(0.7, 0.48, 0.3, 0.3, 200, 565)]],
    7: [[[0.1, 0.05], [0.85, 0.03], [0.4, 1.0]]],
    8: [np.r_[arc(0.25, 0.5, 0.25, 0.26, 90, 450), arc(0.75, 0.5, 0.25, 0.32, -90, 270)]],
    9: [np.r_[arc(0.3, 0.45, 0.3, 0.32, 0, 360), [[0.77, 0.3], [0.66, 1.0]]]],
}


class Scenes:
    """Random scenes of all kinds, identified by kind and number.

    Parameters
    ----------
    seed : int
        Random seed.
    dataset : {"test", "train"}
        Subset of MNIST that half of the digits are taken from. The other half are drawn.
    """

    def __init__(self, seed, dataset="test"):
        self.seed = seed
        self.X, self.y = load_mnist(dataset, n_samples=1000, random_state=seed, return_X_y=True)

    def make(self, kind, number):
        """Return an image (uint8, grayscale or RGBA) and the expected digit or start of the error message."""
        rng = np.random.default_rng([self.seed, list(KINDS).index(kind), number])
        return getattr(self, "_" + kind.replace(" ", "_"))(rng)

    def digit(self, rng, height, pen=None):
        """Return the ink of a digit (0 to 1, `height` rows) and its label; `pen` is the stroke width in pixels."""
        number = int(rng.integers(len(self.X)))
        if rng.random() < 0.5:
            digit = int(self.y[number])
            return draw(digit, height, pen or height * rng.uniform(0.08, 0.14), rng), digit
        return enlarge(self.X[number], height, pen), int(self.y[number])

    def page(self, rng, size=None, paper=None):
        size = size or random_size(rng)
        paper = paper or rng.uniform(150, 240)
        slope = rng.uniform(-0.1, 0.1, 2)
        rows, columns = np.mgrid[-0.5 : 0.5 : size[0] * 1j, -0.5 : 0.5 : size[1] * 1j]
        return paper * (1 + slope[0] * rows + slope[1] * columns)

    def written(self, rng, page, pen=None, fraction=(0.3, 0.75)):
        """Return the page with a digit at a random position, its mask and the label."""
        height = int(min(page.shape) * rng.uniform(*fraction))
        ink, digit = self.digit(rng, height, pen)
        mask = place(ink, page.shape, rng)
        return page * (1 - mask * rng.uniform(0.6, 0.9)), mask, digit

    def _plain(self, rng):
        picture, _, digit = self.written(rng, self.page(rng))
        return photograph(picture, rng, chalk=rng.random() < 0.3), digit

    def _lined(self, rng):
        page = self.page(rng)
        picture, _, digit = self.written(rng, page * ruled(page.shape, rng))
        return photograph(picture, rng), digit

    def _thin_pen(self, rng):
        page = np.full((int(rng.integers(250, 1200)),) * 2, 255.0)
        picture, _, digit = self.written(rng, page, rng.uniform(1, 3), (0.5, 0.8))
        return photograph(picture, rng, noise=0, chalk=rng.random() < 0.3), digit

    def _thick_pen(self, rng):
        page = self.page(rng)
        height = int(min(page.shape) * rng.uniform(0.4, 0.75))
        digit = int(rng.integers(10))
        mask = place(draw(digit, height, height * rng.uniform(0.14, 0.22), rng), page.shape, rng)
        return photograph(page * (1 - 0.8 * mask), rng, chalk=rng.random() < 0.3), digit

    def _transparent(self, rng):
        size = (int(rng.integers(200, 800)),) * 2
        ink, digit = self.digit(rng, int(size[0] * rng.uniform(0.4, 0.8)), rng.choice([None, size[0] / 40]))
        color = rng.choice([[0, 0, 0], [255, 255, 255], rng.integers(0, 256, 3)])
        alpha = np.rint(255 * place(ink, size, rng)).astype(np.uint8)
        picture = np.dstack([np.full((*size, 3), color, np.uint8), alpha])
        if rng.random() < 0.5:  # many programs set transparent pixels to 0
            picture[alpha == 0] = 0
        return picture, digit

    def _shadow(self, rng):
        picture, _, digit = self.written(rng, self.page(rng))
        return photograph(picture * shadow(picture.shape, rng), rng), digit

    def _table(self, rng):
        picture, _, digit = self.written(
            rng, self.page(rng, (int(rng.integers(400, 900)), int(rng.integers(300, 700))))
        )
        return photograph(on_table(picture, rng), rng), digit

    def _highlight(self, rng):
        picture, mask, digit = self.written(rng, self.page(rng, paper=rng.uniform(100, 180)), fraction=(0.3, 0.6))
        return photograph(highlight(picture, mask, rng), rng), digit

    def _empty(self, rng):
        page, noise = self.page(rng), rng.uniform(2, 10)
        variant = rng.integers(9)
        if variant == 0:
            return np.full(random_size(rng), rng.choice([0, 255, rng.integers(256)]), np.uint8), NONE
        if variant == 1:
            noise = rng.uniform(5, 25)
        elif variant == 2:
            page *= ruled(page.shape, rng)
        elif variant == 3:
            page *= shadow(page.shape, rng)
        elif variant == 4:
            page = on_table(page, rng)
        elif variant == 5:
            page = on_table(page * ruled(page.shape, rng), rng)
        elif variant == 6:
            page = highlight(page * 0.7, np.zeros(page.shape), rng)
        elif variant == 7:
            canvas = np.full((*page.shape, 4), rng.choice([0, 255]), np.uint8)
            canvas[..., 3] = 0
            return canvas, NONE
        elif variant == 8:  # specks of dust
            for _ in range(5):
                cv2.circle(page, tuple(map(int, rng.integers(0, min(page.shape), 2))), 2, 60.0, -1)
        return photograph(page, rng, noise=noise), NONE

    def _two(self, rng):
        page = self.page(rng, (int(rng.integers(300, 900)), int(rng.integers(500, 1200))))
        height = min(int(page.shape[0] * rng.uniform(0.4, 0.75)), page.shape[1] // 3)
        heights = (height, int(height * rng.choice([1, rng.uniform(0.4, 1)])))
        inks = [self.digit(rng, digit_height, digit_height * 0.09)[0] for digit_height in heights]
        gap = int(height * rng.uniform(0.25, 0.6))
        both = np.zeros((height, sum(ink.shape[1] for ink in inks) + gap))
        both[:, : inks[0].shape[1]] = inks[0]
        above = int(rng.integers(0, height - heights[1] + 1))
        both[above : above + heights[1], inks[0].shape[1] + gap :] = inks[1]
        mask = place(both, page.shape, rng)
        return photograph(page * (1 - 0.8 * mask), rng, chalk=rng.random() < 0.3), TWO


def random_size(rng):
    return int(rng.integers(280, 1000)), int(rng.integers(280, 1000))


def draw(digit, height, pen, rng):
    """Return the ink of a drawn digit with random slant and aspect ratio."""
    width = height * rng.uniform(0.55, 0.75)
    slant = rng.uniform(-0.05, 0.2)
    strokes = []
    for stroke in STROKES[digit]:
        stroke = np.array(stroke) + rng.normal(0, 0.006, (len(stroke), 2)) * (len(stroke) < 10)
        x, y = stroke[:, 0] * width + slant * height * (1 - stroke[:, 1]), stroke[:, 1] * (height - pen) + pen / 2
        strokes.append(np.c_[x, y])
    left, right = (limit(np.concatenate(strokes)[:, 0]) for limit in (np.min, np.max))
    canvas = np.zeros((4 * height, int(np.ceil(4 * (right - left + pen)))), np.uint8)
    for stroke in strokes:
        points = np.rint((stroke - [left - pen / 2, 0]) * 4).astype(np.int32)
        cv2.polylines(canvas, [points], False, 255, max(1, round(4 * pen)))
    return shrink(canvas, height)


def enlarge(image, height, pen=None):
    """Return an MNIST image, cropped and resized to `height` rows; with `pen`, its skeleton with this stroke width."""
    left, top, width, rows = cv2.boundingRect((image > 60).astype(np.uint8))
    image = np.pad(image, 2)[top : top + rows + 4, left : left + width + 4]
    factor = height / rows
    size = max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor))
    large = np.clip(cv2.resize(image, size, interpolation=cv2.INTER_CUBIC) / 255, 0, 1)
    if pen is not None:
        skeleton = skeletonize(cv2.resize(large, None, fx=2, fy=2) > 0.5)
        distance = cv2.distanceTransform((~skeleton).astype(np.uint8), cv2.DIST_L2, 5)
        large = cv2.resize(np.clip(pen - distance + 0.5, 0, 1), size, interpolation=cv2.INTER_AREA)
    return shrink(large, height)


def shrink(ink, height):
    """Crop the margins and resize to `height` rows."""
    left, top, width, rows = cv2.boundingRect((ink > 0.2 * ink.max()).astype(np.uint8))
    ink = ink[top : top + rows, left : left + width]
    size = max(1, round(width * height / rows)), height
    return cv2.resize(ink, size, interpolation=cv2.INTER_AREA) / ink.max()


def place(ink, size, rng):
    """Return a mask with the ink at a random position, not at the border."""
    margin = [max(4, int(0.06 * side)) for side in size]
    factor = min(
        1, *((side - 2 * edge - 1) / length for side, edge, length in zip(size, margin, ink.shape, strict=True))
    )
    if factor < 1:
        ink = cv2.resize(ink, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    row, column = (
        int(rng.integers(edge, side - edge - length + 1))
        for side, edge, length in zip(size, margin, ink.shape, strict=True)
    )
    mask = np.zeros(size)
    mask[row : row + ink.shape[0], column : column + ink.shape[1]] = ink
    return mask


def ruled(size, rng):
    """Return the brightness factors of lined or squared paper."""
    lines = np.ones((2 * size[0], 2 * size[1]))
    spacing, thickness = (
        max(12, min(size) * rng.uniform(0.04, 0.15)),
        max(1, round(min(size) * rng.uniform(0.001, 0.005))),
    )
    left = rng.uniform(0.2, 0.85)
    for position in np.arange(rng.uniform(0, spacing), 2 * size[0], spacing):
        cv2.line(lines, (0, int(position)), (2 * size[1], int(position)), left, thickness)
    if rng.random() < 0.5:
        for position in np.arange(rng.uniform(0, spacing), 2 * size[1], spacing):
            cv2.line(lines, (int(position), 0), (int(position), 2 * size[0]), left, thickness)
    rotation = cv2.getRotationMatrix2D((size[1], size[0]), rng.uniform(-3, 3) * (rng.random() < 0.5), 1)
    rotation[:, 2] -= [size[1] / 2, size[0] / 2]
    return cv2.warpAffine(lines, rotation, size[::-1], borderValue=1)


def shadow(size, rng):
    """Return the brightness factors of a shadow with a straight or an elliptic edge."""
    light, dark = np.ones(size), rng.uniform(0.35, 0.75)
    if rng.random() < 0.6:
        angle, middle = rng.uniform(0, 2 * np.pi), np.array(size) * rng.uniform(0.25, 0.75, 2)
        rows, columns = np.mgrid[: size[0], : size[1]]
        light[np.cos(angle) * (rows - middle[0]) + np.sin(angle) * (columns - middle[1]) > 0] = dark
    else:
        center = rng.uniform(0, 1, 2) * size[::-1]
        axes = rng.uniform(0.3, 0.7, 2) * min(size)
        cv2.ellipse(light, tuple(map(int, center)), tuple(map(int, axes)), rng.uniform(0, 180), 0, 360, dark, -1)
    return cv2.GaussianBlur(light, (0, 0), min(size) * rng.choice([0.003, 0.01, 0.08]))


def on_table(page, rng):
    """Return a slightly rotated page on a darker table, with or without wood grain."""
    table = np.full([int(side * rng.uniform(1.15, 1.6)) for side in page.shape], rng.uniform(25, 90))
    if rng.random() < 0.5:
        grain = cv2.GaussianBlur(rng.normal(0, 1, table.shape), (0, 0), sigmaX=table.shape[1] / 10, sigmaY=3)
        table = table * (1 + 0.15 * grain / grain.std())
    angle = rng.uniform(-8, 8)
    rotation = cv2.getRotationMatrix2D((page.shape[1] / 2, page.shape[0] / 2), angle, 0.95)
    rotation[:, 2] += [(table.shape[1] - page.shape[1]) / 2, (table.shape[0] - page.shape[0]) / 2]
    return cv2.warpAffine(page, rotation, table.shape[::-1], dst=table, borderMode=cv2.BORDER_TRANSPARENT)


def highlight(picture, mask, rng):
    """Add a bright reflection where there is no ink."""
    distance = cv2.distanceTransform((mask < 0.1).astype(np.uint8), cv2.DIST_L2, 5)
    radius = min(picture.shape) * rng.uniform(0.03, 0.12)
    rows, columns = np.nonzero(distance > 1.5 * radius)
    if not len(rows):
        rows, columns = np.nonzero(distance == distance.max())
    position = int(rng.integers(len(rows)))
    spot = np.zeros(picture.shape)
    axes = int(radius), int(radius * rng.uniform(0.5, 1))
    cv2.ellipse(spot, (int(columns[position]), int(rows[position])), axes, rng.uniform(0, 180), 0, 360, 1.0, -1)
    spot = cv2.GaussianBlur(spot, (0, 0), rng.choice([1, 0.25 * radius]))
    return picture + (255 - picture) * spot


def photograph(picture, rng, noise=None, chalk=False):
    """Add noise and return a uint8 image; with `chalk`, light on dark."""
    noise = rng.uniform(0, 6) if noise is None else noise
    picture = np.clip(picture + noise * rng.normal(0, 1, picture.shape), 0, 255)
    return np.rint(255 - picture if chalk else picture).astype(np.uint8)
