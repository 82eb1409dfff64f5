"""Files, patterns and parameters from a command line."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bentoml_run.errors import WrongUsage
from bentoml_run.inputs import InputFile, expand, plan, read_input
from bentoml_run.schema import Api

FILE = {"type": "file", "format": "binary"}
FILES = {"type": "array", "items": FILE}
TEXT = {"type": "string"}
NUMBER = {"type": "integer"}


def api(*required: str, **properties: Mapping[str, Any]) -> Api:
    schema = {"type": "object", "properties": properties, "required": required}
    return Api.from_route({"name": "f", "route": "/f", "input": schema, "output": {}})


def raw(**schema: Any) -> Api:
    route = {"name": "f", "route": "/f", "input": {**schema, "root_input": True}, "output": {}}
    return Api.from_route(route)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("b.txt", "a.txt", "c[1].txt", "sub/d.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (["b.txt", "a.txt", "b.txt"], ["b.txt", "a.txt", "b.txt"]),
        (["?.txt"], ["a.txt", "b.txt"]),
        (["c[1].txt"], ["c[1].txt"]),
        (["*"], ["a.txt", "b.txt", "c[1].txt"]),
        (["**/d.txt", "a.txt"], ["sub/d.txt", "a.txt"]),
    ],
)
def test_expand(patterns: list[str], names: list[str], folder: Path) -> None:
    files = expand(patterns)
    assert [file.written for file in files] == names
    assert [file.path for file in files] == [folder / name for name in names]


def test_expand_home(folder: Path) -> None:
    assert expand(["~/a.txt"])[0].path == folder / "a.txt"
    assert expand(["~/a.*"])[0].path == folder / "a.txt"


@pytest.mark.parametrize("pattern", ["no.txt", "no*.txt", "sub", ""])
def test_expand_refuses(pattern: str, folder: Path) -> None:
    with pytest.raises(WrongUsage):
        expand([pattern])


def test_a_broken_link_is_no_match_to_pass_over(folder: Path) -> None:
    (folder / "lost.txt").symlink_to("nowhere")
    with pytest.raises(WrongUsage, match=r"lost\.txt: no such file"):
        expand(["*.txt"])


def test_read_input(folder: Path) -> None:
    assert read_input('{"ä": 1}') == '{"ä": 1}'.encode()
    assert read_input("@a.txt") == b"a.txt"
    assert read_input("caf\udce9") == b"caf\xe9"
    with pytest.raises(WrongUsage, match="no such file"):
        read_input("@no.txt")
    with pytest.raises(WrongUsage, match=r"-: no such file; standard input is /dev/stdin, with"):
        expand(["-"])


def test_a_standard_input_that_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(WrongUsage, match="standard input, which is closed"):
        read_input("-")


def test_one_call_for_each_file_or_one_for_all(folder: Path) -> None:
    a, b = expand(["a.txt", "b.txt"])
    one = plan(api("image", image=FILE, k=NUMBER), [a, b], None, [("k", "3")])
    assert [(call.files, call.fields) for call in one] == [
        ((("image", a),), {"k": 3}),
        ((("image", b),), {"k": 3}),
    ]
    (batch,) = plan(api("images", images=FILES), [a, b], None, [])
    assert batch.files == (("images", a), ("images", b))
    (given,) = plan(api("images", images=FILES), [], None, [("images", "@?.txt")])
    assert (given.files, given.attached) == ((), batch.files)


def test_the_file_field_that_is_left(folder: Path) -> None:
    a, b = expand(["a.txt", "b.txt"])
    two = api("photo", "mask", photo=FILE, mask=FILE)
    (call,) = plan(two, [a], None, [("mask", "@b.txt")])
    assert (call.files, call.attached) == ((("photo", a),), (("mask", b),))
    assert (call.input_files, call.sources) == ((a,), (a, b))
    with pytest.raises(WrongUsage, match=r"photo, mask.*--param mask=@FILE"):
        plan(two, [a], None, [])
    with pytest.raises(WrongUsage, match="no file field left"):
        plan(two, [a], None, [("mask", "@b.txt"), ("photo", "@b.txt")])
    optional = api("photo", photo=FILE, mask=FILE)
    assert plan(optional, [a], None, [])[0].files == (("photo", a),)


def test_parameters_win_over_input(folder: Path) -> None:
    (call,) = plan(api("a", a=NUMBER, b=TEXT), [], b'{"a": 1, "b": "x"}', [("b", "2")])
    assert call.fields == {"a": 1, "b": "2"}


@pytest.mark.parametrize(
    ("given", "params", "message"),
    [
        (b"[1]", [], "must be a JSON object"),
        (b"{", [], "is not JSON"),
        (b"[" * 100_000, [], "is not JSON"),
        (b'{"tect": 1}', [], r"no parameter 'tect'\. Did you mean text\?"),
        (b'{"image": "http://host/x.jpg"}', [], "image is a file"),
        (None, [("image", "http://host/x.jpg")], "image is a file"),
        (None, [("zzz", "1")], "It has: image, text"),
        (None, [], "needs image: --input-file FILE"),
        (None, [("image", "@a.txt")], "needs text: --param text=VALUE"),
        (None, [("text", "1"), ("text", "2")], "--param text is given more than once"),
        (None, [("image", "@a.txt"), ("image", "@b.txt")], "--param image gives several"),
        (None, [("image", "@?.txt")], "image is one file, and --param image gives several"),
    ],
)
def test_plan_refuses(
    given: bytes | None, params: list[tuple[str, str]], message: str, folder: Path
) -> None:
    with pytest.raises(WrongUsage, match=message):
        plan(api("image", "text", image=FILE, text=TEXT), [], given, params)


def test_raw_body(folder: Path) -> None:
    (a,) = expand(["a.txt"])
    picture = raw(type="file", format="image")
    (call,) = plan(picture, [a], None, [("size", "3")])
    assert (call.document, call.body, call.query) == (a, None, {"size": "3"})
    (call,) = plan(raw(type="string"), [], b"not JSON", [])
    assert call.body == b"not JSON"
    (call,) = plan(raw(type="integer", default=3), [], None, [])
    assert call.body == b""
    with pytest.raises(WrongUsage, match="not both"):
        plan(picture, [a], b"x", [])
    with pytest.raises(WrongUsage, match="needs an input"):
        plan(picture, [], None, [])
    with pytest.raises(WrongUsage, match="not JSON"):
        plan(raw(type="integer"), [], b"x", [])


def test_requests_from_files(folder: Path) -> None:
    (a,) = expand(["a.txt"])
    (call,) = plan(api("x", x=NUMBER), [a], None, [("x", "1")])
    assert (call.document, call.input_files, call.sources) == (a, (a,), (a,))
    assert call.fields == {"x": 1}


def test_unreadable_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may read all
    with pytest.raises(WrongUsage, match="permission denied"):
        InputFile.of("a.txt")


def test_a_file_in_a_locked_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(path: Path) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "stat", locked)  # root may look everywhere
    with pytest.raises(WrongUsage, match="permission denied"):
        InputFile.of("a.txt")
