"""Photographs, drawings and arrays of any size, brought into one array."""

import os
import warnings
from collections.abc import Mapping
from numbers import Integral, Real

import cv2
import numpy as np
from joblib import Parallel, delayed
from PIL import Image
from rich.progress import track
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_scalar

from kerasnet._documentation import DocumentedEstimator
from kerasnet._image_files import decode_image, image_pixels, read_image_file
from kerasnet.errors import ImageDecodeError
from kerasnet.features._images import pair

_INTERPOLATIONS = {
    "nearest": cv2.INTER_NEAREST,
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
    "lanczos4": cv2.INTER_LANCZOS4,
    "area": cv2.INTER_AREA,
}


def prepare_images(
    images,
    image_size=(28, 28),
    *,
    color_mode="grayscale",
    interpolation="area",
    pad_to_aspect_ratio=True,
    fill_value=0,
    deskew=False,
    dtype="float32",
    on_error="raise",
    return_skipped=False,
    max_pixels=64_000_000,
    n_jobs=None,
    verbose=0,
):
    """Bring images of any kind and size into one array.

    Files are turned as their EXIF orientation says, colours are in the order red, green, blue, what is transparent
    lies on white, 16 bits a channel are scaled to 8 or to [0, 1], and of an animation the first picture is taken.
    EXIF data that cannot be parsed is ignored. Pillow images are prepared as their file would be.

    Parameters
    ----------
    images : iterable of str, path-like, bytes, PIL.Image.Image or ndarray
        Paths of files or their contents (BMP, GIF, JPEG, PNG, PPM, TIFF, WebP, told by their content), Pillow images
        of any mode but "I" and "F", or arrays of shape (height, width) or (height, width, 1, 3 or 4 channels): bool,
        uint8, uint16, other integers from 0 to 255, or floats in [0, 1]. A column of a data frame is such an
        iterable; a whole data frame is an error.
    image_size : tuple (height, width) of int, default=(28, 28)
        The size of all images in the result.
    color_mode : {"grayscale", "rgb"}, default="grayscale"
        Grey is 0.299 red + 0.587 green + 0.114 blue.
    interpolation : {"area", "nearest", "bilinear", "bicubic", "lanczos4"}, default="area"
        How images are resized, by OpenCV's methods; "area" averages the pixels that become one.
    pad_to_aspect_ratio : bool, default=True
        Keep the aspect ratio and pad evenly with `fill_value`; when False, stretch.
    fill_value : float in [0, 1], default=0
        What is padded: 0 is black, 1 white.
    deskew : bool, default=False
        Shear what is bright until it stands upright: its horizontal and vertical moments become independent.
    dtype : {"float32", "uint8"}, default="float32"
        Floats in [0, 1], or bytes.
    on_error : {"raise", "skip"}, default="raise"
        Whether an image that cannot be read is an error, or is left out with a warning.
    return_skipped : bool, default=False
        Return which images were left out as well.
    max_pixels : int, default=64_000_000
        The largest number of pixels of a file or Pillow image that is decoded. Files above 256 MiB are not read.
    n_jobs : int, default=None
        The number of threads; None is 1 outside a :obj:`joblib.parallel_config` context, -1 all processors.
    verbose : int, default=0
        Above 0, show a progress bar.

    Returns
    -------
    images : ndarray of shape (n_images, height, width) or, for "rgb", (n_images, height, width, 3)
        In the order given.
    skipped : list of tuple (int, str), if `return_skipped`
        The position of each image that was left out, and the reason.

    Raises
    ------
    ImageDecodeError
        If a file is missing, truncated, no image or too large, and errors are not skipped. It names the file.
    ValueError
        If a parameter or an array is not as described.

    Examples
    --------
    >>> import numpy as np
    >>> from kerasnet.features import prepare_images
    >>> photograph = np.full((300, 400, 3), 255, dtype=np.uint8)
    >>> prepare_images([photograph], (28, 28)).shape
    (1, 28, 28)
    """
    check_several(images)
    if on_error not in ("raise", "skip"):
        raise ValueError(f"on_error must be 'raise' or 'skip'. Received: {on_error!r}.")
    image_size = pair(image_size, "image_size")
    check_options(color_mode, interpolation, fill_value, dtype, max_pixels)
    options = (image_size, color_mode, interpolation, pad_to_aspect_ratio, fill_value, deskew, dtype, max_pixels)

    def prepare(number, source):
        try:
            return prepare_image(source, *options)
        except ImageDecodeError as error:
            return ImageDecodeError(f"images[{number}]{_name(source)}: {error}")
        except (TypeError, ValueError) as error:
            return ValueError(f"images[{number}]{_name(source)}: {error}")

    tasks = (delayed(prepare)(number, source) for number, source in enumerate(images))
    prepared, skipped = [], []
    results = Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")(tasks)
    total = len(images) if hasattr(images, "__len__") else None
    for number, result in enumerate(track(results, "Preparing images", total, disable=not verbose)):
        if not isinstance(result, Exception):
            prepared.append(result)
        elif on_error == "raise":
            raise result
        else:
            skipped.append((number, str(result)))
    if skipped:
        listed = "\n".join(reason for _, reason in skipped[:10]) + ("\n..." if len(skipped) > 10 else "")
        warnings.warn(f"{len(skipped)} of {number + 1} images were skipped:\n{listed}", stacklevel=2)
    shape = (len(prepared), *image_size, *((3,) if color_mode == "rgb" else ()))
    array = np.array(prepared, dtype=dtype).reshape(shape)
    return (array, skipped) if return_skipped else array


