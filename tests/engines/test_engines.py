import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import openvino as ov
import pytest
from openvino import properties

from bentoml_img.bundle import GRAPH, GRAPH_DATA, WEIGHTS, Bundle, BundleError
from bentoml_img.classify import Classifier
from bentoml_img.engines import load_engine, openvino, resolve
from bentoml_img.images import read_rgb
from bentoml_img.paths import SHIPPED


def bundle_with(folder: Path, model: Path, *files: str) -> Bundle:
    """A bundle that names some of another's files; they are empty."""
    for name in files:
        (folder / name).touch()
    return Bundle.write(folder, Bundle.open(model).manifest, files)


@pytest.mark.parametrize(
    ("files", "engine"),
    [((WEIGHTS, GRAPH, GRAPH_DATA), "openvino"), ((GRAPH,), "openvino"), ((WEIGHTS,), "torch")],
)
def test_auto_takes_the_graph_where_there_is_one(
    files: tuple[str, ...], engine: str, bundle: Path, tmp_path: Path
) -> None:
    assert resolve(bundle_with(tmp_path, bundle, *files)) == engine


@pytest.mark.parametrize(("files", "engine"), [((WEIGHTS,), "openvino"), ((GRAPH,), "torch")])
def test_an_engine_without_its_file_is_refused(
    files: tuple[str, ...], engine: str, bundle: Path, tmp_path: Path
) -> None:
    with pytest.raises(BundleError, match=f"which the engine '{engine}' needs"):
        resolve(bundle_with(tmp_path, bundle, *files), engine)


@pytest.mark.parametrize(("file", "engine"), [(GRAPH, "openvino"), (WEIGHTS, "torch")])
def test_a_damaged_network_is_named(file: str, engine: str, bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=re.escape(str(tmp_path / file))):
        load_engine(bundle_with(tmp_path, bundle, file), engine)


def test_an_unknown_engine_is_met_with_the_known_ones(bundle: Path) -> None:
    with pytest.raises(BundleError, match="choose one of auto, openvino, torch"):
        load_engine(Bundle.open(bundle), "abacus")


@pytest.mark.skipif(sys.platform != "linux", reason="looks at threads as Linux shows them")
def test_openvino_binds_no_thread_to_a_core(bundle: Path) -> None:
    engine = load_engine(Bundle.open(bundle), "openvino", threads=2)
    engine(np.zeros((1, 3, 128, 128), np.float32))
    threads = [int(task.name) for task in Path("/proc/self/task").iterdir()]
    assert {frozenset(os.sched_getaffinity(thread)) for thread in threads} == {
        frozenset(os.sched_getaffinity(0))
    }


def test_int8_needs_a_graph_of_its_own(bundle: Path, tmp_path: Path) -> None:
    files = (WEIGHTS, GRAPH, GRAPH_DATA)
    with pytest.raises(BundleError, match=r"has no model_int8.xml: docs/precision.md tells how"):
        resolve(Bundle.open(SHIPPED / "cifar_lite"), precision="int8")
    made = bundle_with(tmp_path, bundle, *files, "model_int8.xml", "model_int8.bin")
    assert resolve(made, precision="int8") == "openvino"


def test_bf16_needs_a_processor_that_has_it(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino, "has_bfloat16", lambda: True)
    assert resolve(Bundle.open(bundle), precision="bf16") == "openvino"
    monkeypatch.setattr(openvino, "has_bfloat16", lambda: False)
    with pytest.raises(BundleError, match="this processor has no bfloat16"):
        load_engine(Bundle.open(bundle), precision="bf16")


def test_precisions_that_do_not_fit_are_refused(bundle: Path) -> None:
    with pytest.raises(BundleError, match="choose one of fp32, bf16, int8"):
        resolve(Bundle.open(bundle), precision="fp8")
    with pytest.raises(BundleError, match="'torch' computes in fp32 only"):
        resolve(Bundle.open(bundle), "torch", "bf16")


def test_each_precision_is_computed_in_whatever_the_default_is(bundle: Path) -> None:
    hint = properties.hint.inference_precision()
    expected = {"fp32": ov.Type.f32, "int8": ov.Type.f32}
    if openvino.has_bfloat16():
        expected["bf16"] = ov.Type.bf16
    for precision, used in expected.items():
        compiled = openvino.request(bundle / GRAPH, precision, 1).get_compiled_model()
        assert compiled.get_property(hint) == used


def test_openvino_needs_no_pytorch(bundle: Path) -> None:
    program = """
import sys
from pathlib import Path
from bentoml_img.bundle import Bundle
from bentoml_img.engines import load_engine
load_engine(Bundle.open(Path(sys.argv[1])), "openvino")
assert not {"torch", "torchvision", "safetensors"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program, bundle], check=True)


@pytest.mark.parametrize("threads", [None, 1])
def test_a_batch_gives_what_its_images_give_alone(bundle: Path, threads: int | None) -> None:
    engine = load_engine(Bundle.open(bundle), "openvino", threads=threads)
    height, width = Bundle.open(bundle).manifest.input_size
    batch = np.random.default_rng(0).normal(size=(5, 3, height, width)).astype(np.float32)
    together = engine(batch)
    assert (together.shape, together.dtype.name) == ((5, 10), "float32")
    alone = np.concatenate([engine(image[None]) for image in batch])
    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_an_answer_is_not_overwritten_by_the_next_one(bundle: Path) -> None:
    engine = load_engine(Bundle.open(bundle), "openvino")
    shape = (1, 3, *Bundle.open(bundle).manifest.input_size)
    first = engine(np.zeros(shape, np.float32))
    kept = first.copy()
    engine(np.ones(shape, np.float32))
    np.testing.assert_array_equal(first, kept)


def test_both_engines_agree_on_photos(bundle: Path, photos: dict[Path, str]) -> None:
    pytest.importorskip("torch")
    images = [read_rgb(photo) for photo in photos]
    graph, module = (Classifier.from_bundle(bundle, name)(images) for name in ("openvino", "torch"))
    assert [answer.label for answer in graph] == [answer.label for answer in module]
    for one, other in zip(graph, module, strict=True):
        assert one.scores == pytest.approx(other.scores, abs=5e-3)
