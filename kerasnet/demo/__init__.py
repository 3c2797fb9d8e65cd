"""Page to draw digits on, and to look at the predictions of several models. Requires the extra ``demo``."""

from kerasnet.demo._serve import make_app, serve

__all__ = ["make_app", "serve"]
