"""Preprocessing of images of different formats and sizes."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping, Sized
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Self, TypeAlias

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
from kerasnet.features._images import check_pair

if TYPE_CHECKING:
    import numpy.typing as npt

    ImageSource: TypeAlias = str | os.PathLike[str] | bytes | Image.Image | npt.ArrayLike


_INTERPOLATIONS = {
    "nearest": cv2.INTER_NEAREST,
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
    "lanczos4": cv2.INTER_LANCZOS4,
    "area": cv2.INTER_AREA,
}


def prepare_images(
    images: Iterable[ImageSource],
    image_size: tuple[int, int] = (28, 28),
    *,
    color_mode: str = "grayscale",
    interpolation: str = "area",
    pad_to_aspect_ratio: bool = True,
    fill_value: float = 0,
    deskew: bool = False,
    dtype: str = "float32",
    on_error: str = "raise",
    return_skipped: bool = False,
    max_pixels: int = 64_000_000,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> npt.NDArray[Any] | tuple[npt.NDArray[Any], list[tuple[int, str]]]:
    """Convert images of different formats and sizes to one array.

    Images are rotated according to their EXIF orientation. EXIF data that cannot be parsed is ignored. Channels are in
    RGB order, transparent images are blended with a white background, 16-bit channels are scaled to 8 bits or to
    [0, 1], and only the first frame of an animation is used. Pillow images give the same result as their files.

    Parameters
    ----------
    images : iterable of str, path-like, bytes, PIL.Image.Image or array-like
        Images, such as a list or a column of a data frame. A data frame is rejected. Each image is one of:

        - the path or the content of a file: BMP, GIF, JPEG, PNG, PPM, TIFF or WebP, recognized by its content;
        - a Pillow image of any mode except "I" and "F";
        - an array of shape (height, width) or (height, width, channels) with 1, 3 or 4 channels: bool, uint8, uint16,
          other integers in [0, 255], or floats in [0, 1].
    image_size : tuple of int (height, width), default=(28, 28)
        Size of the output images.
    color_mode : {"grayscale", "rgb"}, default="grayscale"
        Color mode of the output images. RGB is converted to grayscale as 0.299 R + 0.587 G + 0.114 B.
    interpolation : {"area", "nearest", "bilinear", "bicubic", "lanczos4"}, default="area"
        Interpolation method of OpenCV for resizing. "area" averages pixels when an image is shrunk.
    pad_to_aspect_ratio : bool, default=True
        If True, keep the aspect ratio and pad with `fill_value` on both sides. If False, stretch the image.
    fill_value : float in [0, 1], default=0
        Value of the padding: 0 is black, 1 is white.
    deskew : bool, default=False
        If True, shear each image along its rows so that its bright content becomes upright: the second-order mixed
        moment becomes 0.
    dtype : {"float32", "uint8"}, default="float32"
        Data type of the output: floats in [0, 1], or uint8 in [0, 255].
    on_error : {"raise", "skip"}, default="raise"
        If "raise", an image that cannot be read raises an error. If "skip", it is skipped with a warning.
    return_skipped : bool, default=False
        Whether to return the skipped images as well.
    max_pixels : int, default=64_000_000
        Maximum number of pixels of a file or Pillow image. Larger images and files of more than 256 MiB are not
        decoded.
    n_jobs : int, default=None
        Number of threads. None means 1 unless in a :obj:`joblib.parallel_config` context. -1 means using all
        processors.
    verbose : int, default=0
        If positive, show a progress bar.

    Returns
    -------
    images : ndarray of shape (n_images, height, width) or (n_images, height, width, 3)
        Images in the order of the input. There is a channel axis for ``color_mode="rgb"`` only.
    skipped : list of tuple (int, str)
        Index of each skipped image and the reason. Returned only if `return_skipped` is True.

    Raises
    ------
    ImageDecodeError
        If a file is missing, truncated, not an image or too large, and `on_error` is "raise". The message contains
        the path.
    ValueError
        If a parameter or an array is invalid.

    Examples
    --------
    >>> import numpy as np
    >>> from kerasnet.features import prepare_images
    >>> photograph = np.full((300, 400, 3), 255, dtype=np.uint8)
    >>> prepare_images([photograph], (28, 28)).shape
    (1, 28, 28)
    """
    check_image_sequence(images)
    if on_error not in ("raise", "skip"):
        raise ValueError(f"on_error must be 'raise' or 'skip'. Received: {on_error!r}.")
    image_size = check_pair(image_size, "image_size")
    check_options(color_mode, interpolation, fill_value, dtype, max_pixels)
    options = (image_size, color_mode, interpolation, pad_to_aspect_ratio, fill_value, deskew, dtype, max_pixels)

    def prepare(index, source):
        try:
            return prepare_image(source, *options)
        except ImageDecodeError as error:
            return ImageDecodeError(f"images[{index}]{format_path(source)}: {error}")
        except (TypeError, ValueError) as error:
            return ValueError(f"images[{index}]{format_path(source)}: {error}")

    tasks = (delayed(prepare)(index, source) for index, source in enumerate(images))
    prepared, skipped = [], []
    results = Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")(tasks)
    total = len(images) if isinstance(images, Sized) else None
    for index, result in enumerate(track(results, "Preparing images", total, disable=not verbose)):
        if not isinstance(result, Exception):
            prepared.append(result)
        elif on_error == "raise":
            raise result
        else:
            skipped.append((index, str(result)))
    if skipped:
        reasons = "\n".join(reason for _, reason in skipped[:10]) + ("\n..." if len(skipped) > 10 else "")
        warnings.warn(f"{len(skipped)} of {index + 1} images were skipped:\n{reasons}", stacklevel=2)
    shape = (len(prepared), *image_size, *((3,) if color_mode == "rgb" else ()))
    array = np.array(prepared, dtype=dtype).reshape(shape)
    return (array, skipped) if return_skipped else array


class ImagePreprocessor(ClassNamePrefixFeaturesOutMixin, TransformerMixin, DocumentedEstimator):
    """Convert images of different formats and sizes to one array, as a pipeline step.

    This transformer is stateless: `transform` can be called without `fit`. It cannot skip images that cannot be read,
    because X and y would no longer match. Use :func:`prepare_images` for this.

    Parameters
    ----------
    image_size, color_mode, interpolation, pad_to_aspect_ratio, fill_value, deskew, dtype, max_pixels, n_jobs, verbose
        See :func:`kerasnet.features.prepare_images`.
    flatten : bool, default=False
        If True, return one row of pixels per image, as most scikit-learn estimators and
        :class:`~sklearn.pipeline.FeatureUnion` require.

    See Also
    --------
    kerasnet.features.prepare_images : Equivalent function, which can skip images.

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
        image_size: tuple[int, int] = (28, 28),
        *,
        color_mode: str = "grayscale",
        interpolation: str = "area",
        pad_to_aspect_ratio: bool = True,
        fill_value: float = 0,
        deskew: bool = False,
        dtype: str = "float32",
        flatten: bool = False,
        max_pixels: int = 64_000_000,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
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

    def fit(self, X: Iterable[ImageSource], y: Any = None) -> Self:
        """Validate the parameters. No file is opened.

        Parameters
        ----------
        X : iterable of str, path-like, bytes, PIL.Image.Image or array-like
            Images.
        y : None
            Ignored.

        Returns
        -------
        self : object
            Fitted transformer.

        Raises
        ------
        ValueError
            If a parameter is invalid.
        """
        height, width = check_pair(self.image_size, "image_size")
        check_options(self.color_mode, self.interpolation, self.fill_value, self.dtype, self.max_pixels)
        self._n_features_out = height * width * (3 if self.color_mode == "rgb" else 1)
        return self

    def transform(self, X: Iterable[ImageSource]) -> npt.NDArray[Any]:
        """Convert images to one array.

        Parameters
        ----------
        X : iterable of str, path-like, bytes, PIL.Image.Image or array-like
            Images.

        Returns
        -------
        images : ndarray of shape (n_samples, height, width[, 3]) or (n_samples, height * width[ * 3])
            The same images as :func:`kerasnet.features.prepare_images` returns, flattened if `flatten` is True.

        Raises
        ------
        ImageDecodeError
            If a file is missing, truncated, not an image or too large.
        ValueError
            If a parameter or an array is invalid.
        """
        options = self.get_params(deep=False)
        flatten = options.pop("flatten")
        images: Any = prepare_images(X, **options)
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
    """Convert one image to an array. See :func:`prepare_images`."""
    image = _convert_color(read_image(source, max_pixels), color_mode)
    image = _resize(image, image_size, interpolation, pad_to_aspect_ratio, fill_value)
    return _convert_dtype(_deskew(image, fill_value) if deskew else image, dtype)


