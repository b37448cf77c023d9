"""`headcount train`: run a recipe."""

from __future__ import annotations

from typing import Annotated

import typer

from headcount.cli.options import ThreadsOption


def train(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="A YAML file, or the name of a shipped recipe.")],
    changes: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="Settings to change, as in optimiser.lr=1e-3.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the run's last checkpoint.")] = False,
    threads: ThreadsOption = None,
) -> None:
    """Train a model by a recipe.

    "headcount recipes" lists the recipes. A run that was cut off goes on with --resume and ends the same, bit for bit;
    with a larger epochs=NUMBER beside it, a run is lengthened. devices=NUMBER learns on several GPUs, or by several
    processes.
    """
    import functools
    import warnings

    from headcount.cli.streams import results_are_filed
    from headcount.train.recipe import load_recipe

    settings = load_recipe(recipe, [*(changes or []), *([] if threads is None else [f"threads={threads}"])])
    from headcount.train.loop import train as run  # which takes seconds: what is wrong with a recipe is told before
    from headcount.train.places import place_of

    # Lightning's and torch's advice to their own developers would bury our lines.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"(lightning|torch)\b")
    results_are_filed()
    last = run(settings, resume=resume, say=functools.partial(print, flush=True))
    if place_of(settings).rank == 0:
        print(f"Done: {last}")
        print(f"Next: headcount export {settings.folder}")
