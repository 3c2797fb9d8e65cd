"""Training recipes of bench_zoo.py: what is measured, how, and the published result."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

DATA = Path(__file__).parents[2] / "shared" / "data"  # folder of public data sets that are not in the package


class Recipe(NamedTuple):
    """A model, how it is trained on a data set, and the published result."""

    data: str  # name of the data set
    model: str  # the model, as the results page names it
    recipe: str  # the hyperparameters, in words
    run: Callable[[Path, int], float]  # from folder of the data and seed (or fold) to the result on the test data
    seeds: tuple = (0, 1, 2)
    metric: str = "accuracy, %"
    published: float | None = None
    source: str = ""  # of the published result
