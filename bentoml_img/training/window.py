"""Show a picture in a window until it is closed: python -m bentoml_img.training.window PICTURE."""

import sys

from matplotlib import pyplot


def main(picture: str) -> None:
    """Open the window; where matplotlib has no window toolkit, nothing happens."""
    figure, axes = pyplot.subplots(layout="constrained", num=picture)
    axes.imshow(pyplot.imread(picture))
    axes.set_axis_off()
    pyplot.show()
    pyplot.close(figure)


if __name__ == "__main__":
    main(sys.argv[1])
