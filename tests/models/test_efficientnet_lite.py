import pytest
import torch

from bentoml_img.models.efficientnet_lite import EfficientNetLite, round_channels


def lively_reference(output_stride: int) -> torch.nn.Module:
    """timm's network in double precision, with statistics that do something."""
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    reference: torch.nn.Module = timm.create_model(
        "tf_efficientnet_lite2", features_only=True, output_stride=output_stride
    )
    reference = reference.double().eval()
    for module in reference.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # else they would do nothing
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, std=0.1)
            assert module.running_mean is not None
            assert module.running_var is not None
            torch.nn.init.normal_(module.running_mean, std=0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    return reference


def test_features_are_those_of_timm() -> None:
    reference = lively_reference(16)
    backbone = EfficientNetLite().double()
    backbone.load_imagenet(reference.state_dict())
    images = torch.randn(1, 3, 64, 96, dtype=torch.float64)
    with torch.no_grad():
        expected = reference(images)[-1]
        features = backbone(images)
    assert features.shape == (1, backbone.channels, 4, 6)
    assert expected.abs().max() > 0.1
    torch.testing.assert_close(features, expected, rtol=1e-9, atol=1e-9)


def test_the_pyramid_is_that_of_timm() -> None:
    reference = lively_reference(32)
    backbone = EfficientNetLite(output_stride=32).double()
    backbone.load_imagenet(reference.state_dict())
    images = torch.randn(1, 3, 64, 96, dtype=torch.float64)
    with torch.no_grad():
        expected = reference(images)[1:]
        levels = backbone.pyramid(images)
    assert [level.shape[1] for level in levels] == backbone.level_channels
    assert [tuple(level.shape[2:]) for level in levels] == [(16, 24), (8, 12), (4, 6), (2, 3)]
    for ours, theirs in zip(levels, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


def test_weights_do_not_depend_on_the_output_stride() -> None:
    dense, strided = EfficientNetLite(), EfficientNetLite(output_stride=32)
    strided.load_state_dict(dense.state_dict())


def test_a_gradient_reaches_every_parameter() -> None:
    backbone = EfficientNetLite()
    torch.autograd.backward(backbone(torch.randn(1, 3, 32, 32)).square().sum())
    assert all(p.grad is not None for p in backbone.parameters())


@pytest.mark.parametrize(("stages", "begin"), [(0, "stages.0."), (2, "stages.2.")])
def test_the_stem_and_the_first_stages_can_be_frozen(stages: int, begin: str) -> None:
    backbone = EfficientNetLite()
    backbone.freeze(stages)
    names = [name for name, _ in backbone.named_parameters()]
    learning = [name for name, p in backbone.named_parameters() if p.requires_grad]
    assert learning == names[-len(learning) :]
    assert learning[0].startswith(begin)


def test_weights_of_another_network_are_refused() -> None:
    backbone = EfficientNetLite()
    wider = {**backbone.state_dict(), "stages.3.0.layers.0.conv.weight": torch.ones(6, 6, 1, 1)}
    with pytest.raises(ValueError, match="weights are of another network"):
        backbone.load_imagenet(wider)


@pytest.mark.parametrize(("channels", "rounded"), [(17.6, 16), (26.4, 24), (123.2, 120), (12, 16)])
def test_round_channels(channels: float, rounded: int) -> None:
    assert round_channels(channels) == rounded
