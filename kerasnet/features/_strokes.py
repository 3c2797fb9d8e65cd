"""Strokes of a pen on a page, and which of them make up a digit."""

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.spatial import KDTree

_BACKGROUND = 0.3  # of the shorter side: wider than any stroke
_NEIGHBOURHOOD = 0.1  # of the shorter side: where strokes have similar contrast
_SMALLEST = 0.04  # of the longer side: the height of a digit
_SLOPES = np.arange(-12, 12.1, 1.5)  # degrees that the lines of a page may be tilted by


@dataclass
class Stroke:
    """A connected component that may be a digit or a piece of one."""

    top: int
    left: int
    pixels: np.ndarray  # bool, (height, width)
    thickness: float  # in pixels, at the thickest place
    contrast: float  # relative to the background
    depth: float  # how much darker than the background

    @property
    def extent(self):
        """The longer side of the box around it."""
        return max(self.pixels.shape)

    @property
    def elongation(self):
        """The length in units of the thickness: about 0.8 for a disc."""
        return self.pixels.sum() / self.thickness**2

    @property
    def strength(self):
        """How clearly it is a stroke."""
        return self.contrast * self.extent**0.5 * min(self.elongation, 6)

    def window(self, margin, shape):
        """Return the slices of its box with a margin, and its pixels in them."""
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
    image : ndarray of shape (height, width), float32 in [0, 1]
        Its longer side should have about 640 pixels.

    Returns
    -------
    digits : list of tuple (mask, strength)
        The mask of each digit (uint8, 0 or 1) and how clearly it consists of strokes.
    """
    size = _BACKGROUND * min(image.shape)
    background, contrast, ink = _ink(image, size)
    written = _remove_lines(ink, contrast, background)
    written = _remove_lines(written.T.copy(), contrast.T, background.T).T
    lines = ink & ~written
    mask = _separate(contrast * written)
    strokes = _strokes(image, background, contrast, mask)
    enough = 1.5 * max(strokes, key=lambda each: each.strength).thickness + 5 if strokes else size
    if enough < size:  # a smaller background follows the edges of shadows and pages more closely
        background, contrast, ink = _ink(image, enough)
        mask = _separate(contrast * (ink & written))
        strokes = _strokes(image, background, contrast, mask)
    strokes = [each for each in strokes if _stands_out(each, image, background, mask | lines)]
    smallest = (2.5 if lines.any() else 1) * _SMALLEST * max(image.shape)  # lines leave fragments
    digits = _digits(strokes, smallest, max(image.shape))
    return [(_mask(digit, image.shape), max(each.strength for each in digit)) for digit in digits]


def _ink(image, size):
    """Return the background (without what is narrower than `size`), the contrast to it, and what is above the noise."""
    smooth = cv2.medianBlur(image, 5)
    background = cv2.morphologyEx(smooth, cv2.MORPH_CLOSE, _square(size))
    contrast = np.clip((background - image) / (background + 0.1), 0, 1)
    noise = 1.4826 * np.median(np.abs(image - smooth))
    return background, contrast, (contrast > 0.1 + 6 * noise / (background + 0.1)).astype(np.uint8)


def _square(side):
    return np.ones((int(side) | 1,) * 2, np.uint8)


def _remove_lines(ink, contrast, background):
    """Remove the horizontal lines of lined paper: long, straight, from edge to edge of the page.

    Strokes that cross a line stay: they are darker or, from top to bottom, longer than the line is thick.
    """
    lines = _lines(ink, background)
    if not lines.any():
        return ink
    runs = np.count_nonzero(lines > np.pad(lines, ((1, 0), (0, 0)))[:-1])  # from top to bottom
    thickness = max(3, round(lines.sum() / runs))
    crossing = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((thickness + 3, 1), np.uint8))
    crossing[contrast > 1.3 * np.percentile(contrast[(lines & ink) > 0], 80)] = 1
    rest = ink & ~(cv2.dilate(lines, np.ones((3, 1), np.uint8)) & ~crossing)
    return cv2.morphologyEx(rest, cv2.MORPH_CLOSE, np.ones((thickness + 2, 1), np.uint8)) & ink


def _lines(ink, background):
    height, width = ink.shape
    length = round(0.3 * (width * max(ink.shape)) ** 0.5)
    thick = cv2.dilate(ink, np.ones((3, 1), np.uint8))
    found = np.zeros_like(ink)
    rising = cv2.dilate(ink, np.ones((length // 2, 1), np.uint8))  # more than the slopes do
    if not cv2.morphologyEx(rising, cv2.MORPH_OPEN, np.ones((1, length), np.uint8)).any():
        return found
    for angle in _SLOPES:
        turn, back = (cv2.getRotationMatrix2D((width / 2, height / 2), each, 1) for each in (angle, -angle))
        turned = cv2.warpAffine(thick, turn, (width, height), flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
        turned = cv2.morphologyEx(turned, cv2.MORPH_CLOSE, np.ones((1, 7), np.uint8))
        turned = cv2.morphologyEx(turned, cv2.MORPH_OPEN, np.ones((1, length), np.uint8))
        if turned.any():
            found |= cv2.warpAffine(turned, back, (width, height), flags=cv2.INTER_NEAREST)
    found = cv2.morphologyEx(found, cv2.MORPH_CLOSE, np.ones((1, length // 4), np.uint8))
    edges, whole = _page_edges(background), []
    number, labels, stats, _ = cv2.connectedComponentsWithStats(found)
    for label in range(1, number):
        left, top, across, down, _ = stats[label]
        box = slice(top, top + down), slice(left, left + across)
        ends = edges[box] & (labels[box] == label)
        if ends[:, : length // 4].any() and ends[:, -(length // 4) :].any():
            whole.append(label)
    return found if len(whole) >= 3 else np.isin(labels, whole).astype(np.uint8)


def _page_edges(background):
    """Return where the image ends, or where its background changes abruptly."""
    edges = (cv2.morphologyEx(background, cv2.MORPH_GRADIENT, _square(3)) > 0.15).astype(np.uint8)
    edges[[0, -1]] = 1
    edges[:, [0, -1]] = 1
    return cv2.dilate(edges, _square(15))


def _separate(contrast):
    """Return what has the contrast of the strokes near it and does not touch the image's edge."""

    def strong():
        return ((contrast > 0.45 * cv2.dilate(contrast, window)) & (contrast > 0)).astype(np.uint8)

    window = _square(_NEIGHBOURHOOD * min(contrast.shape))
    contrast = np.where(cv2.dilate(_touching_edge(strong()), _square(7)), 0, contrast)
    mask = cv2.morphologyEx(strong(), cv2.MORPH_CLOSE, _square(5)) & (contrast > 0)
    return mask & ~_touching_edge(mask)


