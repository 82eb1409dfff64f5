from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

from bentoml_img.drawing.charts import save_chart


def test_a_chart_is_a_png_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    figure = Figure(figsize=(2, 1), facecolor="red")
    save_chart(figure, tmp_path / "chart", dpi=50)
    with Image.open(tmp_path / "chart") as image:
        assert image.format == "PNG"
        assert image.size == (100, 50)
        assert image.convert("RGB").getpixel((1, 1)) == (255, 0, 0)
    assert list(tmp_path.iterdir()) == [tmp_path / "chart"]
