"""A recipe: one experiment as typed settings, whose fields are the YAML's keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from headcount.core.errors import InputError, nearest
from headcount.core.settings import Settings, checked
from headcount.data.parse.yaml import read_yaml
from headcount.infer.runtimes.table import one_word

Chance = Annotated[float, Field(ge=0, le=1)]
Percentage = Annotated[float, Field(ge=0, le=100)]
Measure = Annotated[float, Field(ge=0)]


class DataSettings(Settings):
    """What is learned from, and how it is varied."""

    sources: dict[str, str] = Field(default_factory=dict)
    """Data set → where it lies: ``shanghaitech-a: /data/ShanghaiTech``."""
    boxes: dict[str, str] = Field(default_factory=dict)
    """Data set of points alone → a boxes file (CSV or JSON) with a box for each head of its images."""
    shares: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    """Data set → its share of the crops; equal where nothing is said. ``painted`` is the share of painted scenes."""
    painted_scenes: int = Field(default=0, ge=0)
    """Painted scenes to learn from beside the photographs, with seeds from ``painted_seed`` up."""
    painted_seed: int = Field(default=100_000, ge=0, lt=2**63)
    negatives: str | None = None
    """A folder of photographs in which nobody is, learned from beside the others: one in five, by the hash of its name,
    is for validation. ``negatives`` is also their name among the shares."""
    crop: int | tuple[int, int] | Literal["whole"] = 320
    """Side of a square crop, or [height, width], in pixels; ``whole``: images as they are, filled up at the right and
    the bottom to what the network takes. Those of a batch must then be of one size."""
    whole_pixels: int = Field(default=2**21, ge=1024)
    """``whole``: of an image of more pixels, a part of so many is cut at random, which bounds the memory."""
    scale: tuple[float, float] = (0.6, 1.5)
    """Bounds of the factor by which an image is scaled; a JPEG is decoded smaller where the factor is at most 0.5."""
    head_px: tuple[float, float] | None = None
    """Bounds of an image's head size after scaling, in pixels: factors of ``scale`` that leave them are not drawn, 1
    always may be. The size is the lower quartile of its boxes' sides, or of the distances from head to nearest head."""
    min_context: int = Field(default=1, ge=1)
    """Pixels of the photograph that a crop shows at least, each way: bounds the factor above."""
    blank_outside: bool = False
    """Images are black outside their region of interest, as those of the mask-aware paper are; a model that has learned
    so sees them so, too, when it counts in a region. Heads outside teach nothing, with or without."""
    min_visible: Chance = 0.0
    """A head of whose box the crop's border leaves a smaller share than this is dropped; without boxes, none is."""
    mirror: bool = True
    colour: float = Field(default=0.2, ge=0, le=1)
    gray: float = Field(default=0.1, ge=0, le=1)
    blur: Chance = 0.0
    """Chance that a crop is blurred, by a Gaussian of a standard deviation within ``blur_sigma_px``."""
    blur_sigma_px: tuple[float, float] = (0.3, 1.5)
    noise: Chance = 0.0
    """Chance of a sensor's noise, its standard deviation within ``noise_std`` (of values from 0 to 255)."""
    noise_std: tuple[float, float] = (1.0, 10.0)
    jpeg: Chance = 0.0
    """Chance that a crop is saved as JPEG of a quality within ``jpeg_quality``, and read again."""
    jpeg_quality: tuple[Annotated[int, Field(ge=1, le=100)], Annotated[int, Field(ge=1, le=100)]] = (30, 95)
    validation_images: int | None = Field(default=None, ge=1)
    """While training, at most so many images of each source are validated on, evenly out of its list; else all."""
    held_out: int | None = Field(default=None, ge=2)
    """One training image in so many, by the hash of its name, is not learned from: it is validated on in place of the
    validation lists, which are left for a report."""
    cache_mb: int = Field(default=4000, ge=0)
    """Decoded images kept in memory, at most."""
    workers: int = Field(default=2, ge=1)
    """Threads that prepare batches, each one of its own; their number changes no batch."""

    @property
    def crop_hw(self) -> tuple[int, int] | None:
        """(height, width) of a crop; None where whole images are learned from."""
        if self.crop == "whole":
            return None
        return (self.crop, self.crop) if isinstance(self.crop, int) else self.crop

    @field_validator("crop")
    @classmethod
    def _large_enough(cls, crop: int | tuple[int, int] | str) -> int | tuple[int, int] | str:
        if not isinstance(crop, str) and (crop if isinstance(crop, int) else min(crop)) < 32:
            raise ValueError("a side or [height, width], at least 32 pixels each, was expected")
        return crop

    @field_validator("scale", "head_px")
    @classmethod
    def _in_order(cls, bounds: tuple[float, float] | None) -> tuple[float, float] | None:
        if bounds is not None and not 0 < bounds[0] <= bounds[1]:
            raise ValueError("[smallest, largest], both above 0, was expected")
        return bounds

    @field_validator("blur_sigma_px", "noise_std", "jpeg_quality")
    @classmethod
    def _bounds(cls, bounds: tuple[float, float]) -> tuple[float, float]:
        if not 0 <= bounds[0] <= bounds[1]:
            raise ValueError("[smallest, largest], neither below 0, was expected")
        return bounds

    @field_validator("min_context")
    @classmethod
    def _attainable(cls, min_context: int, info: ValidationInfo) -> int:
        crop, scale = info.data.get("crop"), info.data.get("scale")
        if crop not in (None, "whole") and scale is not None:
            side = crop if isinstance(crop, int) else min(crop)
            if min_context * scale[0] > side:
                raise ValueError(f"a crop of {side} pixels never shows so many at a scale of {scale[0]:g} or more")
        return min_context


