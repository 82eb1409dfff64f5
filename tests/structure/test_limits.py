import pytest

from bentoml_img.images import FORMATS
from bentoml_img.structure.limits import excess
from tests.samples import encode, photo


@pytest.mark.parametrize("name", FORMATS)
def test_what_encoders_write_is_not_endless(name: str) -> None:
    assert excess(encode(photo(300, 200), name)) is None


@pytest.mark.parametrize("name", FORMATS)
def test_what_stands_behind_a_picture_does_no_harm(name: str) -> None:
    assert excess(encode(photo(8, 8), name) + bytes(2**20)) is None


@pytest.mark.parametrize("name", FORMATS)
def test_a_beginning_is_told_from_nothing(name: str) -> None:
    data = encode(photo(30, 20), name)
    assert all(excess(data[:end]) is None for end in range(min(len(data), 300)))
