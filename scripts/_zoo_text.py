"""Training recipes for text: questions (TREC) and sentences of movie reviews (MR).

The hyperparameters for TREC were chosen on held-out parts of its training data, and are used for MR as they are.
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
    return make_pipeline(TextVectorizer(), kn.KerasNetClassifier(name, random_state=seed, **parameters))


def text_cnn(seed):
    """Return the pipeline of ``text_cnn``."""
    return network("text_cnn", seed, epochs=8, batch_size=50, learning_rate_schedule="cosine")


def gru(seed):
    """Return the pipeline of ``gru``."""
    return network("gru", seed, vocabulary_size="auto", epochs=8, batch_size=50, learning_rate_schedule="cosine")


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


CNN = "8 epochs, batches of 50, Adam with cosine decay"
TFIDF = "words, punctuation marks and pairs of them; defaults of scikit-learn"
RECIPES = {
    "trec text_cnn": Recipe("TREC", "`text_cnn`", CNN, on_trec(text_cnn), published=91.2, source=KIM),
    "trec gru": Recipe("TREC", "`gru`", CNN, on_trec(gru)),
    "trec linear": Recipe("TREC", "TF-IDF + linear SVM", TFIDF, on_trec(linear), seeds=(0,)),
    "mr text_cnn": Recipe("MR, three of ten folds", "`text_cnn`", CNN, on_mr(text_cnn), published=76.1, source=KIM),
    "mr linear": Recipe("MR, three of ten folds", "TF-IDF + linear SVM", TFIDF, on_mr(linear)),
}
