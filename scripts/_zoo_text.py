"""Training recipes for text: questions (TREC) and sentences of movie reviews (MR).

The hyperparameters were chosen on held-out parts of the training data: for TREC a fifth of it, for MR the last of ten
folds, which is not among those that are reported.
"""

import numpy as np
from _zoo import Recipe
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

import kerasnet as kn
from kerasnet.features import TextVectorizer

KIM = "Kim 2014, CNN-rand"
N_FOLDS = 10


def trec(folder):
    """Return training and test texts of TREC and their six coarse classes: X_train, X_test, y_train, y_test."""
    parts = [(folder / "text" / f"TREC.{part}").read_text(encoding="latin-1") for part in ("train", "test")]
    rows = [[line.split(" ", 1) for line in part.splitlines()] for part in parts]
    texts = [[text for _, text in part] for part in rows]
    return *texts, *([label.partition(":")[0] for label, _ in part] for part in rows)


def mr(folder, fold):
    """Return training and test sentences of one of ten folds of MR, and whether they are positive."""
    parts = [
        (folder / "text" / f"rt-polarity.{name}").read_text(encoding="latin-1").splitlines() for name in ("neg", "pos")
    ]
    X, y = np.array([*parts[0], *parts[1]], dtype=object), np.repeat([0, 1], [*map(len, parts)])
    folds = [*StratifiedKFold(N_FOLDS, shuffle=True, random_state=0).split(X, y)]
    train, test = folds[fold]
    return X[train], X[test], y[train], y[test]


def network(name, seed, **parameters):
    """Return a pipeline of tokens and a network."""
    training = {"batch_size": 50, "learning_rate_schedule": "cosine", "random_state": seed}
    return make_pipeline(TextVectorizer(), kn.KerasNetClassifier(name, **training, **parameters))


def text_cnn(seed):
    """Return the pipeline of ``text_cnn`` for questions."""
    smooth = {"loss": "CategoricalCrossentropy", "loss__label_smoothing": 0.1}
    return network("text_cnn", seed, epochs=8, learning_rate=0.002, embedding_units=300, **smooth)


def text_cnn_for_reviews(seed):
    """Return the pipeline of ``text_cnn`` for sentences of reviews, which overfits earlier."""
    return network("text_cnn", seed, epochs=4, learning_rate=0.001, embedding_dropout=0.3)


def gru(seed):
    """Return the pipeline of ``gru``."""
    parameters = {"units": 100, "embedding_units": 200, "dropout": 0.5, "vocabulary_size": "auto"}
    smooth = {"loss": "CategoricalCrossentropy", "loss__label_smoothing": 0.1}
    return network("gru", seed, epochs=8, learning_rate=0.003, **parameters, **smooth)


def linear(seed):
    """Return the baseline: a linear model of weighted counts of words and pairs of words."""
    tokens = TextVectorizer().token_pattern  # punctuation marks, too, which improves the accuracy
    return make_pipeline(TfidfVectorizer(ngram_range=(1, 2), token_pattern=tokens), LinearSVC(random_state=seed))


def on_trec(make):
    """Return the function that runs a recipe on TREC."""

    def run(folder, seed):
        X_train, X_test, y_train, y_test = trec(folder)
        return 100 * make(seed).fit(X_train, y_train).score(X_test, y_test)

    return run


def on_mr(make):
    """Return the function that runs a recipe on a fold of MR."""

    def run(folder, fold):
        X_train, X_test, y_train, y_test = mr(folder, fold)
        return 100 * make(0).fit(X_train, y_train).score(X_test, y_test)

    return run


TFIDF = "words, punctuation marks and pairs of them; defaults of scikit-learn"
SMOOTH = "label smoothing 0.1"
CNN = f"embedding 300, {SMOOTH}, Adam, learning rate 0.002 with cosine decay, batch size 50, 8 epochs"
GRU = (
    f"100 units, embedding 200, dropout 0.5, {SMOOTH}, Adam, learning rate 0.003 with cosine decay, batch size 50, "
    "8 epochs"
)
REVIEWS = "embedding 128, embedding dropout 0.3, Adam, learning rate 0.001 with cosine decay, batch size 50, 4 epochs"
FOLDS = "MR, three of ten folds"
RECIPES = {
    "trec text_cnn": Recipe("TREC", "`text_cnn`", CNN, on_trec(text_cnn), published=91.2, source=KIM),
    "trec gru": Recipe("TREC", "`gru`", GRU, on_trec(gru)),
    "trec linear": Recipe("TREC", "TF-IDF + linear SVM", TFIDF, on_trec(linear), seeds=(0,)),
    "mr text_cnn": Recipe(FOLDS, "`text_cnn`", REVIEWS, on_mr(text_cnn_for_reviews), published=76.1, source=KIM),
    "mr linear": Recipe(FOLDS, "TF-IDF + linear SVM", TFIDF, on_mr(linear)),
}
