import hashlib
import io
import json
import pickle
import shutil
import struct
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image

from bentoml_img.labels import CIFAR10
from bentoml_img.training.classification import cifar10
from bentoml_img.training.classification.cifar10 import Split
from bentoml_img.training.errors import DatasetError


def split_of(n: int, seed: int) -> Split:
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8)
    return Split(images, np.arange(n, dtype=np.int64) % 10)


TRAIN, TEST = split_of(50, 0), split_of(10, 1)


Pickler: Any = vars(pickle)["_Pickler"]  # the one in Python, which can be extended


class Python2Pickler(Pickler):  # type: ignore[misc]
    """Writes strings, bytes and numpy's names as the official batches have them."""

    dispatch: ClassVar[dict[type, Any]] = dict(Pickler.dispatch)

    def save_string(self, obj: str | bytes) -> None:
        data = obj if isinstance(obj, bytes) else obj.encode("latin1")
        self.write(pickle.BINSTRING + struct.pack("<i", len(data)) + data)
        self.memoize(obj)

    dispatch[bytes] = dispatch[str] = save_string


def python2_pickle(batch: object) -> bytes:
    file = io.BytesIO()
    Python2Pickler(file, protocol=2).dump(batch)
    return file.getvalue().replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


def write_python_batches(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name, split in batches(".", "test_batch", "data_batch_{}"):
        data = split.images.transpose(0, 3, 1, 2).reshape(len(split), -1)
        batch = {"batch_label": name, "data": data, "labels": split.labels.tolist()}
        (folder / name).write_bytes(python2_pickle(batch))


def write_tfjs(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name, split in batches(".png", "test_batch.png", "data_batch_{}.png"):
        Image.fromarray(split.images.reshape(len(split), 1024, 3)).save(folder / name)
    (folder / "train_lables.json").write_text(json.dumps(TRAIN.labels.tolist()))
    (folder / "test_lables.json").write_text(json.dumps(TEST.labels.tolist()))


def batches(suffix: str, test_name: str, train_name: str) -> Iterator[tuple[str, Split]]:
    for i in range(5):
        part = slice(10 * i, 10 * (i + 1))
        yield train_name.format(i + 1), Split(TRAIN.images[part], TRAIN.labels[part])
    yield test_name, TEST


def write_folders(folder: Path) -> None:
    for name, split in (("train", TRAIN), ("test", TEST)):
        for i, (image, label) in enumerate(zip(split.images, split.labels, strict=True)):
            path = folder / name / CIFAR10[label] / f"{i:04}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
    (folder / "train" / "airplane" / ".DS_Store").write_bytes(b"\0")


def assert_same_images(split: Split, expected: Split) -> None:
    def content(s: Split) -> list[tuple[int, bytes]]:
        return sorted((int(y), x.tobytes()) for x, y in zip(s.images, s.labels, strict=True))

    assert content(split) == content(expected)


@pytest.mark.parametrize(
    ("write", "parent"),
    [
        (write_python_batches, ""),
        (write_python_batches, "cifar-10-batches-py"),
        (write_tfjs, ""),
        (write_tfjs, "package"),
        (write_folders, ""),
    ],
)
def test_every_layout_gives_the_same_arrays(tmp_path: Path, write: Any, parent: str) -> None:
    write(tmp_path / "data" / parent)
    train, test = cifar10.load(tmp_path / "data")
    assert train.images.dtype == np.uint8
    assert train.labels.dtype == np.int64
    assert_same_images(train, TRAIN)
    assert_same_images(test, TEST)


@pytest.mark.parametrize("write", [write_python_batches, write_tfjs])
def test_order_is_kept(tmp_path: Path, write: Any) -> None:
    write(tmp_path / "data")
    train, test = cifar10.load(tmp_path / "data")
    np.testing.assert_array_equal(train.images, TRAIN.images)
    np.testing.assert_array_equal(test.labels, TEST.labels)


def test_an_empty_folder_is_named_with_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no CIFAR-10 in .*data_batch_1"):
        cifar10.load(tmp_path)


class Forbidden:
    def __reduce__(self) -> Any:
        return exec, ("raise AssertionError('a pickle ran code')",)


@pytest.mark.parametrize("payload", [Forbidden(), {"data": Forbidden(), "labels": []}, Path("/")])
def test_a_pickle_with_another_type_is_refused(tmp_path: Path, payload: object) -> None:
    write_python_batches(tmp_path / "data")
    (tmp_path / "data" / "data_batch_3").write_bytes(pickle.dumps(payload))
    with pytest.raises(DatasetError, match=r"refused to load \w+\.\w+"):
        cifar10.load(tmp_path / "data")


def second_part_lost() -> bytes:
    """A PNG file of a large picture, of whose pixels only the first part is there."""
    file = io.BytesIO()
    Image.fromarray(split_of(64, 2).images.reshape(64, 1024, 3)).save(file, "PNG")
    whole = file.getvalue()
    start = whole.rindex(b"IDAT")
    return whole[:start] + bytes(len(whole) - start)


@pytest.mark.parametrize(
    ("write", "name", "content"),
    [
        (write_python_batches, "data_batch_2", b""),
        (write_python_batches, "data_batch_2", b"not a pickle"),
        (write_python_batches, "test_batch", pickle.dumps({"labels": [1]})),
        (write_python_batches, "test_batch", pickle.dumps([1, 2])),
        (write_tfjs, "data_batch_4.png", b"not a picture"),
        (write_tfjs, "train_lables.json", b"{"),
        (write_tfjs, "train_lables.json", b"[1, 2]"),
        (write_tfjs, "train_lables.json", json.dumps([10] * 50).encode()),
        (write_tfjs, "data_batch_4.png", second_part_lost()),
        (write_folders, "train/cat/broken.png", b"\x89PNG"),
    ],
)
def test_damage_is_told_in_one_line(tmp_path: Path, write: Any, name: str, content: bytes) -> None:
    write(tmp_path / "data")
    (tmp_path / "data" / name).write_bytes(content)
    with pytest.raises(DatasetError, match="cannot read CIFAR-10 in") as error:
        cifar10.load(tmp_path / "data")
    assert "\n" not in str(error.value)


def test_a_missing_batch_is_told(tmp_path: Path) -> None:
    write_tfjs(tmp_path / "data")
    (tmp_path / "data" / "test_batch.png").unlink()
    with pytest.raises(DatasetError, match=r"test_batch\.png"):
        cifar10.load(tmp_path / "data")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A web server for the folder that is returned; the archive in it is CIFAR-10's."""
    site = tmp_path / "site"
    site.mkdir()
    write_python_batches(tmp_path / "cifar-10-batches-py")
    with tarfile.open(site / "cifar.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "cifar-10-batches-py", "cifar-10-batches-py")
    shutil.rmtree(tmp_path / "cifar-10-batches-py")

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=site)) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        digest = hashlib.md5((site / "cifar.tar.gz").read_bytes()).hexdigest()
        monkeypatch.setattr(cifar10, "URL", f"http://127.0.0.1:{httpd.server_port}/cifar.tar.gz")
        monkeypatch.setattr(cifar10, "MD5", digest)
        yield site
        httpd.shutdown()
        thread.join()


def test_download_once(tmp_path: Path, server: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train, _ = cifar10.download(tmp_path / "kept")
    np.testing.assert_array_equal(train.images, TRAIN.images)
    (server / "cifar.tar.gz").unlink()
    train, _ = cifar10.download(tmp_path / "kept")
    np.testing.assert_array_equal(train.images, TRAIN.images)
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["cifar-10-batches-py"]
    assert capsys.readouterr().out == ""


def test_a_download_with_another_digest_is_refused(
    tmp_path: Path, server: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cifar10, "MD5", "0" * 32)
    with pytest.raises(DatasetError, match="cannot download CIFAR-10"):
        cifar10.download(tmp_path / "kept")
    assert not (tmp_path / "kept" / "cifar-10-batches-py").exists()


def test_a_failed_download_is_told(tmp_path: Path, server: Path) -> None:
    (server / "cifar.tar.gz").unlink()
    with pytest.raises(DatasetError, match="cannot download CIFAR-10: HTTP Error 404"):
        cifar10.download(tmp_path / "kept")
