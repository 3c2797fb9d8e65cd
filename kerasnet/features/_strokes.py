"""Detection of pen strokes, and their grouping into digits."""

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.spatial import KDTree

from kerasnet.errors import KerasNetError

_BACKGROUND_SIZE = 0.3  # fraction of the shorter side; larger than the thickness of any stroke
_CONTRAST_WINDOW = 0.1  # fraction of the shorter side; strokes have similar contrast within such a window
_MIN_HEIGHT = 0.04  # minimum height of a digit as a fraction of the longer side
_LINE_ANGLES = np.arange(-12, 12.1, 1.5)  # possible angles of the lines of a page in degrees


@dataclass
class Stroke:
    """Connected component that may be a digit or a part of one."""

    top: int
    left: int
    pixels: np.ndarray  # bool, shape (height, width)
    thickness: float  # maximum thickness in pixels
    contrast: float  # difference to the background, relative to the background
    depth: float  # difference to the background

    @property
    def extent(self):
        """Longer side of the bounding box."""
        return max(self.pixels.shape)

    @property
    def elongation(self):
        """Length relative to the thickness: about 0.8 for a disk."""
        return self.pixels.sum() / self.thickness**2

    @property
    def strength(self):
        """Score of how clearly the component is a stroke."""
        return self.contrast * self.extent**0.5 * min(self.elongation, 6)

    def window(self, margin, shape):
        """Return the slices of the bounding box with a margin, and the mask of the stroke within them."""
        height, width = self.pixels.shape
        top, left = max(0, self.top - margin), max(0, self.left - margin)
        bottom, right = min(shape[0], self.top + height + margin), min(shape[1], self.left + width + margin)
        pixels = np.zeros((bottom - top, right - left), np.uint8)
        pixels[self.top - top :, self.left - left :][:height, :width] = self.pixels
        return (slice(top, bottom), slice(left, right)), pixels


def find_digits(image):
    """Find digits that are darker than their background.

    Parameters
    ----------
    image : ndarray of shape (height, width), dtype float32
        Grayscale image with values in [0, 1]. The longer side should have about 640 pixels.

    Returns
    -------
    digits : list of tuple (mask, strength)
        Mask of each digit (uint8, 0 or 1) and the highest score of its strokes.
    """
    size = _BACKGROUND_SIZE * min(image.shape)
    smooth = cv2.medianBlur(image, 5)
    noise = 1.4826 * np.median(np.abs(image - smooth))
    background, contrast, ink = _detect_ink(image, smooth, noise, size)
    without_lines = _remove_lines(ink, contrast, background)
    without_lines = _remove_lines(without_lines.T.copy(), contrast.T, background.T).T
    lines = ink & ~without_lines
    mask = _stroke_mask(contrast * without_lines)
    strokes = _find_strokes(image, background, contrast, mask)
    smaller_size = 1.5 * max(strokes, key=lambda stroke: stroke.strength).thickness + 5 if strokes else size
    if smaller_size < size:  # a smaller kernel follows the edges of shadows and pages more closely
        background, contrast, ink = _detect_ink(image, smooth, noise, smaller_size)
        mask = _stroke_mask(contrast * (ink & without_lines))
        strokes = _find_strokes(image, background, contrast, mask)
    strokes = [stroke for stroke in strokes if _is_darker_than_surroundings(stroke, image, background, mask | lines)]
    min_extent = (2.5 if lines.any() else 1) * _MIN_HEIGHT * max(image.shape)  # removed lines leave fragments
    return _as_digits(strokes, min_extent, image.shape)


def find_drawn_digits(image):
    """Find digits that are darker than a background of a single color.

    Parameters
    ----------
    image : ndarray of shape (height, width), dtype float32
        Grayscale image with values in [0, 1]. Most pixels at its edge are background.

    Returns
    -------
    digits : list of tuple (mask, strength)
        See :func:`find_digits`.
    """
    edge = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    background = np.full_like(image, np.median(edge))
    if np.mean(np.abs(edge - background[0, 0]) > 0.1) > 0.2:
        raise KerasNetError('expected a background of a single color. For photographs, use background="paper".')
    contrast = np.clip((background - image) / (background + 0.1), 0, 1)
    mask = (contrast > max(0.1, 0.45 * contrast.max())).astype(np.uint8)
    if not mask.any():
        return []
    strokes = _find_strokes(image, background, contrast, mask & ~_touching_edge(mask))
    return _as_digits(strokes, _MIN_HEIGHT * max(image.shape), image.shape)


def _as_digits(strokes, min_extent, shape):
    digits = _group_strokes(strokes, min_extent, max(shape))
    return [(_draw_mask(digit, shape), max(stroke.strength for stroke in digit)) for digit in digits]


def _detect_ink(image, smooth, noise, size):
    """Return the background, the relative contrast to it, and a mask of the contrast above the noise.

    The background does not contain structures narrower than `size`.
    """
    background = cv2.morphologyEx(smooth, cv2.MORPH_CLOSE, _square(size))
    contrast = np.clip((background - image) / (background + 0.1), 0, 1)
    return background, contrast, (contrast > 0.1 + 6 * noise / (background + 0.1)).astype(np.uint8)


