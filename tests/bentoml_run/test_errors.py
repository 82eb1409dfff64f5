"""Near matches."""

import pytest

from bentoml_run.errors import did_you_mean


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("Predict", " Did you mean predict?"),
        ("predcit", " Did you mean predict?"),
        ("top-k", " Did you mean top_K?"),
        ("zzz", ""),
    ],
)
def test_did_you_mean(word: str, sentence: str) -> None:
    assert did_you_mean(word, ["predict", "top_K"]) == sentence


def test_names_that_begin_alike_are_suggested_only_where_none_is_much_nearer() -> None:
    names = ["pytorchimageclassifier", "pytorchimagesegment"]
    assert did_you_mean("PytorchImageSegmnt", names) == " Did you mean pytorchimagesegment?"
    assert did_you_mean("PytorchImage", names).count("pytorchimage") == 2
