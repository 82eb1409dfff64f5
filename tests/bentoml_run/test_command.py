"""The command as a user meets it: output, files, exit status."""

import ast
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bentoml_run.conftest import BENTOML, Command


def own_lines(stderr: str) -> list[str]:
    """Standard error without what the service prints."""
    return [line for line in stderr.splitlines() if line not in ("imported", "adding")]


def test_import_loads_only_click() -> None:
    code = (
        "import sys; before = set(sys.modules); import bentoml_run.command;"
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before})"
    )
    names = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(names.stdout.split()) - sys.stdlib_module_names <= {"bentoml_run", "click"}


def test_several_inputs(bentoml: Command, texts: Path) -> None:
    log = texts / "hooks.log"
    result = bentoml(
        *("run", "TextTools:latest", "fail"),
        *("--input-file", "b.txt", "bad.txt", "--input-file=a.txt"),
        cwd=texts,
        HOOKS=str(log),
    )
    assert result.status == 1
    assert result.stdout == b"four\nfive\none two three\n"
    info, error, other_info = own_lines(result.stderr)
    assert "INFO" in info
    assert "INFO" in other_info
    assert error == (
        "Error: bad.txt: 500 An unexpected error has occurred, please check the server log. "
        "[RuntimeError: a bad text; --verbose shows more]"
    )
    assert log.read_text() == "start\nstop\n"


def test_info_line(bentoml: Command, texts: Path) -> None:
    result = bentoml("run", "texttools", "fail", "--input-file=a.txt", cwd=texts)
    record = ast.literal_eval(result.records[0])
    assert record.pop("request_id")
    assert record["task"].pop("task_id")
    assert record == {
        "service_name": "TextTools",
        "service_version": "v1",
        "api": "fail",
        "task": {
            "data": {"uri": (texts / "a.txt").as_uri(), "name": "a.txt"},
            "cli_args": ("--input-file=a.txt",),
        },
        "result": {
            "data": "one two three\n",
            "http_status": 200,
            "http_headers": (("Content-Type", "text/plain; charset=utf-8"),),
        },
    }


@pytest.mark.parametrize(
    "options",
    [
        ["--input-file=a.txt", "--param=words=@b.txt"],
        ["--param=text=@a.txt", "--param=words=@b.txt"],
    ],
    ids=str,
)
def test_a_record_has_the_options_that_were_given(
    options: list[str], bentoml: Command, texts: Path
) -> None:
    result = bentoml("run", "TextTools", "replace", *options, "--format", "json", cwd=texts)
    task = json.loads(result.stdout)["task"]
    assert [file["name"] for file in task["data"]] == ["a.txt", "b.txt"]
    assert task["cli_args"] == options


def test_json_records(bentoml: Command, texts: Path) -> None:
    result = bentoml(
        *("run", "TextTools", "upper", "--input-file", "*.txt", "--output-dir", "out/new"),
        *("--param", "times=1", "--format", "json"),
        cwd=texts,
    )
    assert result.status == 0
    assert own_lines(result.stderr) == []
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert [record["task"]["data"]["name"] for record in records] == ["a.txt", "b.txt", "bad.txt"]
    assert records[0]["task"]["cli_args"] == ["--input-file=a.txt", "--param=times=1"]
    written = texts / "out" / "new" / "a_CAPS.md"
    assert records[0]["result"]["data"] == {"uri": written.as_uri(), "name": "a_CAPS.md"}
    assert written.read_text() == "ONE TWO THREE\n"


def test_results_never_replace_inputs_or_each_other(bentoml: Command, texts: Path) -> None:
    (texts / "a.pgm").write_text("an input")
    other = texts / "other"
    other.mkdir()
    (other / "a.md").write_text("another")
    inputs = ["--input-file", "a.txt", "a.pgm", "other/a.md"]
    for _ in range(2):  # and results of an earlier run are replaced
        result = bentoml("run", "TextTools", "picture", *inputs, cwd=texts)
        assert result.stdout == b"a-2.pgm\na-3.pgm\nother/a.pgm\n"
    assert (texts / "a.pgm").read_text() == "an input"
    assert (texts / "a-2.pgm").read_bytes().endswith(b"one two three\n")
    assert (texts / "a-3.pgm").read_bytes().endswith(b"an input")
    assert sorted(path.name for path in other.iterdir()) == ["a.md", "a.pgm"]


