"""How each network is trained on MNIST: by train_mnist.py as its default, by train_zoo.py for the weights that ship.

All were tried on the last 10,000 training images, by ``train_zoo.py --validate``; what became of it is in the README.
"""

RECIPES = {
    "attention": {"dropout": 0.1, "epochs": 10, "batch_size": 128, "learning_rate": 0.002},
    "autoencoder": {"epochs": 20, "batch_size": 128, "learning_rate": 0.002},
    "cnn": {"epochs": 6, "batch_size": 128, "learning_rate": 0.002},
    "conv1d": {"epochs": 10, "batch_size": 128, "learning_rate": 0.003},
    "gru": {"units": (128,), "epochs": 12, "batch_size": 128, "learning_rate": 0.003},
    "lenet": {"augmentation": "shift", "epochs": 15, "batch_size": 128, "learning_rate": 0.003},
    "lstm": {"units": (128,), "epochs": 12, "batch_size": 128, "learning_rate": 0.003},
    "mlp": {"epochs": 10, "batch_size": 128, "learning_rate": 0.001},
    "resnet_small": {
        "width": 24,
        "augmentation": "shift_rotate_zoom",
        "epochs": 28,
        "batch_size": 128,
        "learning_rate": 0.005,
        "optimizer__weight_decay": 0.05,
    },
    "simple_rnn": {"epochs": 10, "batch_size": 128, "learning_rate": 0.002},
}
SCHEDULE = "cosine"
SHIPPED = ("attention", "autoencoder", "cnn", "lenet", "lstm", "resnet_small", "simple_rnn")
SEED = 0
