"""Save estimators as ``.kerasnet`` archives, which contain no code and are written atomically, and load them."""

from kerasnet.persistence.archive import inspect, load, save

__all__ = ["inspect", "load", "save"]
