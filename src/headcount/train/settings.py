"""A recipe: one experiment as typed settings, whose fields are the YAML's keys."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, field_validator

from headcount.core.errors import InputError, nearest
from headcount.core.settings import Settings, checked


class DataSettings(Settings):
    """What is learned from, and how it is varied."""

    sources: dict[str, str] = Field(default_factory=dict)
    """Data set → where it lies: ``shanghaitech-a: /data/ShanghaiTech``."""
    shares: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    """Data set → its share of the crops; equal where nothing is said. ``painted`` is the share of painted scenes."""
    painted_scenes: int = Field(default=0, ge=0)
    """Painted scenes to learn from beside the photographs, with seeds from ``painted_seed`` up."""
    painted_seed: int = Field(default=100_000, ge=0, lt=2**63)
    crop: int = Field(default=320, ge=32)
    """Side of a crop, in pixels."""
    scale: tuple[float, float] = (0.6, 1.5)
    mirror: bool = True
    colour: float = Field(default=0.2, ge=0, le=1)
    gray: float = Field(default=0.1, ge=0, le=1)
    cache_mb: int = Field(default=4000, ge=0)
    """Decoded images kept in memory, at most."""

    @field_validator("scale")
    @classmethod
    def _in_order(cls, scale: tuple[float, float]) -> tuple[float, float]:
        if not 0 < scale[0] <= scale[1]:
            raise ValueError("expected [smallest, largest], both above 0")
        return scale


class OptimiserSettings(Settings):
    """How the weights move."""

    name: Literal["adamw", "adam", "sgd"] = "adamw"
    lr: float = Field(default=2e-3, gt=0)
    backbone_lr_factor: float = Field(default=0.5, ge=0)
    weight_decay: float = Field(default=1e-2, ge=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    clip_norm: float = Field(default=5.0, gt=0)
    schedule: Literal["cosine", "steps", "constant"] = "cosine"
    cosine_epochs: int | None = Field(default=None, ge=1)
    """Length of the cosine where the run ends before it, for another recipe to go on from; else the run's own."""
    warmup_steps: int = Field(default=100, ge=0)
    step_epochs: int = Field(default=20, ge=1)
    """``steps``: the rate falls by ``step_factor`` every so many epochs."""
    step_factor: float = Field(default=0.1, gt=0, le=1)
    then_sgd_after_epoch: int | None = Field(default=None, ge=0)
    """Adam up to this epoch, then SGD with ``momentum`` (the mask-aware paper: 10)."""


class Recipe(Settings):
    """One experiment."""

    name: str = Field(min_length=1, pattern=r"^[\w.-]+$")
    summary: str = ""
    method: str = "mask_aware"
    model: dict[str, Any] = Field(default_factory=dict)
    initialisation: str | None = None
    """A safetensors file for the backbone; ``none`` for random weights."""
    initialisation_note: str = ""
    """Where it comes from and on what licence, for the model card."""
    data: DataSettings = DataSettings()
    optimiser: OptimiserSettings = OptimiserSettings()
    batch: int = Field(default=8, ge=1)
    epochs: int = Field(default=10, ge=1)
    steps_per_epoch: int = Field(default=200, ge=1)
    ema: float | None = Field(default=0.998, gt=0, lt=1)
    precision: Literal["fp32", "bf16"] = "fp32"
    """bf16 is autocast: twice as fast on dense convolutions, nothing gained on depthwise ones."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int | None = Field(default=None, ge=1)
    seed: int = Field(default=1, ge=0, lt=2**40)
    validate_every: int = Field(default=1, ge=1)
    """Epochs between validations; the last epoch is always validated."""
    checkpoint_seconds: float = Field(default=180.0, ge=0)
    """A checkpoint is written when so many seconds have passed, and at each epoch's end."""
    log_steps: int = Field(default=20, ge=1)
    output: str = Field(default="runs/{name}", min_length=1)

    @property
    def total_steps(self) -> int:
        return self.epochs * self.steps_per_epoch

    @property
    def folder(self) -> Path:
        return Path(self.output.replace("{name}", self.name))


def recipe_path(name: str) -> Path:
    """A recipe's file: a path, or the name of a shipped one.

    Raises:
        InputError: neither; the nearest shipped name is suggested.
    """
    path = Path(name)
    if path.is_file():
        return path
    shipped = Path(str(resources.files("headcount") / "recipes"))
    known = sorted(file.stem for file in shipped.glob("*.yaml"))
    if name.removesuffix(".yaml") in known:
        return shipped / f"{name.removesuffix('.yaml')}.yaml"
    raise InputError(f'There is no recipe "{name}".{nearest(name, known)}')


def load_recipe(name: str, overrides: Sequence[str] = ()) -> Recipe:
    """A recipe with ``key=value`` overrides, dotted keys reaching inside (``optimiser.lr=1e-3``).

    Raises:
        InputError: no such recipe, no YAML, or a key that is unknown or of the wrong type, by its name.
    """
    path = recipe_path(name)
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise InputError(f'"{path}" is no YAML: {str(error).splitlines()[0]}.') from error
    if not isinstance(values, dict):
        raise InputError(f'"{path}" must hold "key: value" lines, but holds {type(values).__name__}.')
    for override in overrides:
        _override(values, override)
    recipe = checked(Recipe, values, str(path))
    from headcount.models.method import method_class  # torch: only once the recipe itself is sound

    checked(method_class(recipe.method).settings_type, recipe.model, str(path), prefix="model.")
    return recipe


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
    # Paths may hold what YAML would read otherwise, and 1e-3 is text to YAML 1.1: pydantic reads numbers from text.
    try:
        place[last] = yaml.safe_load(text) if (text and text[0] in "[{") or text in ("true", "false", "null") else text
    except yaml.YAMLError as error:
        raise InputError(f'"{override}": the value opens like a list or a table, but is none.') from error
