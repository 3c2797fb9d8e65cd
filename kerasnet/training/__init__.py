"""How epochs are run: compiled once for many trainings, learning-rate schedules, prediction in batches."""

from kerasnet.training._cache import clear_cache
from kerasnet.training._loop import n_batches, predict, train
from kerasnet.training.schedules import learning_rates

__all__ = ["clear_cache", "learning_rates", "n_batches", "predict", "train"]