def test_a_call_that_fails_has_a_json_record_too(bentoml: Command, texts: Path) -> None:
    (texts / "a.json").write_text('{"a": 3}')
    result = bentoml(
        *("run", "TextTools", "add", "--input-file", "/proc/self/mem", "a.json"),
        *("--format", "json"),
        cwd=texts,
    )
    assert result.status == 1
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert [record["task"]["data"]["name"] for record in records] == ["mem", "a.json"]
    assert [record["result"]["http_status"] for record in records] == [None, 200]


def test_unwritable_result(bentoml: Command, texts: Path) -> None:
    (texts / "file").touch()
    result = bentoml(
        *("run", "TextTools", "upper", "--input-file=a.txt", "--output-dir=file/out"),
        *("--format", "json"),
        cwd=texts,
    )
    assert result.status == 1
    assert json.loads(result.stdout)["result"]["data"] is None
    path = texts / "file" / "out" / "a_CAPS.md"
    assert own_lines(result.stderr) == [f"Error: a.txt: cannot write {path}: Not a directory"]


def test_a_result_that_a_folder_is_in_the_place_of(bentoml: Command, texts: Path) -> None:
    path = texts / "a_CAPS.md"
    path.mkdir()
    result = bentoml("run", "TextTools", "upper", "-q", "--input-file", "a.txt", "b.txt", cwd=texts)
    assert (result.status, result.stdout) == (1, b"b_CAPS.md\n")
    assert own_lines(result.stderr) == [
        f"Error: a.txt: cannot write {path}: Is a directory; --output-dir writes elsewhere"
    ]
    assert not [name for name in os.listdir(texts) if name.endswith(".part")]


def test_the_home_folder_is_known_after_an_equals_sign(
    environment: dict[str, str], texts: Path
) -> None:
    result = subprocess.run(
        [*BENTOML, "run", "TextTools", "upper", "-q", "--input-file=~/a.txt", "--output-dir=~/o"],
        env={**environment, "HOME": str(texts)},
        capture_output=True,
        text=True,
    )
    assert Path(result.stdout.strip()).read_text() == "ONE TWO THREE\n"
    assert Path(result.stdout.strip()).parent == texts / "o"


def test_a_file_in_the_home_folder_is_no_output_folder(bentoml: Command, texts: Path) -> None:
    result = bentoml("run", "TextTools", "upper", "--output-dir=~/a.txt", HOME=str(texts))
    assert (result.status, result.stderr) == (2, "Error: ~/a.txt is not a folder.\n")


def test_an_output_folder_without_a_name_is_the_one_at_hand(bentoml: Command, texts: Path) -> None:
    (texts / "in").mkdir()
    (texts / "a.txt").rename(texts / "in" / "a.txt")
    result = bentoml(
        *("run", "TextTools", "upper", "--input-file=in/a.txt", "--output-dir="), cwd=texts
    )
    assert result.stdout == b"a_CAPS.md\n"
    assert (texts / "a_CAPS.md").read_text() == "ONE TWO THREE\n"


@pytest.mark.parametrize(
    ("redirection", "message"),
    [(">&-", "standard output is closed"), ("> /dev/full", "standard output cannot be written")],
)
def test_a_standard_output_that_takes_nothing(
    redirection: str, message: str, environment: dict[str, str], texts: Path
) -> None:
    command = f"{shlex.join(BENTOML)} run TextTools order -q --param item=tea {redirection}"
    result = subprocess.run(
        ["bash", "-c", command], env=environment, cwd=texts, stderr=subprocess.PIPE, text=True
    )
    assert result.returncode == 1
    (line,) = own_lines(result.stderr)
    assert message in line


@pytest.mark.parametrize("arguments", ["--help", "TextTools --help", "TextTools add --help"])
def test_a_help_that_cannot_be_printed(arguments: str, environment: dict[str, str]) -> None:
    command = f"{shlex.join(BENTOML)} run {arguments} > /dev/full"
    result = subprocess.run(
        ["bash", "-c", command],
        env={**environment, "FAIL_AT": "help"},
        stderr=subprocess.PIPE,
        text=True,
    )
    told = "Error: standard output cannot be written: No space left on device"
    assert (result.returncode, own_lines(result.stderr)) == (1, [told])


def test_a_standard_error_that_is_closed(environment: dict[str, str], texts: Path) -> None:
    command = f"{shlex.join(BENTOML)} run TextTools order --param item=tea 2>&-"
    result = subprocess.run(
        ["bash", "-c", command], env=environment, cwd=texts, stdout=subprocess.PIPE
    )
    assert (result.returncode, result.stdout) == (0, b'{"item":"tea","count":1}\n')


