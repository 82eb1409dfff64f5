"""What the figures should reach, and which figure of which benchmark says so."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Concatenate, ParamSpec

from benchmarks.weights import REAL
from bentoml_img.engines import PRECISIONS

Row = Mapping[str, Any]
Results = Mapping[str, Sequence[Row]]  # the JSON lines of each benchmark, by its name
Value = Callable[[Results], float | None]
P = ParamSpec("P")

REDUCED = PRECISIONS[1:]
OFFICIAL, LIGHT = "maskrcnn_resnet50_fpn", "maskrcnn_lite"
DEEPLAB, FCN = "deeplabv3_lite", "fcn_lite"

EAGER = "OpenVINO over eager PyTorch"
LABELS = "share of labels that are equal"
FOUND = "share of PyTorch's instances that are found"
RATE, TAIL = "requests/s over LitServe at 32×32", "p99 over LitServe's at 32×32"
LOAD_OF_PHOTOS = "4 photos of 640×480 at a time"


@dataclass(frozen=True)
class Bar:
    """A measure; `value` is None as long as it was not measured.

    It is to be `limit` at least, or at most if `at_most`.
    """

    measure: str
    limit: float
    value: Value
    at_most: bool = False

    def reached(self, value: float) -> bool:
        return value <= self.limit if self.at_most else value >= self.limit


def rows(results: Results, benchmark: str, **where: Any) -> list[Row]:
    """The lines of a benchmark that have these values."""
    lines = results.get(benchmark, ())
    return [row for row in lines if all(row.get(key) == value for key, value in where.items())]


def of_results(function: Callable[Concatenate[Results, P], float | None]) -> Callable[P, Value]:
    """Make of a function of results and arguments one of the arguments alone that gives a Value."""
    return lambda *args, **kwargs: lambda results: function(results, *args, **kwargs)


@of_results
def figure(results: Results, /, benchmark: str, key: str, **where: Any) -> float | None:
    """The only figure that meets the conditions."""
    found = rows(results, benchmark, **where)
    if not found:
        return None
    (row,) = found
    return float(row[key])


@of_results
def highest(results: Results, /, benchmark: str, key: str, **where: Any) -> float | None:
    """The highest of the figures that meet the conditions."""
    return max((row[key] for row in rows(results, benchmark, **where)), default=None)


@of_results
def quotient(results: Results, /, above: Value, below: Value) -> float | None:
    one, other = above(results), below(results)
    return None if one is None or not other else one / other


@of_results
def best(results: Results, /, *values: Value) -> float | None:
    """The highest of those that were measured."""
    measured = [value(results) for value in values]
    return max((one for one in measured if one is not None), default=None)


@of_results
def if_any(results: Results, /, number: Value, value: Value) -> float | None:
    """A value that has a meaning only where `number` is not 0."""
    return value(results) if number(results) else None


@of_results
def over_rival(results: Results, /, benchmark: str, rival: str, **where: Any) -> float | None:
    """Our rate over that of a rival; of those whose name begins so, the one that does best."""
    found = rows(results, benchmark, server="ours", **where)
    ratios = found[0]["ratios"].items() if found else ()
    return min((ratio for name, ratio in ratios if name.startswith(rival)), default=None)


@of_results
def tail_over_rival(
    results: Results, /, benchmark: str, rival: str, form: str, **where: Any
) -> float | None:
    """Our p99 over that of a rival in the setting and the form in which it answers most."""
    lines = rows(results, benchmark, **where)
    ours = [row for row in lines if row["server"] == "ours" and row["form"] == form]
    theirs = [row for row in lines if row["server"].startswith(rival)]
    if not ours or not theirs:
        return None
    best = max(theirs, key=lambda row: float(row["rate"]))
    return float(ours[0]["p99"]) / float(best["p99"])


network = partial(figure, "engines", precision="fp32")
official = partial(figure, "detectors", model=OFFICIAL, precision="fp32")
light = partial(figure, "detectors", model=LIGHT, precision="fp32")
video = partial(figure, "video", "over_loop")
rate = partial(over_rival, "serving", "LitServe", photos="32x32")
tail = partial(tail_over_rival, "serving", "LitServe", photos="32x32")
startup = partial(figure, "startup-segmenter", "ms")

BARS = (
    Bar(f"`{DEEPLAB}`, {EAGER}", 2.5, network("ratio", model=DEEPLAB)),
    Bar(f"`{DEEPLAB}`, {LABELS}", 0.9999, network("label_agreement", model=DEEPLAB, weights=REAL)),
    Bar(f"`{FCN}`, {EAGER}", 2.5, network("ratio", model=FCN)),
    Bar(f"`{FCN}`, {LABELS}", 0.9999, network("label_agreement", model=FCN, weights=REAL)),
    *(
        Bar(f"`{model}`, {EAGER}", limit, network("ratio", model=model))
        for model, limit in (
            ("deeplabv3_resnet101", 1.6),
            ("deeplabv3_mobilenet_v3_large", 2.8),
            ("lraspp_mobilenet_v3_large", 2.0),
        )
    ),
    Bar(f"`{OFFICIAL}`, {EAGER}, with drawing", 1.4, official("ratio")),
    Bar(f"`{OFFICIAL}`, {FOUND}", 0.99, quotient(official("found"), official("instances"))),
    *(
        Bar(f"`{OFFICIAL}`, {what}", limit, if_any(official("found"), official(key)), at_most)
        for what, limit, key, at_most in (
            ("difference of boxes, pixels", 0.01, "box_px", True),
            ("difference of scores", 3e-4, "score", True),
            ("intersection over union of masks", 0.998, "mask_iou", False),
        )
    ),
    Bar(f"`{LIGHT}` with drawing, {EAGER}", 2.0, light("ratio")),
    Bar(
        f"`{LIGHT}` with drawing, the faster of int8 and bf16 over eager PyTorch",
        3.5,
        best(*(light("ratio", precision=precision) for precision in REDUCED)),
    ),
    Bar(f"`{LIGHT}`, {FOUND}", 0.99, quotient(light("found"), light("instances"))),
    Bar("video, frames/s of the pipeline over the obvious loop", 3.0, video(way="pipeline")),
    Bar(
        "video, in the faster of int8 and bf16, over the obvious loop in fp32",
        3.0,
        best(*(video(way=f"pipeline, {precision}") for precision in REDUCED)),
    ),
    Bar(
        "video, over the obvious loop, with PyTorch in both",
        1.3,
        video(way="pipeline, PyTorch"),
    ),
    *(
        Bar(
            f"classifier, {name} network, {form}: {what}",
            limit,
            value(network=name, form=form),
            at_most,
        )
        for name, form, what, limit, value, at_most in (
            ("tiny", "multipart", RATE, 1.25, rate, False),
            ("tiny", "multipart", TAIL, 1.0, tail, True),
            ("tiny", "raw", RATE, 2.0, rate, False),
            ("tiny", "raw", TAIL, 1.0, tail, True),
            ("shipped", "multipart", RATE, 1.05, rate, False),
            ("shipped", "raw", RATE, 1.05, rate, False),
        )
    ),
    *(
        Bar(
            f"{segmenter}, requests/s over {rival} with eager PyTorch",
            2.5,
            over_rival(benchmark, rival, form="multipart"),
        )
        for segmenter, benchmark in (
            ("segmenter", "segmenting"),
            ("segmenter in int8", "segmenting-int8"),
        )
        for rival in ("LitServe", "FastAPI")
    ),
    Bar(
        "`bentoml run` of the segmenter, whole process: PyTorch's time over OpenVINO's",
        3.0,
        quotient(
            startup(step="command", engine="torch"), startup(step="command", engine="openvino")
        ),
    ),
    Bar(
        "`bentoml serve` of the segmenter up to the first answer: OpenVINO's time over PyTorch's",
        0.4,
        quotient(startup(step="serve", engine="openvino"), startup(step="serve", engine="torch")),
        at_most=True,
    ),
    *(
        Bar(
            f"memory of a segmenter's worker{load}: OpenVINO's over PyTorch's",
            0.5,
            quotient(
                *(
                    highest(f"memory-{engine}", "worker_mb", **where)
                    for engine in ("openvino", "torch")
                )
            ),
            at_most=True,
        )
        for load, where in (
            (f", {LOAD_OF_PHOTOS}", {"load": LOAD_OF_PHOTOS}),
            (" at the heaviest load", {}),
        )
    ),
)