def _square(side):
    return np.ones((int(side) | 1,) * 2, np.uint8)


def _remove_lines(ink, contrast, background):
    """Remove the horizontal lines of lined paper: long straight lines from edge to edge of the page.

    Strokes that cross a line are kept: they are darker than the line, or vertically longer than its thickness.
    """
    lines = _find_lines(ink, background)
    if not lines.any():
        return ink
    n_runs = np.count_nonzero(lines > np.pad(lines, ((1, 0), (0, 0)))[:-1])  # vertical runs of line pixels
    thickness = max(3, round(lines.sum() / n_runs))
    crossing = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((thickness + 3, 1), np.uint8))
    crossing[contrast > 1.3 * np.percentile(contrast[(lines & ink) > 0], 80)] = 1
    rest = ink & ~(cv2.dilate(lines, np.ones((3, 1), np.uint8)) & ~crossing)
    return cv2.morphologyEx(rest, cv2.MORPH_CLOSE, np.ones((thickness + 2, 1), np.uint8)) & ink


def _find_lines(ink, background):
    """Return a mask of the horizontal lines of lined paper."""
    height, width = ink.shape
    length = round(0.3 * (width * max(ink.shape)) ** 0.5)
    thick = cv2.dilate(ink, np.ones((3, 1), np.uint8))
    found = np.zeros_like(ink)
    edges = _page_edges(background)
    reach = cv2.dilate(ink, np.ones((15, 15 + length // 4), np.uint8))  # rounding and closing extend ink by less
    if not (edges & reach).any():  # no line ends at an edge of the page
        return found
    dilated = cv2.dilate(ink, np.ones((length // 2, 1), np.uint8))  # covers lines of all angles
    if not cv2.morphologyEx(dilated, cv2.MORPH_OPEN, np.ones((1, length), np.uint8)).any():
        return found
    size = (width, height)
    for angle in _LINE_ANGLES:
        rotation, inverse = (cv2.getRotationMatrix2D((width / 2, height / 2), sign * angle, 1) for sign in (1, -1))
        rotated = cv2.warpAffine(thick, rotation, size, flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
        rotated = cv2.morphologyEx(rotated, cv2.MORPH_CLOSE, np.ones((1, 7), np.uint8))
        rotated = cv2.morphologyEx(rotated, cv2.MORPH_OPEN, np.ones((1, length), np.uint8))
        if rotated.any():
            found |= cv2.warpAffine(rotated, inverse, size, flags=cv2.INTER_NEAREST)
    found = cv2.morphologyEx(found, cv2.MORPH_CLOSE, np.ones((1, length // 4), np.uint8))
    complete = []
    n_labels, labels, stats, _ = cv2.connectedComponentsWithStats(found)
    for label in range(1, n_labels):
        left, top, line_width, line_height, _ = stats[label]
        box = slice(top, top + line_height), slice(left, left + line_width)
        ends = edges[box] & (labels[box] == label)
        if ends[:, : length // 4].any() and ends[:, -(length // 4) :].any():
            complete.append(label)
    return found if len(complete) >= 3 else np.isin(labels, complete).astype(np.uint8)


def _page_edges(background):
    """Return a mask of the edges of the image and of abrupt changes of the background."""
    edges = (cv2.morphologyEx(background, cv2.MORPH_GRADIENT, _square(3)) > 0.15).astype(np.uint8)
    edges[[0, -1]] = 1
    edges[:, [0, -1]] = 1
    return cv2.dilate(edges, _square(15))


def _stroke_mask(contrast):
    """Return a mask of pixels with a contrast similar to nearby strokes, without components at the image edge."""

    def has_high_contrast():
        return ((contrast > 0.45 * cv2.dilate(contrast, window)) & (contrast > 0)).astype(np.uint8)

    window = _square(_CONTRAST_WINDOW * min(contrast.shape))
    mask = has_high_contrast()
    at_edge = _touching_edge(mask)
    if at_edge.any():
        contrast = np.where(cv2.dilate(at_edge, _square(7)), 0, contrast)
        mask = has_high_contrast()
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, _square(5)) & (contrast > 0)
    return mask & ~_touching_edge(mask)


def _touching_edge(mask):
    """Return a mask of the connected components that touch the edge of the image."""
    n_labels, labels = cv2.connectedComponents(mask)
    touching = np.zeros(n_labels, np.uint8)
    touching[np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])] = 1
    touching[0] = 0
    return touching[labels]


def _find_strokes(image, background, contrast, mask):
    """Return the connected components of a mask, without very small ones."""
    n_labels, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    thickness = 2 * cv2.distanceTransform(mask, cv2.DIST_L2, 5)
    strokes = []
    for label in range(1, n_labels):
        left, top, width, height, area = stats[label]
        if max(width, height) < _MIN_HEIGHT / 2 * max(image.shape) or area < 12:
            continue
        box = slice(top, top + height), slice(left, left + width)
        pixels = labels[box] == label
        depth = np.median((background - image)[box][pixels])
        strokes.append(Stroke(top, left, pixels, thickness[box][pixels].max(), np.median(contrast[box][pixels]), depth))
    return strokes


def _is_darker_than_surroundings(stroke, image, background, lines):
    """Return whether a component is darker than its surroundings, both nearby and farther away.

    This rejects two kinds of components. A corner of a shadow or page, cut off by a large background kernel, has no
    contrast along a part of its outline. A region enclosed by a stroke, such as the inside of a zero, is not darker
    than the page outside of the stroke.
    """
    (box, pixels) = stroke.window(stroke.extent // 4, image.shape)
    height, width = stroke.pixels.shape
    outside = np.ones(pixels.shape, bool)
    outside[stroke.top - box[0].start :, stroke.left - box[1].start :][:height, :width] = False
    if np.percentile(image[box][outside], 65) - np.median(image[box][pixels > 0]) < 0.35 * stroke.depth:
        return False
    radius = max(3, round(min(stroke.thickness / 3, 0.05 * stroke.extent)))
    box, pixels = stroke.window(radius + 2, image.shape)
    kernel, inner_kernel = (
        cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * size + 1,) * 2) for size in (radius + 1, radius - 1)
    )
    ring = (cv2.dilate(pixels, kernel) > cv2.dilate(pixels, inner_kernel)) & (lines[box] == 0)
    darkest = cv2.erode(np.where(pixels, image[box], 1).astype(np.float32), kernel)
    depth = cv2.erode(np.where(pixels, (background - image)[box], 1).astype(np.float32), kernel)
    return ring.any() and ((image[box] - darkest)[ring] > 0.7 * depth[ring]).mean() > 0.85


def _group_strokes(strokes, min_extent, image_size):
    """Return a list of strokes for each digit."""
    strokes = [stroke for stroke in strokes if not _is_sheet(stroke, image_size)]
    clear = [stroke for stroke in strokes if stroke.elongation > 1.7 and stroke.extent > min_extent]
    if not clear:
        return []
    best = max(clear, key=lambda stroke: stroke.strength)
    groups = []
    for stroke in sorted(strokes, key=lambda stroke: -stroke.extent):
        if (
            stroke.contrast < 0.4 * best.contrast
            or stroke.depth < 0.25 * best.depth
            or not 0.33 * best.thickness < stroke.thickness < 2 * best.thickness
            or stroke.extent < 0.07 * best.extent
        ):
            continue
        near = [group for group in groups if any(_is_same_digit(stroke, other) for other in group)]
        groups = [group for group in groups if not any(group is other for other in near)]
        groups.append([stroke, *(other for group in near for other in group)])
    groups = [group for group in groups if any(stroke is other for stroke in group for other in clear)]
    sizes = [_size(group) for group in groups]
    upright = [(group, height) for group, (height, width) in zip(groups, sizes, strict=True) if width < 2.2 * height]
    tallest = max((height for _, height in upright), default=0)
    return [group for group, height in upright if height > 0.3 * tallest]


def _is_sheet(stroke, image_size):
    """Return whether a component is a large rectangle or a part of one, such as a sheet of paper on a table."""
    outlines, _ = cv2.findContours(stroke.pixels.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(outlines, key=len)
    short, long = sorted(cv2.minAreaRect(outline)[1])
    if short < 0.3 * long or long < 0.2 * image_size:
        return False
    hull = cv2.contourArea(cv2.convexHull(outline))
    is_complete = cv2.contourArea(outline) > 0.88 * short * long
    return is_complete or (long > 0.5 * image_size and hull > 0.9 * short * long and stroke.thickness > 0.25 * long)


def _size(group):
    """Return the height and width of the bounding box of strokes."""
    bottom = max(stroke.top + stroke.pixels.shape[0] for stroke in group)
    right = max(stroke.left + stroke.pixels.shape[1] for stroke in group)
    return bottom - min(stroke.top for stroke in group), right - min(stroke.left for stroke in group)


def _is_same_digit(small, large):
    """Return whether two strokes belong to one digit. The thresholds were measured on MNIST."""
    size, gap = max(small.extent, large.extent), _distance(small, large)
    (height, width), (other_height, other_width) = small.pixels.shape, large.pixels.shape
    overlap = min(small.left + width, large.left + other_width) - max(small.left, large.left)
    if min(height, other_height) > 0.5 * size and overlap < 0.3 * min(width, other_width):
        return gap < 0.1 * size  # two tall strokes side by side
    if small.extent < 0.35 * size:
        return gap < 0.25 * size
    return gap + min(small.thickness, large.thickness) < 0.25 * size


def _distance(first, second):
    """Return the smallest distance between the outlines of two strokes in pixels."""
    points = []
    for stroke in (first, second):
        pixels = np.pad(stroke.pixels, 1).astype(np.uint8)
        rows, columns = np.nonzero(pixels & ~cv2.erode(pixels, _square(3)))
        points.append(np.c_[rows + stroke.top, columns + stroke.left])
    return KDTree(points[0]).query(points[1])[0].min()


def _draw_mask(strokes, shape):
    mask = np.zeros(shape, np.uint8)
    for stroke in strokes:
        box, pixels = stroke.window(0, shape)
        mask[box] |= pixels
    return mask
