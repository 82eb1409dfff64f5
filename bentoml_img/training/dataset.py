"""What is wrong with the data that training or evaluation was given."""


class DatasetError(Exception):
    """The data are missing, damaged or too few; the message is for the user."""


class UnusableFile(DatasetError):
    """A file, named in the message, is missing, damaged, or not what its annotation says."""