class ImagePreprocessor(ClassNamePrefixFeaturesOutMixin, TransformerMixin, DocumentedEstimator):
    """Bring images of any kind and size into one array, as a step of a pipeline.

    The transformer learns nothing: it may transform without being fitted. It cannot skip images that are broken, for
    the labels would no longer belong to them; :func:`prepare_images` can.

    Parameters
    ----------
    image_size, color_mode, interpolation, pad_to_aspect_ratio, fill_value, deskew, dtype, max_pixels, n_jobs, verbose
        As for :func:`kerasnet.features.prepare_images`.
    flatten : bool, default=False
        Return rows of pixels rather than images: what estimators of vectors and `FeatureUnion` take.

    See Also
    --------
    kerasnet.features.prepare_images : The function.

    Examples
    --------
    >>> from kerasnet.datasets import load_mnist
    >>> from kerasnet.features import ImagePreprocessor
    >>> X = load_mnist("test").data[:10]
    >>> ImagePreprocessor((14, 14), deskew=True, flatten=True).fit_transform(X).shape
    (10, 196)
    """

    def __init__(
        self,
        image_size=(28, 28),
        *,
        color_mode="grayscale",
        interpolation="area",
        pad_to_aspect_ratio=True,
        fill_value=0,
        deskew=False,
        dtype="float32",
        flatten=False,
        max_pixels=64_000_000,
        n_jobs=None,
        verbose=0,
    ):
        self.image_size = image_size
        self.color_mode = color_mode
        self.interpolation = interpolation
        self.pad_to_aspect_ratio = pad_to_aspect_ratio
        self.fill_value = fill_value
        self.deskew = deskew
        self.dtype = dtype
        self.flatten = flatten
        self.max_pixels = max_pixels
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, X, y=None):
        """Look at the parameters; nothing is learned and no file is opened.

        Parameters
        ----------
        X : iterable of str, path-like, bytes, PIL.Image.Image or ndarray
            Images.
        y : None
            Ignored.

        Returns
        -------
        ImagePreprocessor
            This transformer.

        Raises
        ------
        ValueError
            If a parameter is not as described.
        """
        height, width = pair(self.image_size, "image_size")
        check_options(self.color_mode, self.interpolation, self.fill_value, self.dtype, self.max_pixels)
        self._n_features_out = height * width * (3 if self.color_mode == "rgb" else 1)
        return self

    def transform(self, X):
        """Prepare images.

        Parameters
        ----------
        X : iterable of str, path-like, bytes, PIL.Image.Image or ndarray
            Images.

        Returns
        -------
        images : ndarray of shape (n_samples, height, width[, 3]) or, with `flatten`, (n_samples, n_pixels)
            As :func:`kerasnet.features.prepare_images` gives them.

        Raises
        ------
        ImageDecodeError
            If a file is missing, truncated, no image or too large.
        ValueError
            If a parameter or an array is not as described.
        """
        options = self.get_params(deep=False)
        flatten = options.pop("flatten")
        images = prepare_images(X, **options)
        return images.reshape(len(images), -1) if flatten else images

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = []
        return tags


def prepare_image(
    source, image_size, color_mode, interpolation, pad_to_aspect_ratio, fill_value, deskew, dtype, max_pixels
):
    """Return one image as an array; see :func:`prepare_images`."""
    image = _in_color_mode(_read(source, max_pixels), color_mode)
    image = _resize(image, image_size, interpolation, pad_to_aspect_ratio, fill_value)
    return _as_dtype(_deskew(image, fill_value) if deskew else image, dtype)


def check_several(images):
    """Refuse a single image, and tables, which iterate over their columns' names."""
    kind = type(images)
    if isinstance(images, (str, bytes, os.PathLike, Image.Image)):
        raise ValueError(f"Expected several images, in a list. Received: one {kind.__name__}.")
    if hasattr(kind, "columns") or isinstance(images, Mapping):  # pandas, polars, pyarrow, ...; dict, Bunch
        raise ValueError(
            f"Expected a sequence of images or of their paths. Received: {kind.__module__}.{kind.__qualname__}. Give "
            'the column that holds the paths, such as images["path"].'
        )


