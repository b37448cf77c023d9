"""Faster R-CNN, for comparison: torchvision's own, from the proposals to the loss and the post-processing.

"Faster R-CNN" (Ren et al.) on "Feature Pyramid Networks" (Lin et al.): one network proposes boxes, another looks at
each of them again. It finds its boxes itself, so that it gives no maps, and runs on torch alone. What is ours is the
matching in bounded memory, and that nothing is learned outside a region of interest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import torch
from pydantic import AfterValidator, Field, field_validator
from pydantic_core.core_schema import ValidationInfo
from torch import Tensor
from torch.nn import functional as F
from torchvision.models.detection._utils import Matcher
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.models.detection.rpn import RegionProposalNetwork, RPNHead
from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign, box_iou
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from headcount.core.card import DecoderSpec, InputSpec, OutputSpec, TileSpec
from headcount.core.scene import Scene
from headcount.core.settings import Positive
from headcount.decode.given_boxes import NAME, GivenBoxesDecoderSettings
from headcount.models.detection.base import Detector, NetworkSettings, boxes_to_learn, doubling
from headcount.models.method import TargetBatch, Targets
from headcount.models.parts.backbones import TimmBackbone
from headcount.targets.mask import cells_inside

_WEIGHT_STRIDE = 8  # of the map that says what lies in the region of interest
_LEAST_SCORE = 0.01  # below it torchvision lets go of a box
_HIGH, _LOW = 0.7, 0.3  # overlaps of an anchor that is a head's, and of one that is nobody's
_HEAD = 1  # its class; 0 is the background
_PIECE = 1_000_000  # overlaps of heads with proposals that are looked at together
_ANCHORS_TOGETHER = 256  # at least; they come row by row


class FasterRcnnSettings(NetworkSettings):
    """Options of Faster R-CNN; the defaults are torchvision's network on ResNet-50, but for the number of proposals."""

    strides: Annotated[tuple[int, ...], Field(min_length=1), AfterValidator(doubling)] = (4, 8, 16, 32)
    """The backbone's maps that are used, from fine to coarse; one more, of twice the last stride, proposes as well."""
    width: int = Field(default=256, ge=8)
    """Channels of the pyramid."""
    head_width: int = Field(default=1024, ge=8)
    """Channels of the two layers that look at each proposal."""
    anchor_sizes: tuple[Positive, ...] = Field(default=(32, 64, 128, 256, 512), validate_default=True)
    """The side in pixels of each stride's anchors; small heads need smaller ones."""
    aspect_ratios: Annotated[tuple[Positive, ...], Field(min_length=1)] = (0.5, 1.0, 2.0)
    """Heights of anchors over their widths."""
    proposals: int = Field(default=2000, ge=1)
    """How many boxes of an image, or tile, are looked at again: no more heads are found in it."""
    proposal_nms_iou: float = Field(default=0.7, ge=0, le=1)
    nms_iou: float = Field(default=0.5, ge=0, le=1)
    """Two boxes with a larger intersection over union are one head: the one of the higher score."""
    decoder: GivenBoxesDecoderSettings = GivenBoxesDecoderSettings()

    @field_validator("anchor_sizes")
    @classmethod
    def _a_size_of_each_stride(cls, sizes: tuple[float, ...], info: ValidationInfo) -> tuple[float, ...]:
        strides = info.data.get("strides")
        if strides is not None and len(sizes) != len(strides) + 1:
            raise ValueError(f"a size for each of the {len(strides)} strides and one more were expected")
        return sizes


