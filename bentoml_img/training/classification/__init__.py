"""The CIFAR-10 classifier: its data, training and evaluation."""
