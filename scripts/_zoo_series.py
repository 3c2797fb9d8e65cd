"""Training recipes for time series of the UCR and UEA archives.

The long recipes are the published ones. The short recipes were chosen by cross-validation on the training data of
JapaneseVowels (`conv1d`) and of ArrowHead and JapaneseVowels (`lite`). Recorded with TF_NUM_INTRAOP_THREADS=1.
"""

from _zoo import Recipe
from keras.callbacks import EarlyStopping, ReduceLROnPlateau

import kerasnet as kn

FAWAZ = "Ismail Fawaz 2019, mean of ten runs"
LITE = "Ismail-Fawaz 2023"
UEA = "Ismail-Fawaz 2024, UEA archive"
FCN = {"model": "conv1d", "filters": (128, 256, 128), "kernel_size": (8, 5, 3)}
PLATEAU = "rate halved after 50 epochs without a lower training loss, weights of the lowest training loss"


def split(folder, name):
    """Return training and test data of a data set: X_train, y_train, X_test, y_test."""
    files = [folder / "series" / f"{name}_{part}.ts" for part in ("TRAIN", "TEST")]
    return [part for file in files for part in kn.datasets.load_ucr(file, return_X_y=True)]


def published(data, *, epochs, largest_batch, tenth=False, **network):
    """Return the function that runs a published recipe: Adam, and the callbacks of its authors."""

    def run(folder, seed):
        X_train, y_train, X_test, y_test = split(folder, data)
        callbacks = [
            ReduceLROnPlateau("loss", factor=0.5, patience=50, min_lr=1e-4),
            EarlyStopping("loss", patience=epochs, restore_best_weights=True),  # never stops
        ]
        classifier = kn.KerasNetClassifier(
            **network,
            epochs=epochs,
            batch_size=min(len(X_train) // 10, largest_batch) if tenth else largest_batch,
            learning_rate=0.001,
            callbacks=callbacks,
            random_state=seed,
        )
        return 100 * classifier.fit(X_train, y_train).score(X_test, y_test)

    return run


def short(data, **parameters):
    """Return the function that runs a short recipe."""

    def run(folder, seed):
        X_train, y_train, X_test, y_test = split(folder, data)
        classifier = kn.KerasNetClassifier(**parameters, batch_size=16, random_state=seed)
        return 100 * classifier.fit(X_train, y_train).score(X_test, y_test)

    return run


def recipes():
    """Return the recipes by name."""
    found = {}
    words = f"2,000 epochs, batches of a tenth, at most 16; {PLATEAU}"
    for data, figure in {"GunPoint": 100, "ItalyPowerDemand": 96.1, "ArrowHead": 84.3}.items():
        run = published(data, **FCN, epochs=2000, largest_batch=16, tenth=True)
        found[f"{data} fcn"] = Recipe(data, "`conv1d`, FCN", words, run, published=figure, source=FAWAZ)
    words = f"1,500 epochs, batches of 64; {PLATEAU}"
    for data, figure in {"GunPoint": 99.73, "ItalyPowerDemand": 96.85, "ArrowHead": 82.17}.items():
        run = published(data, model="lite", epochs=1500, largest_batch=64)
        found[f"{data} lite"] = Recipe(data, "`lite`", words, run, published=figure, source=LITE)
    data = "ItalyPowerDemand"
    run = published(data, model="inception_time", epochs=1500, largest_batch=64)
    found[f"{data} inception"] = Recipe(data, "`inception_time`", words, run, published=96.60, source=LITE)
    words = f"1,500 epochs, batches of a tenth, at most 16; {PLATEAU}"
    run = published(data, model="resnet1d", epochs=1500, largest_batch=16, tenth=True)
    found[f"{data} resnet"] = Recipe(data, "`resnet1d`", words, run, published=96.3, source=FAWAZ)
    words = "50 epochs, batches of 16, Adam with cosine decay from 0.001"
    for data, figure in {"BasicMotions": 100, "JapaneseVowels": 97.3}.items():
        run = short(data, **FCN, epochs=50, learning_rate=0.001, learning_rate_schedule="cosine")
        found[f"{data} fcn short"] = Recipe(data, "`conv1d`, FCN", words, run, published=figure, source=UEA)
    words = "200 epochs, batches of 16, Adam with the one-cycle schedule up to 0.01"
    for data in ("GunPoint", "ItalyPowerDemand", "ArrowHead", "BasicMotions", "JapaneseVowels"):
        run = short(data, model="lite", epochs=200, learning_rate=0.01, learning_rate_schedule="one_cycle")
        found[f"{data} lite short"] = Recipe(data, "`lite`", words, run)
    return found


RECIPES = recipes()
