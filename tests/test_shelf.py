import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bentoml_img import zoo
from bentoml_img.bundle import GRAPH, GRAPH_DATA, RULES, WEIGHTS, Bundle, BundleError, sha256
from bentoml_img.engines import load_engine
from bentoml_img.paths import SHIPPED
from bentoml_img.published import fetch, weights
from bentoml_img.published.weights import WeightsError, load_into
from bentoml_img.segment import Segmenter
from bentoml_img.shelf import official_bundle
from tests.exporting.test_assemble import without_graphs
from tests.segmenters import lively_module
from tests.test_segment import noisy_photo
from tests.weights_server import Server, server

__all__ = ["server", "without_graphs"]

NAME = "lraspp_mobilenet_v3_large"


@pytest.fixture(scope="module")
def state_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state dict as torchvision publishes them, with the auxiliary head of other models."""
    state = {**lively_module(NAME).state_dict(), "aux_classifier.0.weight": torch.zeros(3)}
    path = tmp_path_factory.mktemp("weights") / "mine.pth"
    torch.save(state, path)
    return path


@pytest.fixture(scope="module")
def made(state_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return official_bundle(NAME, tmp_path_factory.mktemp("bundles") / NAME, state_file)


def test_a_bundle_of_ones_own_weights(made: Path, state_file: Path) -> None:
    manifest = Bundle.open(made).verify().manifest
    assert set(manifest.files) == {WEIGHTS, GRAPH, GRAPH_DATA}
    assert manifest.source_sha256 == sha256(state_file)
    assert manifest.trained_on == "unknown data (mine.pth)"
    assert manifest.license == "unknown"
    assert "coco_voc_miou_published" not in manifest.scores
    assert manifest.scores["export_label_agreement"] == 1
    assert manifest.labels == zoo.find(NAME).labels
    assert [path.name for path in made.parent.iterdir()] == [NAME]


def test_a_published_file_with_another_hash_is_damaged(state_file: Path, tmp_path: Path) -> None:
    published = zoo.find(NAME).published
    assert published is not None
    damaged = tmp_path / published.file
    damaged.write_bytes(state_file.read_bytes())
    with pytest.raises(WeightsError, match="damaged"):
        official_bundle(NAME, tmp_path / NAME, damaged)


@pytest.mark.parametrize("size", [(96, 64), (61, 97), (200, 51)])
def test_both_engines_give_the_same_labels(made: Path, size: tuple[int, int]) -> None:
    masks = []
    for name in ("torch", "openvino"):
        manifest = replace(Bundle.open(made).verify().manifest, input_size=(96,))
        (answer,) = Segmenter(manifest, load_engine(Bundle.open(made), name))([noisy_photo(*size)])
        masks.append(answer.mask)
    assert len(np.unique(masks[0])) > 3
    assert (masks[0] == masks[1]).mean() >= 0.999


def test_weights_keep_every_bit(made: Path, state_file: Path) -> None:
    module = zoo.build(NAME).eval()
    load_into(module, weights.load_state(state_file), state_file)
    batch = np.random.default_rng(0).normal(size=(1, 3, 64, 80)).astype(np.float32)
    with torch.no_grad():
        expected = module(torch.from_numpy(batch)).numpy()
    np.testing.assert_allclose(load_engine(Bundle.open(made), "torch")(batch), expected, atol=1e-5)
    np.testing.assert_allclose(
        load_engine(Bundle.open(made), "openvino")(batch), expected, atol=1e-3
    )


def test_what_is_made_is_found_again(
    made: Path, state_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (made / GRAPH).stat()
    monkeypatch.setattr(zoo, "build", None)
    assert official_bundle(NAME, made, state_file) == made
    assert (made / GRAPH).stat() == before


def test_what_another_version_made_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class MadeAgain(Exception):
        pass

    def build(name: str) -> None:
        raise MadeAgain

    monkeypatch.setattr(zoo, "build", build)
    name, state = "maskrcnn_resnet50_fpn", tmp_path / "mine.pth"
    state.write_bytes(b"weights")
    rules = json.loads((SHIPPED / "maskrcnn_lite" / RULES).read_text())
    manifest = zoo.find(name).manifest(
        license="unknown", trained_on="nothing", source_sha256=sha256(state)
    )
    (tmp_path / RULES).write_text(json.dumps(rules))
    Bundle.write(tmp_path, manifest, [RULES])
    assert official_bundle(name, tmp_path, state) == tmp_path
    (tmp_path / RULES).write_text(json.dumps(rules | {"candidates": rules.pop("pre_nms_top_n")}))
    Bundle.write(tmp_path, manifest, [RULES])
    with pytest.raises(MadeAgain):
        official_bundle(name, tmp_path, state)


@pytest.mark.usefixtures("without_graphs")
def test_published_weights_are_downloaded_and_used_without_a_network_after(
    server: Server, state_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.content = state_file.read_bytes()
    server.breaks = 2
    file = f"net-{sha256(state_file)[:8]}.pth"
    entry = zoo.find(NAME)
    assert entry.published is not None
    published = replace(entry.published, file=file)
    monkeypatch.setitem(zoo.ZOO, NAME, replace(entry, published=published))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = official_bundle(NAME, tmp_path / "bundle", url=server.url)
    manifest = Bundle.open(folder).verify().manifest
    assert len(server.asked) == 3
    assert manifest.source_sha256 == sha256(state_file)
    assert manifest.scores["coco_voc_miou_published"] == published.scores["coco_voc_miou"]
    assert manifest.license == zoo.PUBLISHED_LICENSE
    weights.cache_folder().joinpath(file).unlink()
    assert official_bundle(NAME, folder, url="http://127.0.0.1:9") == folder


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("classifier.cbr.0.weight"), "it lacks classifier.cbr.0.weight"),
        (lambda state: state.update(head=torch.zeros(3)), "it has head"),
        (
            lambda state: state.update({"classifier.low_classifier.bias": torch.zeros(3)}),
            "size mismatch for classifier.low_classifier.bias",
        ),
    ],
)
def test_weights_of_another_network_are_refused(
    change: object, message: str, state_file: Path, tmp_path: Path
) -> None:
    state = weights.load_state(state_file)
    assert callable(change)
    change(state)
    other = tmp_path / "other.pth"
    torch.save(state, other)
    with pytest.raises(WeightsError, match=message) as error:
        official_bundle(NAME, tmp_path / "bundle", other)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "bundle").exists()


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"no file .*absent\.pth"):
        official_bundle(NAME, tmp_path / "bundle", tmp_path / "absent.pth")


def test_models_that_are_not_published(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="nobody publishes weights for fcn_lite"):
        official_bundle("fcn_lite", tmp_path)


def test_without_pytorch_nothing_is_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "bentoml_img.exporting.assemble", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setattr(fetch, "fetch", lambda *_: pytest.fail("it downloads"))
    with pytest.raises(ModuleNotFoundError, match="torch"):
        official_bundle(NAME, tmp_path / NAME)
