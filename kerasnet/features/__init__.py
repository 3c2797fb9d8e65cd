"""Classical features of images: their preparation, HOG and SIFT. No TensorFlow here."""

from kerasnet.features.digits import extract_digit
from kerasnet.features.hog import HOGTransformer, hog
from kerasnet.features.image import ImagePreprocessor, prepare_images
from kerasnet.features.image_files import ImageFiles
from kerasnet.features.sift import SIFTTransformer, sift

__all__ = [
    "HOGTransformer",
    "ImageFiles",
    "ImagePreprocessor",
    "SIFTTransformer",
    "extract_digit",
    "hog",
    "prepare_images",
    "sift",
]