def _touching_edge(mask):
    number, labels = cv2.connectedComponents(mask)
    touching = np.zeros(number, np.uint8)
    touching[np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])] = 1
    touching[0] = 0
    return touching[labels]


def _strokes(image, background, contrast, mask):
    """Return the components of a mask, but for specks."""
    number, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    thickness = 2 * cv2.distanceTransform(mask, cv2.DIST_L2, 5)
    strokes = []
    for label in range(1, number):
        left, top, width, height, area = stats[label]
        if max(width, height) < _SMALLEST / 2 * max(image.shape) or area < 12:
            continue
        box = slice(top, top + height), slice(left, left + width)
        pixels = labels[box] == label
        depth = np.median((background - image)[box][pixels])
        strokes.append(Stroke(top, left, pixels, thickness[box][pixels].max(), np.median(contrast[box][pixels]), depth))
    return strokes


def _stands_out(stroke, image, background, lines):
    """Return whether a component is darker than all that surrounds it, near and farther away.

    What a background that was taken too large cuts off (the corner of a shadow or of a page) lacks a step somewhere
    along its outline. What a stroke encloses (the inside of a zero) is as the page beyond the stroke.
    """
    (box, pixels) = stroke.window(stroke.extent // 4, image.shape)
    height, width = stroke.pixels.shape
    beyond = np.ones(pixels.shape, bool)
    beyond[stroke.top - box[0].start :, stroke.left - box[1].start :][:height, :width] = False
    if np.percentile(image[box][beyond], 65) - np.median(image[box][pixels > 0]) < 0.35 * stroke.depth:
        return False
    radius = max(3, round(min(stroke.thickness / 3, 0.05 * stroke.extent)))
    box, pixels = stroke.window(radius + 2, image.shape)
    kernel, inner = (
        cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * each + 1,) * 2) for each in (radius + 1, radius - 1)
    )
    ring = (cv2.dilate(pixels, kernel) > cv2.dilate(pixels, inner)) & (lines[box] == 0)
    darkest = cv2.erode(np.where(pixels, image[box], 1).astype(np.float32), kernel)
    depth = cv2.erode(np.where(pixels, (background - image)[box], 1).astype(np.float32), kernel)
    return ring.any() and ((image[box] - darkest)[ring] > 0.7 * depth[ring]).mean() > 0.85


