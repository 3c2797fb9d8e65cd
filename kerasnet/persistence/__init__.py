"""The ``.kerasnet`` archive: files that are data and never code, written whole or not at all."""

from kerasnet.persistence.archive import inspect, load, save

__all__ = ["inspect", "load", "save"]