def check_image_sequence(images):
    """Raise an error for a single image, and for tables, which iterate over column names."""
    kind = type(images)
    if isinstance(images, (str, bytes, os.PathLike, Image.Image)):
        raise ValueError(
            f"Expected a sequence of images or paths. Received: a single {kind.__name__}. Wrap it in a list."
        )
    if hasattr(kind, "columns") or isinstance(images, Mapping):  # pandas, polars, pyarrow, ...; dict, Bunch
        raise ValueError(
            f"Expected a sequence of images or paths. Received: {kind.__module__}.{kind.__qualname__}. Pass the "
            'column of paths, such as images["path"].'
        )


def check_options(color_mode, interpolation, fill_value, dtype, max_pixels):
    """Raise an error if an option of :func:`prepare_images` is invalid."""
    for name, value, allowed in (
        ("color_mode", color_mode, ("grayscale", "rgb")),
        ("interpolation", interpolation, tuple(_INTERPOLATIONS)),
        ("dtype", dtype, ("float32", "uint8")),
    ):
        if value not in allowed:
            raise ValueError(f"{name} must be one of {allowed}. Received: {value!r}.")
    check_scalar(fill_value, "fill_value", Real, min_val=0, max_val=1)
    check_scalar(max_pixels, "max_pixels", Integral, min_val=1)