class FasterRcnn(Detector):
    """(b, 3, h, w) → ``boxes`` (b, 5, n): of each box its left, top, right and bottom in pixels, and its score.

    n is the number of proposals; a box of score 0 is none.
    """

    settings_type = FasterRcnnSettings
    torch_only = "Faster R-CNN finds its boxes itself, runs on torch alone and has no ONNX file"

    def __init__(self, settings: FasterRcnnSettings) -> None:
        super().__init__()
        self.settings = settings
        self.backbone = TimmBackbone(
            settings.backbone, strides=settings.strides, frozen_stages=settings.frozen_stages,
            fixed_statistics=settings.fixed_statistics,
        )  # fmt: skip
        self.neck = FeaturePyramidNetwork(
            self.backbone.channels, settings.width, extra_blocks=LastLevelMaxPool()
        )  # fmt: skip
        self.levels = [str(stride) for stride in settings.strides]
        ratios, number = settings.aspect_ratios, {"training": settings.proposals, "testing": settings.proposals}
        anchors = _Anchors(settings.anchor_sizes, ratios, (*settings.strides, 2 * settings.strides[-1]))
        # Thresholds and samples as in torchvision.
        self.rpn = _Proposals(
            anchors,
            RPNHead(settings.width, len(ratios)),
            _HIGH,
            _LOW,
            256,
            0.5,
            number,
            number,
            settings.proposal_nms_iou,
        )
        pool = MultiScaleRoIAlign(self.levels, output_size=7, sampling_ratio=2)
        head = TwoMLPHead(settings.width * 7 * 7, settings.head_width)
        self.roi_heads = _Heads(
            pool, head, FastRCNNPredictor(settings.head_width, 2), 0.5, 0.5, 512, 0.25, None, _LEAST_SCORE,
            settings.nms_iou, settings.proposals,
        )  # fmt: skip
        self.input_spec = InputSpec(mean=settings.mean, std=settings.std, size_divisor=max(settings.strides))
        self.outputs = (OutputSpec(name="boxes", channels=5, kind="boxes"),)
        self.decoder = DecoderSpec(name=NAME, settings=settings.decoder.model_dump())
        # About as many pixels as the paper's images, whose proposals are as many.
        self.tile = TileSpec(size=1344, halo=192, exact=False, join_iou=settings.nms_iou)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        features = self._features(images)
        with torch.autocast(images.device.type, enabled=False):
            batch, sizes = _listed(images)
            proposals, _ = self.rpn(batch, features)
            found, _ = self.roi_heads(features, proposals, sizes)
        boxes = [torch.cat([one["boxes"], one["scores"][:, None]], dim=1) for one in found]
        return {"boxes": torch.stack([F.pad(one.T, (0, self.settings.proposals - len(one))) for one in boxes])}

    def _features(self, images: Tensor) -> dict[str, Tensor]:
        maps = dict(zip(self.levels, self.backbone(images), strict=True))
        return {name: feature.float() for name, feature in self.neck(maps).items()}

    def targets(self, scene: Scene) -> Targets:
        boxes = boxes_to_learn(scene)
        return Targets(
            {"weight": cells_inside(scene.region, scene.size_wh, _WEIGHT_STRIDE)[None]},
            {"boxes": boxes.astype("float32")},
        )

    def training_forward(self, images: Tensor, targets: TargetBatch) -> dict[str, Tensor]:
        """The losses by their names: torchvision computes them where it proposes and where it looks again."""
        features = self._features(images)
        with torch.autocast(images.device.type, enabled=False):
            batch, sizes = _listed(images)
            weights = targets.maps["weight"][:, 0] > 0
            truth = []
            for boxes, weight in zip(targets.ragged["boxes"], weights, strict=True):
                known = boxes[_inside(boxes, weight)]
                label = torch.full((len(known),), _HEAD, dtype=torch.int64, device=boxes.device)
                truth.append({"boxes": known, "labels": label, "weight": weight})
            proposals, proposed = self.rpn(batch, features, truth)
            seen = [some[_inside(some, weight)] for some, weight in zip(proposals, weights, strict=True)]
            if not any(len(some) for some in seen) and not any(len(one["boxes"]) for one in truth):
                nothing = sum(feature.sum() for feature in features.values()) * 0
                return {**proposed, "loss_classifier": nothing, "loss_box_reg": nothing}
            _, looked_at = self.roi_heads(features, seen, sizes, truth)
        return {**proposed, **looked_at}

    def loss(self, maps: Mapping[str, Tensor], targets: TargetBatch) -> dict[str, Tensor]:
        parts = {name.removeprefix("loss_"): value for name, value in maps.items()}
        return {"total": torch.stack(list(parts.values())).sum(), **parts}


def _listed(images: Tensor) -> tuple[ImageList, list[tuple[int, int]]]:
    """A batch of images of one size, as torchvision takes them."""
    sizes = [(images.shape[2], images.shape[3])] * len(images)
    return ImageList(images, sizes), sizes


def _inside(boxes: Tensor, weight: Tensor) -> Tensor:
    """(n,) whether the middle of each box lies in the region of interest, of which ``weight`` (h', w') tells."""
    middle = ((boxes[:, :2] + boxes[:, 2:]) / 2 / _WEIGHT_STRIDE).floor().long()
    column, row = middle[:, 0].clamp(0, weight.shape[1] - 1), middle[:, 1].clamp(0, weight.shape[0] - 1)
    inside: Tensor = weight[row, column]
    return inside


