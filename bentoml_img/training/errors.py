"""What can go wrong in training and evaluation, and people can mend: the messages are for them."""


class DatasetError(Exception):
    """The data are missing, damaged or too few."""


class UnusableFile(DatasetError):
    """A file, named in the message, is missing, damaged, or not what its annotation says."""


class CheckpointError(Exception):
    """A checkpoint is missing, in the way or not resumable."""


class Diverged(Exception):
    """A loss is no finite number: the message says which and when."""