def _digits(strokes, smallest, side):
    """Return lists of strokes, one for each digit."""
    strokes = [each for each in strokes if not _is_sheet(each, side)]
    clear = [each for each in strokes if each.elongation > 1.7 and each.extent > smallest]
    if not clear:
        return []
    best = max(clear, key=lambda each: each.strength)
    groups = []
    for stroke in sorted(strokes, key=lambda each: -each.extent):
        if (
            stroke.contrast < 0.4 * best.contrast
            or stroke.depth < 0.25 * best.depth
            or not 0.33 * best.thickness < stroke.thickness < 2 * best.thickness
            or stroke.extent < 0.07 * best.extent
        ):
            continue
        near = [group for group in groups if any(_belongs(stroke, other) for other in group)]
        groups = [group for group in groups if not any(group is other for other in near)]
        groups.append([stroke, *(other for group in near for other in group)])
    groups = [group for group in groups if any(each is other for each in group for other in clear)]
    sizes = [_size(group) for group in groups]
    upright = [(group, height) for group, (height, width) in zip(groups, sizes, strict=True) if width < 2.2 * height]
    tallest = max((height for _, height in upright), default=0)
    return [group for group, height in upright if height > 0.3 * tallest]


def _is_sheet(stroke, side):
    """Return whether a component is a large rectangle, whole or in part: a sheet on a table."""
    outlines, _ = cv2.findContours(stroke.pixels.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(outlines, key=len)
    short, long = sorted(cv2.minAreaRect(outline)[1])
    if short < 0.3 * long or long < 0.2 * side:
        return False
    hull = cv2.contourArea(cv2.convexHull(outline))
    whole = cv2.contourArea(outline) > 0.88 * short * long
    return whole or (long > 0.5 * side and hull > 0.9 * short * long and stroke.thickness > 0.25 * long)


def _size(group):
    bottom = max(each.top + each.pixels.shape[0] for each in group)
    right = max(each.left + each.pixels.shape[1] for each in group)
    return bottom - min(each.top for each in group), right - min(each.left for each in group)


def _belongs(small, large):
    """Return whether two strokes are of one digit: measured on MNIST's digits that consist of several."""
    size, gap = max(small.extent, large.extent), _gap(small, large)
    (height, width), (other_height, other_width) = small.pixels.shape, large.pixels.shape
    overlap = min(small.left + width, large.left + other_width) - max(small.left, large.left)
    if min(height, other_height) > 0.5 * size and overlap < 0.3 * min(width, other_width):
        return gap < 0.1 * size  # one next to the other, both tall
    if small.extent < 0.35 * size:
        return gap < 0.25 * size
    return gap + min(small.thickness, large.thickness) < 0.25 * size


def _gap(first, second):
    points = []
    for stroke in (first, second):
        pixels = np.pad(stroke.pixels, 1).astype(np.uint8)
        rows, columns = np.nonzero(pixels & ~cv2.erode(pixels, _square(3)))
        points.append(np.c_[rows + stroke.top, columns + stroke.left])
    return KDTree(points[0]).query(points[1])[0].min()


def _mask(strokes, shape):
    mask = np.zeros(shape, np.uint8)
    for stroke in strokes:
        box, pixels = stroke.window(0, shape)
        mask[box] |= pixels
    return mask
