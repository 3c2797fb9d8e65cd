"""How epochs are run: compiled once, trained many times, resumed; schedules and augmentation; prediction in batches."""

from kerasnet.training._pool import clear_cache
from kerasnet.training._rows import n_batches
from kerasnet.training._threads import obey_limit_of_workers
from kerasnet.training.augmentation import AUGMENTATIONS, make_augmentation
from kerasnet.training.memory import EpochMemory
from kerasnet.training.schedules import learning_rates

__all__ = ["AUGMENTATIONS", "EpochMemory", "clear_cache", "learning_rates", "make_augmentation", "n_batches"]

obey_limit_of_workers()