def check_options(color_mode, interpolation, fill_value, dtype, max_pixels):
    """Raise an error if an option of :func:`prepare_images` is not as described."""
    for name, value, allowed in (
        ("color_mode", color_mode, ("grayscale", "rgb")),
        ("interpolation", interpolation, tuple(_INTERPOLATIONS)),
        ("dtype", dtype, ("float32", "uint8")),
    ):
        if value not in allowed:
            raise ValueError(f"{name} must be one of {allowed}. Received: {value!r}.")
    check_scalar(fill_value, "fill_value", Real, min_val=0, max_val=1)
    check_scalar(max_pixels, "max_pixels", Integral, min_val=1)


def _name(source):
    return f", {os.fspath(source)!r}" if isinstance(source, (str, os.PathLike)) else ""


def _read(source, max_pixels):
    """Return an image as (height, width, 1, 3 or 4), uint8 or float32 in [0, 1]."""
    if isinstance(source, (str, os.PathLike)):
        source = read_image_file(source, max_pixels)
    elif isinstance(source, (bytes, bytearray, memoryview)):
        source = decode_image(source, max_pixels)
    elif isinstance(source, Image.Image):
        source = image_pixels(source, max_pixels)
    return _check_array(np.asarray(source))


def _check_array(image):
    if image.ndim == 2:
        image = image[..., np.newaxis]
    if image.ndim != 3 or image.shape[-1] not in (1, 3, 4) or 0 in image.shape:
        raise ValueError(
            "expected a path, the bytes of a file, or an array of shape (height, width) or (height, width, 1, 3 or 4), "
            f"or a Pillow image. Received: an array of shape {image.shape} and dtype {image.dtype}."
        )
    if image.dtype == np.uint8:
        return image
    if image.dtype == bool:
        return image.astype(np.uint8) * 255
    if image.dtype == np.uint16:
        return (image / 65535).astype(np.float32)
    highest = 255 if image.dtype.kind in "iu" else 1
    if image.dtype.kind not in "iuf" or not (image.min() >= 0 and image.max() <= highest):
        raise ValueError(
            "expected bool, uint8, uint16, other integers from 0 to 255, or floats in [0, 1]. "
            f"Received: {image.dtype}"
            + (f" from {image.min()} to {image.max()}." if image.dtype.kind in "iuf" else ".")
        )
    return image.astype(np.uint8 if highest == 255 else np.float32)


def _in_color_mode(image, color_mode):
    """Return (height, width) or (height, width, 3); what is transparent lies on white."""
    if image.shape[-1] == 4:
        white = 255 if image.dtype == np.uint8 else 1
        opacity = image[..., 3:].astype(np.float32) / white
        blended = image[..., :3] * opacity + white * (1 - opacity)
        image = (np.rint(blended) if white == 255 else blended).astype(image.dtype)
    image = np.ascontiguousarray(image)
    if color_mode == "grayscale":
        return image[..., 0] if image.shape[-1] == 1 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return cv2.cvtColor(image, cv2.COLOR_GRAY2RGB) if image.shape[-1] == 1 else image


def _resize(image, size, interpolation, pad, fill_value):
    if image.shape[:2] == size:
        return image
    height, width = size
    if pad:
        factor = min(height / image.shape[0], width / image.shape[1])
        height, width = (max(1, round(side * factor)) for side in image.shape[:2])
    image = cv2.resize(image, (width, height), interpolation=_INTERPOLATIONS[interpolation])
    above, left = (size[0] - height) // 2, (size[1] - width) // 2
    margins = (above, size[0] - height - above, left, size[1] - width - left)
    return cv2.copyMakeBorder(image, *margins, cv2.BORDER_CONSTANT, value=_fill(image, fill_value))


def _deskew(image, fill_value):
    """Shear an image along its rows, about its center, by the slope that its moments tell."""
    grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    moments = cv2.moments(grey)
    if moments["mu02"] < 1e-2:
        return image
    skew = moments["mu11"] / moments["mu02"]
    center = moments["m01"] / moments["m00"]
    backwards = np.float32([[1, skew, -skew * center], [0, 1, 0]])
    options = {"borderMode": cv2.BORDER_CONSTANT, "borderValue": _fill(image, fill_value)}
    return cv2.warpAffine(
        image, backwards, image.shape[1::-1], flags=cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR, **options
    )


def _fill(image, fill_value):
    return [fill_value * (255 if image.dtype == np.uint8 else 1)] * 3


def _as_dtype(image, dtype):
    if image.dtype == dtype:
        return image if dtype == "uint8" else np.clip(image, 0, 1)
    if dtype == "uint8":
        return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
    return image.astype(np.float32) / np.float32(255)
