"""Features of images (preprocessing, lazily decoded files, HOG and SIFT) and text. Does not import TensorFlow."""

from kerasnet.features.digits import extract_digit
from kerasnet.features.hog import HOGTransformer, hog
from kerasnet.features.image import ImagePreprocessor, prepare_images
from kerasnet.features.image_files import ImageFiles
from kerasnet.features.sift import SIFTTransformer, sift
from kerasnet.features.text import TextVectorizer

__all__ = [
    "HOGTransformer",
    "ImageFiles",
    "ImagePreprocessor",
    "SIFTTransformer",
    "TextVectorizer",
    "extract_digit",
    "hog",
    "prepare_images",
    "sift",
]
