"""Digits on photographs and drawings, and pages without one, read with the pretrained LeNet."""

from types import SimpleNamespace

import cv2
import numpy as np
import predict
import pytest
from _scenes import KINDS, Scenes

from kerasnet.models import create_model


@pytest.fixture(scope="module")
def scenes():
    return Scenes(seed=23)


@pytest.fixture(scope="module")
def lenet():
    network = create_model("lenet", weights="mnist")

    def predict_proba(images):
        return np.asarray(network(images[..., np.newaxis])).astype(float)

    return SimpleNamespace(dataset="mnist", image_size=(28, 28), classes=list(range(10)), predict_proba=predict_proba)


def answer(model, picture, folder):
    """Return the digit that the command finds, or its message."""
    path = str(folder / "scene.png")
    cv2.imwrite(path, picture)
    try:
        return predict.predict(model, path, SimpleNamespace(polarity="auto", as_is=False))["class"]
    except ValueError as error:
        return str(error)


def wrong_answers(model, scenes, kind, numbers, folder):
    wrong = []
    for number in numbers:
        picture, expected = scenes.make(kind, number)
        found = answer(model, picture, folder)
        if not str(found).startswith(str(expected)):
            wrong.append((number, expected, found))
    return wrong


@pytest.mark.parametrize("kind", KINDS)
def test_scenes_are_answered(lenet, scenes, kind, tmp_path):
    wrong = wrong_answers(lenet, scenes, kind, range(4), tmp_path)
    assert len(wrong) <= (0 if KINDS[kind] == 1 else 1), wrong


@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", KINDS)
def test_a_hundred_scenes_are_answered(lenet, scenes, kind, tmp_path, record_property):
    wrong = wrong_answers(lenet, scenes, kind, range(100), tmp_path)
    record_property("counts", f"{kind}: {100 - len(wrong)} of 100 scenes")
    assert len(wrong) <= 100 * (1 - KINDS[kind]) + 1e-9, wrong


def test_scenes_are_the_same_every_time(scenes):
    for kind in KINDS:
        picture, expected = scenes.make(kind, 3)
        again, expected_again = Scenes(seed=23).make(kind, 3)
        np.testing.assert_array_equal(picture, again)
        assert expected == expected_again
