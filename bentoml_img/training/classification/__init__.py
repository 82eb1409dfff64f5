"""The CIFAR-10 classifier: its data, how it learns, what it reaches."""
