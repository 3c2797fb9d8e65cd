"""How epochs are run: the loop over shuffled batches, learning-rate schedules, prediction in batches."""

from kerasnet.training._loop import n_batches, predict, train
from kerasnet.training.schedules import learning_rates

__all__ = ["learning_rates", "n_batches", "predict", "train"]
