"""The model card: a typed record that travels beside the weights as JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from headcount.core.errors import ModelError, nearest
from headcount.core.interval import COVERAGE, IntervalSpec
from headcount.core.settings import expectation

Task = Literal["count", "locate", "detect", "size"]
"""What a model does: ``count`` people, ``locate`` each head, ``detect`` each head with its box, or tell the ``size`` of
heads whose places are known (which counts nobody)."""


_LONGEST_NAME, _MOST_OUTPUTS, _MOST_CHANNELS, _COARSEST_PX, _LARGEST_PX = 200, 64, 4096, 4096, 1_000_000
"""No network has more; a stranger's card may say anything, and is refused before anything is made of it."""
_SEAL = "card_sha256"
"""In a card's file, the SHA-256 of all else in it."""
Name = Annotated[str, Field(min_length=1, max_length=_LONGEST_NAME, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
"""What stands in messages and file names: no control characters."""
FileName = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^/\\\x00-\x1f\x7f-\x9f]*$")]
"""A file beside the card: no place elsewhere."""
Level = Annotated[float, Field(ge=-1e6, le=1e6)]
Spread = Annotated[float, Field(ge=1e-6, le=1e6)]
HeadPx = Annotated[float, Field(gt=0, le=_LARGEST_PX)]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class InputSpec(_Record):
    """What the network eats: uint8 RGB scaled to 0…1, minus ``mean``, over ``std``."""

    channels: Literal[1, 3] = 3
    mean: tuple[Level, ...] = (0.5, 0.5, 0.5)
    std: tuple[Spread, ...] = (0.5, 0.5, 0.5)
    size_divisor: int = Field(default=32, ge=1, le=4096)
    """Height and width are padded to a multiple of this."""
    cut: bool = False
    """They are cut to a multiple of ``size_divisor`` instead, as the code did that the weights come from; a side that
    is shorter is padded."""
    opencv_gray: bool = False
    """Gray levels are those that OpenCV reads from a file, of a JPEG the brightness that it stores; by itself a network
    of one channel is given the brightness of the colours, unrounded."""
    enlarge: float = Field(default=1.0, ge=1, le=8)
    """Images are enlarged by this factor first; what is found is told in pixels of the image as it was."""

    @model_validator(mode="after")
    def _one_value_a_channel(self) -> InputSpec:
        if len(self.mean) != self.channels or len(self.std) != self.channels:
            raise ValueError(f"mean and std must have one value for each of {self.channels} channels")
        if self.opencv_gray and self.channels != 1:
            raise ValueError("opencv_gray is for one channel")
        return self

    @property
    def mean_rgb(self) -> tuple[int, int, int]:
        """The mean colour, which images are filled up with: normalised, it is the zero that convolutions pad with."""
        red, green, blue = (round(255 * level) for level in (self.mean if len(self.mean) == 3 else 3 * self.mean))
        return red, green, blue


class OutputSpec(_Record):
    """One named map: its stride in input pixels, and how many values a cell holds.

    Or, of the kind ``boxes``, what a network found itself: (5, n), of each box its left, top, right and bottom in
    pixels and its score; n is always the same, and a box of score 0 is none.
    """

    name: Name
    stride: int = Field(default=1, ge=1, le=_COARSEST_PX)
    channels: int = Field(default=1, ge=1, le=_MOST_CHANNELS)
    kind: Literal["map", "boxes"] = "map"

    @model_validator(mode="after")
    def _five_values_a_box(self) -> OutputSpec:
        if self.kind == "boxes" and (self.stride, self.channels) != (1, 5):
            raise ValueError("boxes have stride 1 and 5 channels")
        return self


class DecoderSpec(_Record):
    """The decoder's name in ``decode/`` and its calibrated settings, which its own class of settings checks."""

    name: Name
    settings: dict[str, Any] = Field(default_factory=dict)


class TileSpec(_Record):
    """How an image too large for one pass is cut: ``size`` input pixels a side, ``halo`` of them context.

    ``crop`` keeps each tile's core, ``average`` averages the maps where tiles overlap. ``exact`` is false for
    methods that pool over the whole image: there a tiled result differs from a whole one. Of a network that gives boxes
    itself, boxes of several tiles that overlap by more than ``join_iou`` are one head.
    """

    size: int = Field(default=2048, ge=64, le=_LARGEST_PX)
    halo: int = Field(default=256, ge=0)
    overlap: Literal["crop", "average"] = "crop"
    exact: bool = True
    join_iou: float = Field(default=0.5, ge=0, le=1)

    @model_validator(mode="after")
    def _leaves_a_core(self) -> TileSpec:
        if 2 * self.halo >= self.size:
            raise ValueError(f"a tile of {self.size} px with a halo of {self.halo} px on each side leaves no core")
        return self


class ScaleSpec(_Record):
    """How the size is chosen at which an image is counted, by the sides of the heads found in it, in pixels."""

    look_px: int = Field(default=1280, ge=64, le=_LARGEST_PX)
    """The longer side of the first look at an image that is larger."""
    least_px: HeadPx = 14.0
    """That first look is the count where no more than a quarter of the heads are smaller in it."""
    aim_px: HeadPx = 22.0
    """Else the image is looked at again at the size at which that quarter's heads have this side."""
    most_px: HeadPx = 96.0
    """An image of which a quarter of the heads are larger is shrunk until these have half of it."""


class DataUse(_Record):
    """A data set the weights saw, and on whose terms."""

    name: str
    split: str
    images: int
    terms: str


class Result(_Record):
    """One measured figure."""

    data: str
    split: str
    images: int
    metric: str
    value: float
    protocol: str = ""


class ModelCard(_Record):
    """Everything that running, trusting and repeating a model takes, beside its weights."""

    format: Literal[1] = 1
    name: Name
    summary: str = ""
    task: Task = "count"
    method: Name
    architecture: dict[str, Any] = Field(default_factory=dict)
    """The method's settings: what builds the network again for its weights."""
    input: InputSpec = InputSpec()
    outputs: tuple[OutputSpec, ...] = Field(min_length=1, max_length=_MOST_OUTPUTS)
    decoder: DecoderSpec | None = None
    """None for the task ``size``, whose map is read at points."""
    interval: IntervalSpec | None = None
    """How far its counts were off, and what told it; None where nobody measured that."""
    tile: TileSpec = TileSpec()
    scale: ScaleSpec | None = None
    """None: images are counted at the size that they have."""
    blank_outside: bool = False
    """Where people are counted in a region of interest, the image is black outside it, as where this was learned."""
    precision: Literal["auto", "f32"] = "auto"
    """The numbers that it computes in where the user names none: ``f32`` where it is to repeat other code's figures."""
    parameters: int = 0
    data: tuple[DataUse, ...] = ()
    terms: str = ""
    initialisation: str = ""
    recipe: str = ""
    seed: int | None = None
    results: tuple[Result, ...] = ()
    notes: tuple[str, ...] = ()
    sha256: dict[FileName, str] = Field(default_factory=dict)
    """File name → SHA-256 of the weights the card was written for."""

    @model_validator(mode="after")
    def _decoded_unless_it_tells_sizes(self) -> ModelCard:
        if self.decoder is None and self.task != "size":
            raise ValueError('the key "decoder" is missing')
        if self.decoder is not None and self.task == "size":
            raise ValueError("a model that tells sizes has no decoder")
        return self

    @model_validator(mode="after")
    def _one_output_of_a_name(self) -> ModelCard:
        if len({output.name for output in self.outputs}) < len(self.outputs):
            raise ValueError("two outputs have the same name")
        return self

    @model_validator(mode="after")
    def _boxes_stand_alone(self) -> ModelCard:
        if self.gives_boxes and len(self.outputs) > 1:
            raise ValueError("a network that gives boxes itself has no other output")
        return self

    @property
    def gives_boxes(self) -> bool:
        """Whether the network gives boxes itself, and no maps."""
        return any(output.kind == "boxes" for output in self.outputs)

    def stride(self, output: str) -> int:
        """The stride of a named output map, in input pixels."""
        for spec in self.outputs:
            if spec.name == output:
                return spec.stride
        raise ModelError(
            f'Model "{self.name}" has no output "{output}".{nearest(output, [o.name for o in self.outputs])}'
        )

    def calibrated(self, settings: Mapping[str, Any]) -> ModelCard:
        """The same card with some of its decoder's settings changed; one without a decoder stays as it is.

        What it knew of its counts' errors goes: another decoder makes others.
        """
        if self.decoder is None:
            return self
        decoder = self.decoder.model_copy(update={"settings": {**self.decoder.settings, **settings}})
        return self if decoder == self.decoder else self.with_interval(None).model_copy(update={"decoder": decoder})

    def with_interval(self, interval: IntervalSpec | None, held: Sequence[Result] = ()) -> ModelCard:
        """The same card with what is known of its counts' errors, and how often such ranges ``held``."""
        results = tuple(one for one in self.results if one.metric != COVERAGE)
        return self.model_copy(update={"interval": interval, "results": (*results, *held)})

    def to_json(self) -> str:
        """The card as indented JSON, which may be changed by hand; see ``sealed_json``."""
        return self.model_dump_json(indent=2) + "\n"

    def sealed_json(self) -> str:
        """The card as indented JSON with the SHA-256 of what it says, by which damage to the file is told."""
        return sealed(json.loads(self.to_json()))

    @classmethod
    def read(cls, path: Path) -> ModelCard:
        """Read a card.

        Raises:
            ModelError: the file is missing, no JSON, or not as it was written; a field is missing, unknown or of the
                wrong type.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8-sig"))  # editors add a mark
            return cls.model_validate(_unsealed(content, path))
        except FileNotFoundError as error:
            raise ModelError(f'There is no model card "{path}": keep the .json beside its weights.') from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part)[:_LONGEST_NAME] for part in first["loc"])
            place = f' at "{where}"' if where else ""
            raise ModelError(f'The model card "{path}" is wrong{place}: {expectation(first)}.') from error
        except (OSError, ValueError, RecursionError) as error:  # of encoding, JSON, too many digits, too deep nesting
            raise ModelError(f'The model card "{path}" is no JSON ({error}): export the model again.') from error

    def verify(self, weights: Path) -> None:
        """Check a weights file against the SHA-256 the card holds for its name.

        Of a model whose files were renamed it is that of the one file of its kind.

        Raises:
            ModelError: the file is not the one the card was written for.
        """
        of_kind = {digest for name, digest in self.sha256.items() if _kind_of(name) == _kind_of(weights.name)}
        expected = self.sha256.get(weights.name, of_kind.pop() if len(of_kind) == 1 else None)
        if expected is not None and sha256_of(weights) != expected:
            raise ModelError(
                f'"{weights}" is not the file its model card was written for (SHA-256 differs): '
                "copy both again, or export the model anew."
            )


def _kind_of(weights: str) -> str:
    """What follows a model's name: ``.onnx``, ``.int8.onnx``, ``.safetensors``.

    >>> _kind_of("crowd-v1.2.int8.onnx"), _kind_of("crowd.onnx")
    ('.int8.onnx', '.onnx')
    """
    path = PurePath(weights.lower())
    return f".int8{path.suffix}" if path.stem.endswith(".int8") else path.suffix


def sealed(content: Mapping[str, Any]) -> str:
    """A card's plain data as the text of its file, with the SHA-256 of all else in it as ``card_sha256``."""
    return json.dumps({**content, _SEAL: _seal_of(content)}, indent=2, ensure_ascii=False) + "\n"


def _seal_of(content: Mapping[str, Any]) -> str:
    """What ``card_sha256`` says of the other values, in whatever order and with whatever spaces they are written."""
    rest = {key: value for key, value in content.items() if key != _SEAL}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _unsealed(content: object, path: Path) -> object:
    """What was read of a card without its seal, which must fit; one that was written by hand has none."""
    if not isinstance(content, dict) or _SEAL not in content:
        return content
    if content[_SEAL] != _seal_of(content):
        raise ModelError(
            f'The model card "{path}" is not as it was written (its {_SEAL} differs): copy it again, or, if you '
            f"changed it on purpose, take its {_SEAL} out."
        )
    return {key: value for key, value in content.items() if key != _SEAL}


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def not_finite(weights: Path) -> ModelError:
    """The error of every runtime for weights that would make any number of people."""
    return ModelError(
        f'"{weights}" has weights that are not finite numbers (NaN or infinity): copy it again, or train and export it '
        "anew."
    )
