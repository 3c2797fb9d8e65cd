"""How epochs are run: compiled once, trained once, resumed; learning-rate schedules; prediction in batches."""

from kerasnet.training._cache import clear_cache, hand_on
from kerasnet.training._engine import follows_schedule
from kerasnet.training._fork import refuse_forked_process
from kerasnet.training._loop import n_batches, predict, train
from kerasnet.training._threads import obey_limit_of_workers
from kerasnet.training.augmentation import AUGMENTATIONS, make_augmentation
from kerasnet.training.memory import EpochMemory, as_memory
from kerasnet.training.schedules import learning_rates

__all__ = [
    "AUGMENTATIONS",
    "EpochMemory",
    "as_memory",
    "clear_cache",
    "follows_schedule",
    "hand_on",
    "learning_rates",
    "make_augmentation",
    "n_batches",
    "predict",
    "refuse_forked_process",
    "train",
]

obey_limit_of_workers()
