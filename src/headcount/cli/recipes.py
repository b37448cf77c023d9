"""`headcount recipes`: the experiments that are shipped, in a list or one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from headcount.train.recipe import Recipe

_NAME, _STEPS = 32, 9
_SHARES = ("F1", "precision", "recall")


def recipes(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Tell everything about this recipe; a YAML file will do.")
    ] = None,
    changes: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="Settings to change, as for headcount train.")
    ] = None,
) -> None:
    """List the recipes and the rows of papers they stand for; of one, tell its settings, cost and figures."""
    if name is not None:
        _describe(name, changes or [])
        return
    import textwrap

    from headcount.cli.console import output_console, print_wrapped
    from headcount.train.recipe import read_recipe, shipped_recipes

    out = output_console()
    out.print(f"  {'name':<{_NAME}}{'steps':>{_STEPS}}  stands for", style="bold")
    for one in shipped_recipes():
        recipe = read_recipe(one)
        lead = f"{one:<{_NAME}}{recipe.total_steps:>{_STEPS},}"
        for row in [row.row for row in recipe.published] or ["-"]:
            for line in textwrap.wrap(row, out.width - _NAME - _STEPS - 4):
                out.print(f"  {lead}  {line}")
                lead = " " * len(lead)
    out.print()
    print_wrapped('"headcount recipes NAME" tells all of one: settings, cost, published figures.')


def _describe(name: str, changes: list[str]) -> None:
    import yaml

    from headcount.cli.console import output_console, print_wrapped
    from headcount.core.table import is_installed
    from headcount.train.recipe import load_recipe, read_recipe, recipe_path

    recipe = (load_recipe if is_installed("torch") else read_recipe)(name, changes)
    out = output_console()
    out.print(recipe.name, style="bold")
    if recipe.summary:
        print_wrapped(recipe.summary)
    for row in recipe.published:
        figures = ", ".join(
            f"{measure} {value:g}{' %' * (measure in _SHARES)}" for measure, value in row.figures.items()
        )
        print_wrapped(f"published: {row.row} ({row.data} {row.split}): {figures}")
    print_wrapped(f"cost: {_cost(recipe)}")
    print_wrapped(f"file: {recipe_path(name)}")
    out.print("  settings:")
    text = yaml.safe_dump(_settings(recipe), sort_keys=False, allow_unicode=True, default_flow_style=None, width=64)
    for line in text.splitlines():
        out.print(f"    {line}", soft_wrap=True)


def _cost(recipe: Recipe) -> str:
    from headcount.core.table import is_installed
    from headcount.core.words import plural

    if (crop_hw := recipe.data.crop_hw) is None:
        seen = plural(recipe.batch, "whole image")
    else:
        seen = f"{plural(recipe.batch, 'crop')} of {crop_hw[1]}×{crop_hw[0]} pixels"
    parts = [
        f"{plural(recipe.epochs, 'epoch')} of {plural(recipe.steps_per_epoch, 'step')}, "
        f"{plural(recipe.total_steps, 'step')} of {seen}"
    ]
    if is_installed("torch"):
        from headcount.train.card import parameters_of

        parts.append(f"{parameters_of(recipe) / 1e6:.2f} M parameters")
    return "; ".join(parts)


def _settings(recipe: Recipe) -> dict[str, Any]:
    """All settings that train it, those of its method too where that can be asked."""
    from headcount.core.table import is_installed

    settings = recipe.model_dump(mode="json", exclude={"name", "summary", "published"})
    if is_installed("torch"):
        from headcount.models.table import method_class

        kind = method_class(recipe.method).settings_type
        settings["model"] = kind.model_validate(recipe.model).model_dump(mode="json")
    return settings