def test_input_from_file_and_stdin(bentoml: Command, texts: Path) -> None:
    (texts / "order.json").write_text('{"item": "tea", "count": 3}')
    (texts / "list.json").write_text("[1]")
    (texts / "deep.json").write_text("[" * 100_000)
    run = ["run", "TextTools", "order", "-q"]
    given = bentoml(*run, "--input", "@order.json", "--param", "count=4", cwd=texts)
    assert given.stdout == b'{"item":"tea","count":4}\n'
    assert own_lines(given.stderr) == []
    piped = bentoml(*run, "--input", "-", cwd=texts, stdin=b'{"item": "milk"}')
    assert piped.stdout == b'{"item":"milk","count":1}\n'
    documents = ["--input-file", "deep.json", "order.json", "list.json", "a.txt"]
    files = bentoml(*run, *documents, cwd=texts)
    assert files.status == 1
    assert files.stdout == b'{"item":"tea","count":3}\n'
    deep, first, second = own_lines(files.stderr)
    assert deep.startswith("Error: deep.json: not JSON: ")
    assert first == "Error: list.json: not a JSON object"
    assert second.startswith("Error: a.txt: not JSON: ")


def test_a_file_name_that_is_no_text(bentoml: Command, texts: Path) -> None:
    name = os.fsdecode(b"\xff.txt")
    (texts / name).write_text("one")
    result = bentoml("run", "TextTools", "upper", "-q", "--input-file", name, cwd=texts)
    assert (result.status, result.stdout) == (0, b"\xff_CAPS.md\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["./x", "add"], "'./x' is not the tag of a Bento: write NAME or NAME:VERSION."),
        (["TextTools", "Ad"], "TextTools has no API 'Ad'. Did you mean add?"),
        (["TextTools", "add", "--param", "A1=1"], "add has no parameter 'A1'. Did you mean a?"),
        (["TextTools", "add"], "add needs a: --param a=VALUE."),
        (["TextTools", "upper"], "upper needs text: --input-file FILE."),
        (["TextTools", "upper", "--input-file", "no.txt"], "no.txt: no such file."),
        (["TextTools", "upper", "--input-file", "/dev/null", "no.txt"], "no.txt: no such file."),
        (["None", "none", "--input-file", "*.no"], "*.no: no file matches."),
        (["None", "none", "--input-file", ""], "a file without a name."),
        (["None", "none", "--input-file", "."], ". is a folder: name its files, as in './*'."),
        (["None", "none", "--output-dir", "/dev/null"], "/dev/null is not a folder."),
        (
            ["TextTools", "add", "--param", "a"],
            "Invalid value for '--param': 'a' is not NAME=VALUE.",
        ),
        (["TextTools", "add", "--input", "{"], "--input is not JSON: "),
        (["TextTools", "total", "--input", "1,"], "--input is not JSON: "),
    ],
)
def test_wrong_usage(arguments: list[str], message: str, bentoml: Command) -> None:
    result = bentoml("run", *arguments)
    assert result.status == 2
    assert result.stdout == b""
    assert "imported" not in result.stderr
    assert result.stderr.splitlines()[-1].startswith(f"Error: {message}")


@pytest.mark.parametrize(
    ("tag", "advice"),
    [
        ("TextTool", "Did you mean texttools?"),
        ("TextTools:v2", "Did you mean texttools:v1?"),
        ("Other", "'bentoml list' shows what there is."),
    ],
)
def test_an_unknown_bento_is_told_with_the_store(
    tag: str, advice: str, bentoml: Command, environment: dict[str, str]
) -> None:
    result = bentoml("run", tag, "add")
    assert (result.status, result.stdout) == (2, b"")
    home = environment["BENTOML_HOME"]
    assert result.stderr == f"Error: There is no Bento {tag} in {home} (BENTOML_HOME). {advice}\n"


