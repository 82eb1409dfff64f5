"""Errors of training and evaluation that users can fix; the messages are written for them."""


class DatasetError(Exception):
    """The data are missing, damaged or too few."""


class UnusableFile(DatasetError):
    """A file, named in the message, is missing, damaged, or not what its annotation says."""


class CheckpointError(Exception):
    """A checkpoint is missing, in the way or not resumable."""


class Diverged(Exception):
    """A loss is not finite; the message says which one, and in which step."""
