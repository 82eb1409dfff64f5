"""A service that has nothing to do with images: every kind of input and answer that BentoML knows.

Environment variables let a test watch or break it: HOOKS names a file that the start-up and
shutdown hooks append to, FAIL_AT says where to raise or exit, or that a thread stays, and PAUSE
names a pipe that the API `pause` opens before it computes for a long time.
"""

# mypy: disable-error-code="untyped-decorator"

import os
import sys
import tempfile
import threading
import time
from collections.abc import Generator
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal

import bentoml
from bentoml.validators import ContentType
from pydantic import BaseModel, Field
from starlette.responses import Response

FAIL_AT = os.environ.get("FAIL_AT")

if FAIL_AT == "import":
    import_module("a_module_that_is_not_there")

if FAIL_AT == "help":
    threading.Thread(target=time.sleep, args=(600,)).start()

print("imported")  # noqa: T201 - a service may print


class Order(BaseModel):
    item: str
    count: int = Field(default=1, ge=1, le=9)


def note(event: str) -> None:
    if "HOOKS" in os.environ:
        with open(os.environ["HOOKS"], "a") as log:
            log.write(f"{event}\n")


def temporary_file(name: str, content: bytes) -> Path:
    path = Path(tempfile.mkdtemp(), name)
    path.write_bytes(content)
    return path


@bentoml.service(envs=[{"name": "GREETING", "value": "Hello"}])
class TextTools:
    """Small tools for text and numbers."""

    def __init__(self) -> None:
        if FAIL_AT == "init":
            raise ValueError("no dictionary\nwas found")
        if FAIL_AT == "exit":
            sys.exit(4)
        if FAIL_AT == "end":
            threading.Thread(target=time.sleep, args=(600,)).start()

    @bentoml.on_startup
    def start(self) -> None:
        note("start")

    @bentoml.on_shutdown
    def stop(self) -> None:
        note("stop")

    @bentoml.api
    def add(
        self,
        a: Annotated[int, Field(ge=0, le=100, description="The first number")],
        b: Annotated[float, Field(gt=-1)] = 1.5,
    ) -> dict[str, float]:
        """Add two numbers.

        The sum is a float where the second number is.
        """
        print("adding")  # noqa: T201
        return {"sum": a + b}

    @bentoml.api
    def greet(self, name: str, mood: Literal["dry", "warm"] = "dry") -> str:
        """Greet somebody."""
        return f"{os.environ['GREETING']} {name}{'!' if mood == 'warm' else '.'}"

    @bentoml.api
    def upper(self, text: Path, times: int = 1) -> Path:
        """Turn a text file into capitals."""
        return temporary_file("upper.md", text.read_bytes().upper() * times)

    @bentoml.api
    def picture(self, text: Path) -> Annotated[bytes, ContentType("image/x-portable-graymap")]:
        """Draw the bytes of a text as grey levels."""
        data = text.read_bytes()
        return b"P5 %d 1 255\n" % len(data) + data

    @bentoml.api
    def replace(self, text: Path, words: Path, sign: str = "*") -> str:
        """Hide the words of one file in another."""
        content = text.read_text()
        for word in words.read_text().split():
            content = content.replace(word, sign * len(word))
        return content

    @bentoml.api
    def reverse(self, data: bytes, /) -> bytes:
        """Turn a body round."""
        return data[::-1]

    @bentoml.api
    def shout(self, data: Path, /, ctx: bentoml.Context) -> dict[str, str]:
        """Say how loud the query wants a body to be."""
        return {"text": data.read_text().upper(), **dict(ctx.request.query_params)}

    @bentoml.api
    def total(self, numbers: list[float], /) -> float:
        """Sum up numbers."""
        return sum(numbers)

    @bentoml.api
    def order(self, order: Order, /) -> Order:
        """Confirm an order."""
        return order

    @bentoml.api
    def sizes(self, files: list[Path]) -> list[int]:
        """The sizes of files."""
        return [file.stat().st_size for file in files]

    @bentoml.api(batchable=True, max_batch_size=2)
    def batched_sizes(self, files: list[Path]) -> list[int]:
        """The sizes of files, two at a time."""
        return [file.stat().st_size for file in files]

    @bentoml.api
    def count_up(self, to: int = 3, unlucky: int = -1) -> Generator[str, None, None]:
        """Count, one number after another."""
        for number in range(to):
            if number == unlucky:
                raise ValueError("an unlucky number")
            yield f"{number} "

    @bentoml.task
    def count_words(self, text: Path, at_least: int = 1) -> dict[str, int]:
        """Count the words of a text, in the background."""
        words = text.read_text().split()
        if not words:
            raise ValueError("an empty text")
        return {"words": sum(len(word) >= at_least for word in words)}

    @bentoml.api
    def fail(self, text: Path) -> str:
        """Fail for a text that begins with "bad", and end the process for one with "quit"."""
        content = text.read_text()
        if content.startswith("quit"):
            sys.exit(0)
        if content.startswith("bad"):
            raise RuntimeError("a bad text")
        return content

    @bentoml.api
    def refuse(self, name: str) -> str:
        """Refuse every name."""
        raise bentoml.exceptions.InvalidArgument(f"{name} is not welcome")

    @bentoml.api
    def empty(self, code: int, ctx: bentoml.Context) -> Any:
        """Answer with a status alone."""
        ctx.response.status_code = code
        return Response()

    @bentoml.api
    def pause(self) -> None:
        """Compute for a minute."""
        with open(os.environ["PAUSE"], "w") as pipe:
            pipe.write("pausing")
        time.sleep(60)
