from itertools import count

import pytest

from bentoml_img.training.errors import DatasetError, UnusableFile
from bentoml_img.training.readable import first_readable


def test_ten_in_a_row_that_cannot_be_read_are_too_many(caplog: pytest.LogCaptureFixture) -> None:
    def load(place: int) -> int:
        if place % 11 < 10:
            raise UnusableFile(f"photo {place} is damaged")
        return place

    places = count()
    with pytest.raises(DatasetError, match=r"^10 files in a row .*: photo 9 is damaged$") as raised:
        first_readable(places, load)
    assert raised.type is DatasetError, "or whoever tries others would go on"
    assert first_readable(places, load) == 10
    assert first_readable(count(2), load) == 10
    assert caplog.messages == [
        f"photo {place} is damaged; another takes its place" for place in range(10)
    ], "each once"
