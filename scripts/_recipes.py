"""Training recipes by model and data set: for the pretrained weights, and the defaults of train_mnist.py.

They were chosen without the test images: ``train_zoo.py --validate`` evaluates on the last 10,000 training images.
"""

RECIPES = {
    ("attention", "mnist"): {"dropout": 0.1, "epochs": 10, "batch_size": 128, "learning_rate": 0.002},
    ("autoencoder", "mnist"): {"epochs": 20, "batch_size": 128, "learning_rate": 0.002},
    ("cnn", "mnist"): {"epochs": 6, "batch_size": 128, "learning_rate": 0.002},
    ("conv1d", "mnist"): {"epochs": 10, "batch_size": 128, "learning_rate": 0.003},
    ("gru", "mnist"): {"units": (128,), "epochs": 12, "batch_size": 128, "learning_rate": 0.003},
    ("lenet", "mnist"): {"augmentation": "shift", "epochs": 15, "batch_size": 128, "learning_rate": 0.003},
    ("lenet", "fashion_mnist"): {
        "dropout": 0.0,
        "augmentation": "shift_flip",
        "epochs": 40,
        "batch_size": 128,
        "learning_rate": 0.003,
        "optimizer__weight_decay": 0.01,
    },
    ("lstm", "mnist"): {"units": (128,), "epochs": 12, "batch_size": 128, "learning_rate": 0.003},
    ("mlp", "mnist"): {"epochs": 10, "batch_size": 128, "learning_rate": 0.001},
    ("resnet_small", "mnist"): {
        "width": 24,
        "augmentation": "shift_rotate_zoom",
        "epochs": 28,
        "batch_size": 128,
        "learning_rate": 0.005,
        "optimizer__weight_decay": 0.05,
    },
    ("resnet_small", "fashion_mnist"): {
        "width": 24,
        "augmentation": "shift_flip",
        "epochs": 24,
        "batch_size": 128,
        "learning_rate": 0.005,
        "optimizer__weight_decay": 0.05,
    },
    ("simple_rnn", "mnist"): {"epochs": 10, "batch_size": 128, "learning_rate": 0.002},
}
# In train_mnist.py, two more epochs make up for the training images that are held out for validation.
EPOCHS_WITH_VALIDATION = {("cnn", "mnist"): {"epochs": 8}}
FEATURES_RECIPE = {"dense_units": (512,), "dropout": 0.5, "epochs": 12, "batch_size": 128, "learning_rate": 0.002}
SCHEDULE = "cosine"
PRETRAINED = {
    "fashion_mnist": ("lenet", "resnet_small"),
    "mnist": ("attention", "autoencoder", "cnn", "lenet", "lstm", "resnet_small", "simple_rnn"),
}
SEED = 0