class _Anchors(AnchorGenerator):  # type: ignore[misc]  # torchvision is not typed
    """Anchors whose strides are what they are: torchvision's follow from sizes, and so differ where those are odd."""

    def __init__(self, sizes: tuple[float, ...], ratios: tuple[float, ...], strides: tuple[int, ...]) -> None:
        super().__init__(tuple((size,) for size in sizes), (ratios,) * len(sizes))
        self.strides = strides

    def grid_anchors(self, grid_sizes: list[Any], strides: Any) -> list[Tensor]:
        device = self.cell_anchors[0].device
        steps = [(torch.tensor(stride, device=device),) * 2 for stride in self.strides]
        anchors: list[Tensor] = super().grid_anchors(grid_sizes, steps)
        return anchors


class _Proposals(RegionProposalNetwork):  # type: ignore[misc]
    """Matching in pieces; anchors outside the region of interest are no examples."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.box_similarity = _both
        self.proposal_matcher = AnchorMatcher(_HIGH, _LOW)

    def assign_targets_to_anchors(
        self, anchors: list[Tensor], targets: list[dict[str, Tensor]]
    ) -> tuple[list[Tensor], list[Tensor]]:
        labels, matched = super().assign_targets_to_anchors(anchors, targets)
        for label, some, target in zip(labels, anchors, targets, strict=True):
            label[~_inside(some, target["weight"])] = -1
        return labels, matched

    def compute_loss(
        self, objectness: Tensor, deltas: Tensor, labels: list[Tensor], regression: list[Tensor]
    ) -> tuple[Tensor, Tensor]:
        if not any(bool((some >= 0).any()) for some in labels):  # else the mean of nothing
            nothing = (objectness.sum() + deltas.sum()) * 0
            return nothing, nothing
        losses: tuple[Tensor, Tensor] = super().compute_loss(objectness, deltas, labels, regression)
        return losses


class AnchorMatcher(Matcher):  # type: ignore[misc]
    """torchvision's matching of anchors, in bounded memory.

    An anchor is of the head that it overlaps most (intersection over union) if that is at least ``high``, or if none
    overlaps that head more; it is nobody's (−1) below ``low``, and no example (−2) between both.
    """

    def __init__(self, high: float, low: float) -> None:
        super().__init__(high, low, allow_low_quality_matches=True)

    def __call__(self, heads_and_anchors: tuple[Tensor, Tensor]) -> Tensor:
        """((n, 4), (m, 4)) boxes xyxy, n and m at least 1 → (m,) row of each anchor's head, −1 or −2."""
        heads, anchors = heads_and_anchors
        best = heads.new_zeros(len(heads))  # the most that any anchor overlaps each head
        most, owner = anchors.new_zeros(len(anchors)), anchors.new_zeros(len(anchors), dtype=torch.int64)
        pieces = []
        together = max(_ANCHORS_TOGETHER, _PIECE // len(heads))
        for start in range(0, len(anchors), together):
            place = slice(start, start + together)
            near = _near(heads, anchors[place])
            if len(near):
                overlap = box_iou(heads[near], anchors[place])
                most[place], row = overlap.max(0)
                owner[place] = near[row]
                top = overlap.amax(1)
                best[near] = torch.maximum(best[near], top)
                pieces.append((place, near, top))
        matches = torch.where(most < self.low_threshold, self.BELOW_LOW_THRESHOLD, self.BETWEEN_THRESHOLDS)
        matches = torch.where(most >= self.high_threshold, owner, matches)
        for place, near, top in pieces:
            here = near[(top == best[near]) & (top > 0)]  # heads that no anchor elsewhere overlaps more
            if len(here):
                closest = (box_iou(heads[here], anchors[place]) == best[here, None]).any(0)
                matches[place] = torch.where(closest, owner[place], matches[place])
        return matches


def _near(heads: Tensor, anchors: Tensor) -> Tensor:
    """The rows of the heads that some of the anchors may overlap: few, where those are neighbours."""
    first, last = anchors[:, :2].amin(0), anchors[:, 2:].amax(0)
    return ((heads[:, 2:] > first) & (heads[:, :2] < last)).all(1).nonzero()[:, 0]


def _both(heads: Tensor, anchors: Tensor) -> tuple[Tensor, Tensor]:
    return heads, anchors


class _Heads(RoIHeads):  # type: ignore[misc]
    """Matching in pieces."""

    def assign_targets_to_proposals(
        self, proposals: list[Tensor], boxes: list[Tensor], labels: list[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        matched, found = [], []
        for some, heads, label in zip(proposals, boxes, labels, strict=True):
            pieces = torch.split(some, max(1, _PIECE // max(1, len(heads))))
            number = len(pieces)
            rows, kinds = super().assign_targets_to_proposals(list(pieces), [heads] * number, [label] * number)
            matched.append(torch.cat(rows))
            found.append(torch.cat(kinds))
        return matched, found
