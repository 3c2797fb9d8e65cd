"""User code with wrong types. mypy reports the error named in each comment; the code is never run."""

import numpy as np

import kerasnet as kn
from kerasnet import build_ccn  # error: attr-defined

kn.build_lennet(input_shape=(28, 28, 1))  # error: attr-defined
kn.datasets.load_mnst()  # error: attr-defined
kn.datasets.load_mnist(n_sample=500)  # error: call-arg
kn.datasets.load_mnist(n_samples="all")  # error: arg-type
print(kn.errors.CorruptFile)  # error: attr-defined
kn.build_cnn(input_shape=(28, 28, 1), n_outputs=10, filters="32")  # error: arg-type
kn.build_mlp((4,), 3, hidden_units=(8,))  # error: call-arg
kn.create_model(build_ccn)
kn.create_model(3)  # error: arg-type
kn.list_models()["lenet"]  # error: call-overload
kn.register_model("mine", input_kind="vector")  # error: call-arg
kn.CNNClassifier(epochs="2")  # error: arg-type
kn.KerasNetRegressor(random_state="0")  # error: arg-type
kn.CNNClassifier().fit(None, [0, 1])  # error: arg-type
kn.Autoencoder().fit()  # error: call-arg
kn.save(kn.CNNClassifier(), 3)  # error: arg-type
kn.load("model.kerasnet", max_bytes="1 GB")  # error: arg-type
kn.NeuralNetwork(4, "8", 3)  # error: arg-type
kn.NeuralNetwork(4, 8, 3).fit(np.ones((2, 4)))  # error: call-arg
kn.features.HOGTransformer(orientations="9")  # error: arg-type
kn.features.ImageFiles(["digit.png"])  # error: call-arg
kn.plots.TrainingCurveDisplay.from_history({"loss": [0.1]}, metric=3)  # error: arg-type
kn.preprocessing.OutlierClipper().transform()  # error: call-arg
kn.training.learning_rates("cosine", "0.1", 10)  # error: arg-type
kn.training.n_batches(100)  # error: call-arg
kn.__version__ + 1  # error: operator