class OptimiserSettings(Settings):
    """How the weights move."""

    name: Literal["adamw", "adam", "sgd"] = "adamw"
    lr: float = Field(default=2e-3, gt=0)
    backbone_lr_factor: float = Field(default=0.5, ge=0)
    weight_decay: float = Field(default=1e-2, ge=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    clip_norm: float = Field(default=5.0, gt=0)
    schedule: Literal["cosine", "steps", "polynomial", "exponential", "constant"] = "cosine"
    cosine_epochs: int | None = Field(default=None, ge=1)
    """Length of the cosine where the run ends before it, for another recipe to go on from; else the run's own."""
    warmup_steps: int = Field(default=100, ge=0)
    step_epochs: int = Field(default=20, ge=1)
    """``steps``: the rate falls by ``step_factor`` every so many epochs."""
    step_factor: float = Field(default=0.1, gt=0, le=1)
    polynomial_power: float = Field(default=0.9, gt=0)
    """``polynomial``: the rate is that power of the share of the steps still to come; IIM's authors take 0.9."""
    epoch_factor: float = Field(default=0.99, gt=0, le=1)
    """``exponential``: the rate falls by this factor every epoch; the paper on IIM says 0.99."""
    then_sgd_after_epoch: int | None = Field(default=None, ge=0)
    """Adam up to this epoch, then SGD with ``momentum`` (the mask-aware paper: 10)."""


class Published(Settings):
    """What a paper reports of an experiment: a row of a table. Shares are percentages."""

    row: str = Field(min_length=1)
    """Where it stands: ``Table 4 of …``."""
    data: str = Field(min_length=1)
    split: Literal["val", "test"]
    f1: Percentage | None = None
    precision: Percentage | None = None
    recall: Percentage | None = None
    mae: Measure | None = None
    rmse: Measure | None = None
    """The papers of this field call it MSE."""
    nae: Measure | None = None
    scenes: dict[str, Measure] = Field(default_factory=dict)
    """Scene → its MAE, where a data set is reported on scene by scene and ``mae`` is their mean (WorldExpo'10)."""

    @property
    def figures(self) -> dict[str, float]:
        """What is reported, by name, in the order of the papers' tables; F1, precision and recall are percentages.

        The MAE of a scene is called as the scene is.
        """
        values = {"F1": self.f1, "precision": self.precision, "recall": self.recall}
        values |= {"MAE": self.mae, "RMSE": self.rmse, "NAE": self.nae}
        return {name: value for name, value in values.items() if value is not None} | self.scenes


class Recipe(Settings):
    """One experiment."""

    name: str = Field(min_length=1, pattern=r"^[\w.-]+$")
    summary: str = ""
    published: tuple[Published, ...] = ()
    """What is to be reached, one entry for each row of a paper that the experiment stands in."""
    method: str = "mask_aware"
    model: dict[str, Any] = Field(default_factory=dict)
    initialisation: str | None = None
    """A safetensors file of a backbone or of a whole method, or a shipped model's name; ``none``: random weights."""
    initialisation_note: str = ""
    """Where it comes from and on what licence, for the model card."""
    data: DataSettings = DataSettings()
    optimiser: OptimiserSettings = OptimiserSettings()
    batch: int = Field(default=8, ge=1)
    pieces: int = Field(default=1, ge=1)
    """A step's batch goes through the network in so many pieces, one after the other, which takes less memory; their
    gradients are added up. Batch norms see a piece at a time."""
    epochs: int = Field(default=10, ge=1)
    steps_per_epoch: int = Field(default=200, ge=1)
    ema: float | None = Field(default=0.998, gt=0, lt=1)
    precision: Annotated[Literal["f32", "bf16"], BeforeValidator(one_word)] = "f32"
    """bf16 is autocast: twice as fast on dense convolutions, nothing gained on depthwise ones."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    devices: Annotated[int, Field(ge=1)] | Literal["auto"] = 1
    """On each machine, how many processes learn together, each on a GPU of its own, or on the CPU; ``auto``: as many as
    there are GPUs, or one. Each takes its rows of a step's batch: ``batch`` stays that of all of them together."""
    nodes: int = Field(default=1, ge=1)
    """Machines; on more than one, torchrun starts the processes."""
    strategy: Literal["auto", "ddp"] = "auto"
    """How devices work together: ``ddp``, which ``auto`` is as well, keeps the whole network on each of them."""
    threads: int | None = Field(default=None, ge=1)
    """Threads that compute, of each process; else as in ``headcount.load``."""
    seed: int = Field(default=1, ge=0, lt=2**40)
    validate_every: int = Field(default=1, ge=1)
    """Epochs between validations; the last epoch is always validated."""
    checkpoint_seconds: float = Field(default=180.0, ge=0)
    """A checkpoint is written when so many seconds have passed, and at each epoch's end."""
    log_steps: int = Field(default=20, ge=1)
    output: str = Field(default="runs/{name}", min_length=1)

    @field_validator("pieces")
    @classmethod
    def _of_images(cls, pieces: int, info: ValidationInfo) -> int:
        if pieces > info.data.get("batch", pieces):
            raise ValueError(f"at most one piece for each of the {info.data['batch']} images of a batch was expected")
        return pieces

    @property
    def total_steps(self) -> int:
        return self.epochs * self.steps_per_epoch

    @property
    def folder(self) -> Path:
        return Path(self.output.replace("{name}", self.name))


def shipped_recipes() -> list[str]:
    """Names of the recipes inside the package, sorted."""
    return sorted(file.stem for file in _shipped_folder().glob("*.yaml"))


def _shipped_folder() -> Path:
    return Path(str(resources.files("headcount") / "recipes"))


def recipe_path(name: str) -> Path:
    """A recipe's file: a path, or the name of a shipped one.

    Raises:
        InputError: neither; the nearest shipped name is suggested.
    """
    path = Path(name)
    if path.is_file():
        return path
    known = shipped_recipes()
    if name.removesuffix(".yaml") in known:
        return _shipped_folder() / f"{name.removesuffix('.yaml')}.yaml"
    raise InputError(f'There is no recipe "{name}".{nearest(name, known)}')


def published_rows(name: str) -> tuple[Published, ...]:
    """What the papers report of a recipe's experiment, one entry for each row of a table that it stands in.

    Raises:
        InputError: as ``read_recipe``.
    """
    return read_recipe(name).published


def load_recipe(name: str, overrides: Sequence[str] = ()) -> Recipe:
    """A recipe as ``read_recipe`` reads it, whose method knows all of its options.

    Raises:
        InputError: as ``read_recipe``, or the method is not known, or not an option of it.
    """
    recipe = read_recipe(name, overrides)
    from headcount.models.table import method_class  # torch: only once the recipe itself is sound

    where = _origin(recipe_path(name), overrides)
    checked(method_class(recipe.method).settings_type, recipe.model, where, prefix="model.")
    return recipe


def read_recipe(name: str, overrides: Sequence[str] = ()) -> Recipe:
    """A recipe with ``key=value`` overrides, dotted keys reaching inside (``optimiser.lr=1e-3``).

    The method's own options, under ``model``, are not looked at, which takes torch; see ``load_recipe``.

    A recipe may say ``base: OTHER``, a shipped recipe or a file beside it, and then holds only what differs: its keys
    take the place of the other's, those under ``data``, ``model`` and ``optimiser`` one by one. ``name``, ``summary``
    and ``published`` are each recipe's own.

    Raises:
        InputError: no such recipe, no YAML, a key that is unknown or of the wrong type, by its name, or recipes that
            start from each other.
    """
    path = recipe_path(name)
    values = _read_values(path)
    for override in overrides:
        _override(values, override)
    return checked(Recipe, values, _origin(path, overrides))


def _origin(path: Path, overrides: Sequence[str]) -> Callable[[str], str]:
    """Where a key's value was written: in the last override of it or of what it stands under, else in the file."""
    written = {override.partition("=")[0]: override for override in overrides}

    def origin(key: str) -> str:
        parts = key.split(".")
        above = [".".join(parts[:length]) for length in range(len(parts), 0, -1)]
        return next((written[one] for one in above if one in written), str(path))

    return origin


_MAX_BYTES = 2**20
_OWN, _MERGED = ("name", "summary", "published"), ("data", "model", "optimiser")


def _read_values(path: Path, *above: Path) -> dict[str, Any]:
    """What a recipe's file says, put over what its base says; ``above`` are the recipes that start from it."""
    values = read_yaml(path, "recipe", max_bytes=_MAX_BYTES, such_as="batch: 8")
    if "base" not in values:
        return values
    base = values.pop("base")
    if not isinstance(base, str):
        raise InputError(f'"{path}": "base" must name one recipe, but it is {base!r}.')
    chain = (*above, path)
    below = _base_path(base, path)
    if below.resolve() in {one.resolve() for one in chain}:
        names = " → ".join(one.stem for one in (*chain, below))
        raise InputError(f'"{path}" starts from itself ({names}): take out one "base".')
    merged = {key: value for key, value in _read_values(below, *chain).items() if key not in _OWN}
    for key, value in values.items():
        inside = merged.get(key)
        if key in _MERGED and isinstance(inside, dict) and isinstance(value, dict):
            merged[key] = {**inside, **value}
        else:
            merged[key] = value
    return merged


def _base_path(base: str, recipe: Path) -> Path:
    for beside in (recipe.parent / base, recipe.parent / f"{base}.yaml"):
        if beside.is_file():
            return beside
    try:
        return recipe_path(base)
    except InputError as error:
        raise InputError(f'"{recipe}" starts from "{base}", but: {error.message}') from error


_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?")


def _override(values: dict[str, Any], override: str) -> None:
    key, separator, text = override.partition("=")
    if not separator or not key:
        raise InputError(f'"{override}" changes nothing: write key=value, as in optimiser.lr=1e-3.')
    *path, last = key.split(".")
    place: Any = values
    for part in path:
        place = place.setdefault(part, {})
        if not isinstance(place, dict):
            raise InputError(f'"{key}" is no key: "{part}" has no keys below it.')
    # Paths may hold what YAML would read otherwise, and 1e-3 is text to YAML 1.1: pydantic reads numbers from text. The
    # options of a model are kept as they are given, in the card as well, and none of them is a path.
    try:
        if path[:1] == ["model"] and _NUMBER.fullmatch(text):
            place[last] = float(text) if set(text) & set(".eE") else int(text)
        else:
            is_written_out = (text and text[0] in "[{") or text in ("true", "false", "null")
            place[last] = yaml.safe_load(text) if is_written_out else text
    except yaml.YAMLError as error:
        raise InputError(f'"{override}": the value opens like a list or a table, but is none.') from error
