"""The cross-stage partial trunk and the path-aggregating neck: shapes, multiples, what is frozen."""

from __future__ import annotations

import pytest
import torch

from headcount.core.errors import InputError
from headcount.models.parts.csp import CspDarknet, PathAggregation


@pytest.mark.parametrize("strides", [(8, 16, 32), (4, 8, 16, 32), (8,)])
def test_maps_have_the_shapes_of_their_strides(strides: tuple[int, ...]) -> None:
    trunk = CspDarknet(width=16, depth=0.33, strides=strides).eval()
    neck = PathAggregation(trunk.channels, strides, width=16, depth=0.33).eval()
    with torch.inference_mode():
        features = trunk(torch.zeros(2, 3, 64, 96))
        maps = neck(features)
    for stride, feature, inside, found, outside in zip(
        strides, features, trunk.channels, maps, neck.channels, strict=True
    ):
        assert feature.shape == (2, inside, 64 // stride, 96 // stride)
        assert found.shape == (2, outside, 64 // stride, 96 // stride)


def test_no_stage_is_built_beyond_the_coarsest_stride() -> None:
    assert len(CspDarknet(width=16, depth=0.33, strides=(4, 8)).stages) == 2


def test_frozen_stages_learn_nothing_and_keep_their_statistics() -> None:
    trunk = CspDarknet(width=16, depth=0.33, strides=(8, 16), frozen_stages=1).train()
    before = {key: value.clone() for key, value in trunk.state_dict().items()}
    torch.stack([one.sum() for one in trunk(torch.randn(2, 3, 64, 64))]).sum().backward()
    still = {key for key, value in trunk.state_dict().items() if torch.equal(value, before[key])}
    assert {key for key in before if key.startswith(("stem.", "stages.0."))} <= still
    assert "stages.1.0.1.running_mean" not in still
    assert all(p.grad is None for part in (trunk.stem, trunk.stages[0]) for p in part.parameters())
    assert all(p.grad is not None for p in trunk.stages[1].parameters())


def test_more_frozen_stages_than_there_are_is_refused() -> None:
    with pytest.raises(InputError, match="frozen_stages is 5"):
        CspDarknet(width=16, depth=0.33, strides=(8,), frozen_stages=5)
