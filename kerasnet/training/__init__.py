"""Compiled training and prediction, checkpoints, learning rate schedules, and data augmentation."""

from kerasnet.training._pool import clear_cache
from kerasnet.training._rows import n_batches
from kerasnet.training._threads import limit_worker_threads
from kerasnet.training.augmentation import AUGMENTATIONS, make_augmentation
from kerasnet.training.memory import EpochMemory
from kerasnet.training.schedules import learning_rates

__all__ = ["AUGMENTATIONS", "EpochMemory", "clear_cache", "learning_rates", "make_augmentation", "n_batches"]

limit_worker_threads()
