"""Reports of fitted estimators as self-contained HTML files."""

from kerasnet.report._report import make_report

__all__ = ["make_report"]
