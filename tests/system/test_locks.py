import threading
from pathlib import Path

import pytest

from bentoml_img.system.locks import exclusive, is_locked, try_exclusive


def test_a_lock_is_one_holders_until_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "new" / "lock"
    assert not is_locked(path)
    lock = try_exclusive(path)
    assert lock is not None
    assert is_locked(path)
    assert try_exclusive(path) is None
    lock.close()
    assert not is_locked(path)
    with exclusive(path):
        assert is_locked(path)
    assert not is_locked(path)


@pytest.mark.parametrize("name", ["lock", "."])
def test_others_wait_for_it(name: str, tmp_path: Path) -> None:
    entered = threading.Event()

    def enter() -> None:
        with exclusive(tmp_path / name):
            entered.set()

    other = threading.Thread(target=enter)
    with exclusive(tmp_path / name):
        other.start()
        assert not entered.wait(0.1)
    other.join(10)
    assert entered.is_set()


def test_a_file_that_its_holder_takes_away_is_made_anew_by_whoever_waits(tmp_path: Path) -> None:
    path = tmp_path / "parts" / "lock"
    entered, leave = threading.Event(), threading.Event()

    def enter() -> None:
        with exclusive(path):
            entered.set()
            assert leave.wait(10)

    other = threading.Thread(target=enter)
    with exclusive(path):
        other.start()
        assert not entered.wait(0.1)
        path.unlink()
        path.parent.rmdir()
    assert entered.wait(10)
    assert is_locked(path)
    leave.set()
    other.join(10)
