"""Classical features of images: HOG and SIFT. No TensorFlow here."""

from kerasnet.features.hog import HOGTransformer, hog
from kerasnet.features.sift import SIFTTransformer, sift

__all__ = ["HOGTransformer", "SIFTTransformer", "hog", "sift"]