def test_the_store_is_where_a_relative_path_leads(
    environment: dict[str, str], tmp_path: Path
) -> None:
    result = subprocess.run(
        [*BENTOML, "run", "TextTools:latest", "add"],
        cwd=tmp_path,
        env={**environment, "BENTOML_HOME": "store"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 2
    assert f"There is no Bento TextTools:latest in {tmp_path / 'store'} (" in result.stderr


def test_missing_bento(bentoml: Command) -> None:
    result = bentoml("run", "--input-file", "a.txt", "TextTools")
    assert result.status == 2
    assert "Missing argument 'BENTO'; it comes before --input-file." in result.stderr


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (
            "import",
            'texttools:v1 cannot be loaded: Failed to import module "text_tools": No module',
        ),
        ("init", "texttools:v1 failed to start or stop: ValueError: no dictionary"),
        ("exit", "texttools:v1 ended itself, with sys.exit(4)"),
    ],
)
def test_broken_service(place: str, message: str, bentoml: Command) -> None:
    result = bentoml("run", "TextTools", "add", "--param", "a=1", FAIL_AT=place)
    assert result.status == 1
    assert result.stdout == b""
    (line,) = own_lines(result.stderr)
    assert line.startswith(f"Error: {message}")


def test_a_service_that_ends_itself_when_it_is_called(bentoml: Command, tmp_path: Path) -> None:
    (tmp_path / "quit.txt").write_text("quit")
    result = bentoml("run", "TextTools", "fail", "--input-file=quit.txt", cwd=tmp_path)
    assert (result.status, result.stdout) == (1, b"")
    (line,) = own_lines(result.stderr)
    assert line == "Error: texttools:v1 ended itself, with sys.exit(0)"


@pytest.mark.parametrize(
    ("code", "status", "said"),
    [("204", 0, ""), ("302", 1, "Error: empty: 302 Found"), ("503", 1, "Error: empty: 503")],
)
def test_an_answer_without_content(
    code: str, status: int, said: str, bentoml: Command, tmp_path: Path
) -> None:
    result = bentoml("run", "TextTools", "empty", "-q", "--param", f"code={code}", cwd=tmp_path)
    assert (result.status, result.stdout.strip()) == (status, b"")
    assert "\n".join(own_lines(result.stderr)).startswith(said)
    assert not list(tmp_path.iterdir())


def test_a_stream_that_breaks_off_is_one_that_failed(bentoml: Command) -> None:
    result = bentoml("run", "TextTools", "count_up", "--param", "unlucky=2", "--param", "to=9")
    assert (result.status, result.stdout) == (1, b"0 1 ")
    (line,) = own_lines(result.stderr)
    assert line.startswith("Error: count_up: the answer broke off: ValueError: an unlucky number;")


def test_a_thread_that_a_service_leaves_behind_does_not_keep_the_command(bentoml: Command) -> None:
    result = bentoml("run", "TextTools", "add", "--param", "a=1", FAIL_AT="end")
    assert (result.status, result.stdout) == (0, b'{"sum": 2.5}\n')


def test_verbose_shows_the_traceback(bentoml: Command, texts: Path) -> None:
    result = bentoml("run", "TextTools", "fail", "--input-file=bad.txt", "--verbose", cwd=texts)
    assert result.status == 1
    assert "Traceback" in result.stderr
    assert result.stdout == b""


def test_help_of_the_command(bentoml: Command) -> None:
    result = bentoml("run", "--help")
    assert result.status == 0
    assert b"--input-file FILE..." in result.stdout
    assert b"run" in bentoml("--help").stdout


def test_help_of_a_bento(bentoml: Command) -> None:
    result = bentoml("run", "TextTools", "-h")
    assert result.status == 0
    page = result.stdout.decode()
    assert "Small tools for text and numbers." in page
    assert "  add            Add two numbers.\n" in page
    assert "imported" not in page


def test_help_of_an_api(bentoml: Command) -> None:
    page = bentoml("run", "TextTools", "add", "--help").stdout.decode()
    assert page.startswith("Usage: bentoml run TextTools add --param a=VALUE [--param NAME=VALUE]")
    assert "The sum is a float where the second number is." in page
    assert "  a  integer, 0 to 100; required. The first number\n" in page
    assert "  b  number, more than -1; default 1.5\n" in page
    page = bentoml("run", "TextTools", "replace", "-h").stdout.decode()
    assert "replace --input-file FILE... --param words=@FILE\n    " in page
    assert "one of dry, warm" in bentoml("run", "TextTools", "greet", "--help").stdout.decode()


def test_closed_stdout(environment: dict[str, str], texts: Path) -> None:
    with subprocess.Popen(
        [*BENTOML, "run", "TextTools", "count_up", "--param", "to=1000000"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.read(4) == "0 1 "
        process.stdout.close()
        assert process.stderr is not None
        assert own_lines(process.stderr.read()) == []
    assert process.returncode == 1
