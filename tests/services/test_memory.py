import subprocess
import sys

import pytest

RETAINED = """
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from PIL import Image
from services.memory import return_large_blocks

{call}

def resident():
    return 1024 * int(re.search(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

def decode(n):
    bytearray(30 * 2**20)  # once freed, it raises the size from which blocks are returned
    image = Image.new("RGB", (8000, 1000 * n), "white")
    return bytearray(100_000), image.size  # something small that lives on behind it

with ThreadPoolExecutor(1) as pool:
    pool.submit(decode, 1).result()
    before = resident()
    answers = [pool.submit(decode, n).result() for n in (4, 8, 4)]
    print(resident() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_large_picture_leaves_nothing_behind() -> None:
    left = {}
    for call in ("", "return_large_blocks()"):
        command = [sys.executable, "-c", RETAINED.format(call=call)]
        left[call] = int(subprocess.run(command, capture_output=True, check=True).stdout)
    assert left["return_large_blocks()"] < 10e6
    assert left[""] > 100e6, "this C library needs no telling"
