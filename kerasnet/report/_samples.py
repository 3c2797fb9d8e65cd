"""Sections that show samples: as pictures, or as a table."""

from kerasnet.report._page import Pictures, Section, Table, Text
from kerasnet.report._pictures import make_pictures

MAX_NAME = 40  # characters of class names that are shown


def sample_section(title, text, subject, rows, describe, columns):
    """Return a section that shows samples.

    Parameters
    ----------
    title, text : str
        Title and introduction.
    subject : Subject
        The estimator and the data.
    rows : ndarray of int
        Row numbers of the samples.
    describe : callable
        Takes a row number and returns a list of values.
    columns : list of str
        Names of the values. If `describe` returns fewer values, the last ones are not available.

    Returns
    -------
    section : Section
        With pictures of images, or a table of row numbers and descriptions for other samples.
    """
    described = [[*map(str, describe(row))] for row in rows]
    if subject.image_rows is None:
        columns = ["row of X", *columns[: max(map(len, described))]]
        cells = [[str(row), *values] for row, values in zip(rows, described, strict=True)]
        return Section(title, [Text(text), Table(columns, cells, n_text=len(columns), max_length=MAX_NAME)])
    captions = [
        [*(f"{name} {value}" for name, value in zip(columns, values, strict=False)), f"row {row}"]
        for row, values in zip(rows, described, strict=True)
    ]
    return Section(title, [Text(text), Pictures(make_pictures(subject.image_rows(rows), captions), "")])
