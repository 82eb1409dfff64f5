"""OpenVINO's settings that no answer shows."""

from collections.abc import Iterator

import openvino
import pytest

from bentoml_img.engines.openvino import CACHED, core


@pytest.fixture
def set_properties(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, object]]]:
    """What is set on cores that are made meanwhile."""
    properties: list[dict[str, object]] = []
    monkeypatch.setattr(
        openvino.Core, "set_property", lambda core, device, values: properties.append(values)
    )
    core.cache_clear()
    yield properties
    core.cache_clear()


def test_little_is_kept_for_inputs_of_other_sizes(set_properties: list[dict[str, object]]) -> None:
    core()
    assert set_properties == [{"CPU_RUNTIME_CACHE_CAPACITY": CACHED}]


def test_openvino_knows_the_property() -> None:
    openvino.Core().set_property("CPU", {"CPU_RUNTIME_CACHE_CAPACITY": CACHED})


def test_an_openvino_without_the_property_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("unsupported property")

    monkeypatch.setattr(openvino.Core, "set_property", refuse)
    core.cache_clear()
    assert "CPU" in core().available_devices
    core.cache_clear()