def format_path(source):
    """Return the path of a source for an error message, or an empty string."""
    return f", {os.fspath(source)!r}" if isinstance(source, (str, os.PathLike)) else ""


def read_image(source, max_pixels):
    """Return an image of shape (height, width, channels), uint8 or float32 in [0, 1], with 1, 3 or 4 channels."""
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
            "expected a path, the bytes of a file, a Pillow image, or an array of shape (height, width) or (height, "
            f"width, 1, 3 or 4). Received: an array of shape {image.shape} and dtype {image.dtype}."
        )
    if image.dtype == np.uint8:
        return image
    if image.dtype == bool:
        return image.astype(np.uint8) * 255
    if image.dtype == np.uint16:
        return (image / 65535).astype(np.float32)
    maximum = 255 if image.dtype.kind in "iu" else 1
    if image.dtype.kind not in "iuf" or not (image.min() >= 0 and image.max() <= maximum):
        raise ValueError(
            "expected bool, uint8, uint16, other integers in [0, 255], or floats in [0, 1]. "
            f"Received: {image.dtype}"
            + (f" from {image.min()} to {image.max()}." if image.dtype.kind in "iuf" else ".")
        )
    return image.astype(np.uint8 if maximum == 255 else np.float32)


def _convert_color(image, color_mode):
    """Return an image of shape (height, width) or (height, width, 3), blended with a white background."""
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
        height, width = (max(1, round(length * factor)) for length in image.shape[:2])
    image = cv2.resize(image, (width, height), interpolation=_INTERPOLATIONS[interpolation])
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    margins = (top, size[0] - height - top, left, size[1] - width - left)
    return cv2.copyMakeBorder(image, *margins, cv2.BORDER_CONSTANT, value=_fill_color(image, fill_value))


def _deskew(image, fill_value):
    """Shear an image along its rows, about its center of mass, until its mixed moment is 0."""
    gray = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    moments = cv2.moments(cv2.copyMakeBorder(gray, 0, 0, 0, 1, cv2.BORDER_CONSTANT))  # two columns would be points
    if moments["mu02"] < 1e-2:
        return image
    skew = moments["mu11"] / moments["mu02"]
    center = moments["m01"] / moments["m00"]
    inverse = np.float32([[1, skew, -skew * center], [0, 1, 0]])
    options = {"borderMode": cv2.BORDER_CONSTANT, "borderValue": _fill_color(image, fill_value)}
    return cv2.warpAffine(image, inverse, image.shape[1::-1], flags=cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR, **options)


def _fill_color(image, fill_value):
    return [fill_value * (255 if image.dtype == np.uint8 else 1)] * 3


def _convert_dtype(image, dtype):
    if image.dtype == dtype:
        return image if dtype == "uint8" else np.clip(image, 0, 1)
    if dtype == "uint8":
        return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
    return image.astype(np.float32) / np.float32(255)
