"""What the figures should reach, and which figure of which benchmark says so."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from benchmarks.weights import REAL
from bentoml_img.engines import PRECISIONS

Row = Mapping[str, Any]
Results = Mapping[str, Sequence[Row]]  # the JSON lines of each benchmark, by its name
Value = Callable[[Results], float | None]

REDUCED = PRECISIONS[1:]
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


def figure(benchmark: str, key: str, **where: Any) -> Value:
    """The only figure that meets the conditions."""

    def value(results: Results) -> float | None:
        found = rows(results, benchmark, **where)
        if not found:
            return None
        (row,) = found
        return float(row[key])

    return value


def quotient(above: Value, below: Value) -> Value:
    def value(results: Results) -> float | None:
        one, other = above(results), below(results)
        return None if one is None or not other else one / other

    return value


def highest(benchmark: str, key: str, **where: Any) -> Value:
    """The highest of the figures that meet the conditions."""

    def value(results: Results) -> float | None:
        return max((row[key] for row in rows(results, benchmark, **where)), default=None)

    return value


def best(*values: Value) -> Value:
    """The highest of those that were measured."""

    def value(results: Results) -> float | None:
        measured = [alternative(results) for alternative in values]
        return max((one for one in measured if one is not None), default=None)

    return value


def over_rival(benchmark: str, rival: str, **where: Any) -> Value:
    """Our rate over that of a rival; of those whose name begins so, the one that does best."""

    def value(results: Results) -> float | None:
        found = rows(results, benchmark, server="ours", **where)
        ratios = found[0]["ratios"].items() if found else ()
        return min((ratio for name, ratio in ratios if name.startswith(rival)), default=None)

    return value


def tail_over_rival(benchmark: str, rival: str, network: str, photos: str, form: str) -> Value:
    """Our p99 over that of a rival in the setting and the form in which it answers most."""

    def value(results: Results) -> float | None:
        lines = rows(results, benchmark, network=network, photos=photos)
        ours = [row for row in lines if row["server"] == "ours" and row["form"] == form]
        theirs = [row for row in lines if row["server"].startswith(rival)]
        if not ours or not theirs:
            return None
        best = max(theirs, key=lambda row: float(row["rate"]))
        return float(ours[0]["p99"]) / float(best["p99"])

    return value


_network = partial(figure, "engines", precision="fp32")
_detector = partial(figure, "detectors", precision="fp32")


def _segmenter(model: str, limit: float) -> Bar:
    name = f"`{model}`, OpenVINO over eager PyTorch"
    return Bar(name, limit, _network("ratio", model=model))


def _labels(model: str) -> Bar:
    name = f"`{model}`, share of labels that are equal"
    return Bar(name, 0.9999, _network("label_agreement", model=model, weights=REAL))


OFFICIAL = "maskrcnn_resnet50_fpn"


def _agreement(measure: str, limit: float, key: str, at_most: bool = False) -> Bar:
    """Of what both find, if that is anything."""
    found, difference = (_detector(name, model=OFFICIAL) for name in ("found", key))

    def value(results: Results) -> float | None:
        return difference(results) if found(results) else None

    return Bar(f"`{OFFICIAL}`, {measure}", limit, value, at_most)


def _found(model: str) -> Bar:
    """Differences are those of things that both find: this says that these are nearly all."""
    of_model = partial(_detector, model=model)
    name = f"`{model}`, share of PyTorch's instances that are found"
    return Bar(name, 0.99, quotient(of_model("found"), of_model("instances")))


def _classifier(network: str, form: str, limit: float) -> Bar:
    name = f"classifier, {network} network, {form}: requests/s over LitServe"
    value = over_rival("serving", "LitServe", network=network, photos="32x32", form=form)
    return Bar(name, limit, value)


def _tail(network: str, form: str) -> Bar:
    name = f"classifier, {network} network, {form}: p99 over LitServe's"
    return Bar(
        name, 1.0, tail_over_rival("serving", "LitServe", network, "32x32", form), at_most=True
    )


def _masks(rival: str, segmenter: str = "segmenter", benchmark: str = "segmenting") -> Bar:
    name = f"{segmenter}, requests/s over {rival} with eager PyTorch"
    return Bar(name, 2.5, over_rival(benchmark, rival, form="multipart"))


def _startup(step: str, engine: str) -> Value:
    return figure("startup-segmenter", "ms", step=step, engine=engine)


BARS = (
    _segmenter("deeplabv3_lite", 2.5),
    _labels("deeplabv3_lite"),
    _segmenter("fcn_lite", 2.5),
    _labels("fcn_lite"),
    _segmenter("deeplabv3_resnet101", 1.6),
    _segmenter("deeplabv3_mobilenet_v3_large", 2.8),
    _segmenter("lraspp_mobilenet_v3_large", 2.0),
    Bar(
        f"`{OFFICIAL}`, OpenVINO over eager PyTorch, with drawing",
        1.4,
        _detector("ratio", model=OFFICIAL),
    ),
    _found(OFFICIAL),
    _agreement("difference of boxes, pixels", 0.01, "box_px", at_most=True),
    _agreement("difference of scores", 3e-4, "score", at_most=True),
    _agreement("intersection over union of masks", 0.998, "mask_iou"),
    Bar(
        "`maskrcnn_lite` with drawing, OpenVINO over eager PyTorch",
        2.0,
        _detector("ratio", model="maskrcnn_lite"),
    ),
    Bar(
        "`maskrcnn_lite` with drawing, the faster of int8 and bf16 over eager PyTorch",
        3.5,
        best(*(figure("detectors", "ratio", model="maskrcnn_lite", precision=p) for p in REDUCED)),
    ),
    _found("maskrcnn_lite"),
    Bar(
        "video, frames/s of the pipeline over the obvious loop",
        3.0,
        figure("video", "over_loop", way="pipeline"),
    ),
    Bar(
        "video, in the faster of int8 and bf16, over the obvious loop in fp32",
        3.0,
        best(*(figure("video", "over_loop", way=f"pipeline, {p}") for p in REDUCED)),
    ),
    Bar(
        "video, over the obvious loop, with PyTorch in both",
        1.3,
        figure("video", "over_loop", way="pipeline, PyTorch"),
    ),
    _classifier("tiny", "multipart", 1.25),
    _tail("tiny", "multipart"),
    _classifier("tiny", "raw", 2.0),
    _tail("tiny", "raw"),
    _classifier("shipped", "multipart", 1.05),
    _classifier("shipped", "raw", 1.05),
    _masks("LitServe"),
    _masks("FastAPI"),
    _masks("LitServe", "segmenter in int8", "segmenting-int8"),
    _masks("FastAPI", "segmenter in int8", "segmenting-int8"),
    Bar(
        "`bentoml run` of the segmenter, whole process: PyTorch's time over OpenVINO's",
        3.0,
        quotient(_startup("command", "torch"), _startup("command", "openvino")),
    ),
    Bar(
        "`bentoml serve` of the segmenter up to the first answer: OpenVINO's time over PyTorch's",
        0.4,
        quotient(_startup("serve", "openvino"), _startup("serve", "torch")),
        at_most=True,
    ),
    Bar(
        f"memory of a segmenter's worker, {LOAD_OF_PHOTOS}: OpenVINO's over PyTorch's",
        0.5,
        quotient(
            highest("memory-openvino", "worker_mb", load=LOAD_OF_PHOTOS),
            highest("memory-torch", "worker_mb", load=LOAD_OF_PHOTOS),
        ),
        at_most=True,
    ),
    Bar(
        "memory of a segmenter's worker at the heaviest load: OpenVINO's over PyTorch's",
        0.5,
        quotient(
            highest("memory-openvino", "worker_mb"),
            highest("memory-torch", "worker_mb"),
        ),
        at_most=True,
    ),
)
