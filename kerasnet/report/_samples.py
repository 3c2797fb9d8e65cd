"""Sections that show samples: as pictures, or as a table."""

from kerasnet.report._page import Pictures, Section, Table, Text
from kerasnet.report._pictures import make_pictures


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
        Takes a row number and returns lines of text.
    columns : list of str
        What the lines contain, for a table.

    Returns
    -------
    section : Section
        With pictures of images, or a table of row numbers and descriptions for other samples.
    """
    described = [describe(row) for row in rows]
    if subject.image_rows is None:
        columns = ["row of X", *columns[: max(map(len, described))]]
        cells = [[str(row), *lines] for row, lines in zip(rows, described, strict=True)]
        return Section(title, [Text(text), Table(columns, cells, n_text=2)])
    captions = [[*lines, f"row {row}"] for row, lines in zip(rows, described, strict=True)]
    return Section(title, [Text(text), Pictures(make_pictures(subject.image_rows(rows), captions), "")])
