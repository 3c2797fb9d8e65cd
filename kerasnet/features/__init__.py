"""Classical features of images: HOG. No TensorFlow here."""

from kerasnet.features.hog import HOGTransformer, hog

__all__ = ["HOGTransformer", "hog"]
