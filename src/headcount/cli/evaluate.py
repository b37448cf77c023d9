"""`headcount evaluate`: how well a model counts a data set, as a table, as JSON, as plots."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from headcount.cli.options import DeviceOption, PrecisionOption, RuntimeOption, choice

if TYPE_CHECKING:
    from headcount.core.scene import Scene
    from headcount.evaluate.run import CountingReport, CountsScenes


def evaluate(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="A shipped model's name, a model file, or an NWPU prediction file (.txt)."
        ),
    ],
    data: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=PATH",
            help="As in shanghaitech-b=/data/ShanghaiTech; may be repeated. Needed for a model.",
            show_default=False,
        ),
    ] = None,
    ground_truth: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The NWPU ground truth of a prediction file.", show_default=False),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="A prediction file's images (3110.jpg): for --plots and to check its points.",
            show_default=False,
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="train, val, trainval or test (choose nothing by it). Default: val, and all of your own images.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a JSON report, with one row per image.")
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(metavar="FILE.txt", help="Write the heads found as an NWPU prediction file.", show_default=False),
    ] = None,
    plots: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write pictures: a scatter plot, the worst images, heads found.")
    ] = None,
    device: DeviceOption = "auto",
    runtime: RuntimeOption = "auto",
    precision: PrecisionOption = "auto",
    levels: Annotated[
        str | None, typer.Option(metavar="300,700", help="Upper bounds of the density levels; else the data set's own.")
    ] = None,
    localization: Annotated[
        bool,
        typer.Option(
            "--localization", help="Score a density map's peaks as heads, too; and the mean over 1–100 px (UCF-QNRF)."
        ),
    ] = False,
    matcher: Annotated[
        Literal["fast", "reference"],
        choice("Which pairs are found", ("fast", "reference"), more="only the recall by level depends on it"),
    ] = "fast",
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is already there.")] = False,
) -> None:
    """Measure how well a model counts and locates: MAE, RMSE, NAE, bias; precision, recall, F1.

    headcount evaluate predictions.txt --ground-truth val_gt_loc.txt
    """
    from headcount import __version__
    from headcount.cli.console import output_console
    from headcount.cli.files import refuse_report, write_report
    from headcount.cli.localization import (
        evaluate_file,
        is_prediction_file,
        localization_lines,
        refuse_predictions,
        write_predictions,
    )
    from headcount.core.errors import InputError
    from headcount.core.files import is_file
    from headcount.data.formats.nwpu import ids_of_names
    from headcount.data.sets.registry import parse_spec, read_dataset
    from headcount.evaluate.localization_run import RecordsPoints, name_of
    from headcount.evaluate.metrics.localization import evaluate_localization
    from headcount.infer.counter import load

    if is_prediction_file(model, ground_truth):
        if ground_truth is None:
            raise InputError(f'"{model}" is a prediction file: name its truth with --ground-truth FILE.')
        if Path(model).suffix.lower() != ".txt" and not is_file(Path(model)):
            raise InputError(
                f'--ground-truth goes with a prediction file, which "{model}" is not: a model takes --data.'
            )
        if data or predictions is not None:
            raise InputError("--data and --predictions go with a model, not with a prediction file: leave them out.")
        evaluate_file(
            Path(model), ground_truth, images=images, plots=plots, matcher=matcher, mean=localization,
            output=output, force=force,
        )  # fmt: skip
        return
    if images is not None:
        raise InputError("--images goes with a prediction file; a model's images are named by --data: leave it out.")
    if not data:
        raise InputError("A model is measured on data: add --data NAME=PATH, as in shanghaitech-b=/data/ShanghaiTech.")
    bounds = None if levels is None else _bounds(levels)
    refuse_report(output, force=force)
    refuse_predictions(predictions, force=force)
    if predictions is not None and predictions == output:
        raise InputError(f'--output and --predictions are both "{output}": give each a file of its own.')
    counter = load(model, device=device, runtime=runtime, precision=precision)
    sets: dict[tuple[str, str], list[Scene]] = {}
    for spec in data:
        name, path = parse_spec(spec)
        own = name in ("points", "boxes", "video")  # one file, which has no splits of its own
        label = (f"{name}-{path.stem}", split or "all") if own else (name, split or "val")
        if label in sets:
            raise InputError(f'"{label[0]}" is given twice: evaluate one copy of it at a time.')
        sets[label] = read_dataset(spec, split or ("test" if own else "val"))
    ids: list[int] = []
    if predictions is not None:
        ids = ids_of_names(name_of(scene, index) for scenes in sets.values() for index, scene in enumerate(scenes))
    if plots is not None:
        from headcount.evaluate.plots.counting import plot_paths
        from headcount.evaluate.plots.localization import localization_plot_paths, refuse_pictures

        for name, of_split in sets:
            plot_paths(plots, name, of_split, overwrite=force)
            refuse_pictures(localization_plot_paths(plots, f"{name}-{of_split}"), plots, overwrite=force)
    ran_on = {key: str(getattr(counter.runtime, key)) for key in ("name", "device", "precision")}
    reports: list[CountingReport] = []
    contents: list[dict[str, Any]] = []
    recorders: list[RecordsPoints] = []
    out = output_console()
    try:
        for (name, of_split), scenes in sets.items():
            recorder = RecordsPoints(counter, need_points=predictions is not None)
            recorders.append(recorder)
            report = _measured(recorder, scenes, name, of_split, bounds)
            if reports:
                out.print()
            out.print("\n".join(report_lines(report)), soft_wrap=True)
            out.print(f"  counted by {ran_on['name']} on {ran_on['device']} in {ran_on['precision']}")
            reports.append(report)
            contents.append(report.to_dict())
            if recorder.locates_heads or (localization and "none" not in recorder.kinds):
                located = evaluate_localization(recorder.images, matcher=matcher, mean=localization)
                what = [] if recorder.locates_heads else ["note: the points are peaks of a density map, not heads"]
                out.print("\n".join(["", *what, *localization_lines(located)]), soft_wrap=True)
                if plots is not None:
                    from headcount.evaluate.plots.localization import save_localization_plots

                    pictures = save_localization_plots(
                        located, recorder.scenes, plots, f"{name}-{of_split}", overwrite=force
                    )
                    out.print(f"wrote {len(pictures)} pictures of located heads to {plots}", soft_wrap=True)
                contents[-1]["located"] = {"points": sorted(recorder.kinds), **located.to_dict()}
            elif localization:
                out.print("  the model says nowhere where heads are: no localization figures")
            if plots is not None:
                from headcount.evaluate.plots.counting import save_plots

                for path in save_plots(report, plots, overwrite=force):
                    out.print(f"wrote {path}", soft_wrap=True)
        if predictions is not None:
            write_predictions(predictions, ids, recorders, force=force)
            out.print(f"wrote {predictions}", soft_wrap=True)
    finally:  # an error on the second data set does not cost the first
        if output is not None and reports:
            content = {"headcount": __version__, "runtime": ran_on, "reports": contents}
            write_report(output, content)
            out.print(f"wrote {output}", soft_wrap=True)


def report_lines(report: CountingReport) -> list[str]:
    """The report as it is printed: at most 80 columns, unless a name is longer."""
    from headcount.cli.console import plural

    result = report.result
    images, heads = plural(result.images, "image"), plural(round(result.heads), "head")
    low, high = result.mae_interval
    left_out = f"{plural(result.nae_left_out, 'image')} without heads left out"
    without = left_out if result.nae_left_out else "no image left out"
    lines = [
        f"{report.model} on {report.data}, split {report.split}: {images}, {heads}",
        f"protocol: {report.protocol}",
    ]
    if report.split in ("train", "trainval"):
        lines.append("note: the model may have been trained on these images")
    lines += [
        "",
        f"  MAE  {result.mae:9.2f}   95 % interval {low:.1f} to {high:.1f}",
        f"  RMSE {result.rmse:9.2f}",
        f"  NAE  {'—' if result.nae is None else f'{result.nae:.4f}':>9}   {without}",
        f"  bias {result.bias:+9.2f}   mean of predicted − true",
    ]
    if result.mae_negatives is not None:
        lines.append(f"  MAE where nobody is {result.mae_negatives:.2f}")
    if result.game:
        lines.append("  " + "   ".join(f"GAME({level}) {value:.2f}" for level, value in result.game.items()))
    lines += ["", f"  {'true count':<12}{'images':>8}{'mean count':>12}{'MAE':>10}{'RMSE':>10}{'bias':>10}"]
    lines += [
        f"  {level.name:<12}{level.images:>8,}{level.mean_count:>12,.1f}"
        f"{level.mae:>10.2f}{level.rmse:>10.2f}{level.bias:>+10.2f}"
        for level in result.levels
    ]
    return [*lines, "", f"  {report.time_ms:.0f} ms per image (median), from file to prediction"]


def _measured(
    counter: CountsScenes, scenes: list[Scene], name: str, split: str, bounds: tuple[int, ...] | None
) -> CountingReport:
    import sys

    from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

    from headcount.cli.console import error_console
    from headcount.evaluate.metrics.game import LEVELS
    from headcount.evaluate.run import evaluate_counting

    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=error_console(), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(f"{name} {split}", total=len(scenes))
        return evaluate_counting(
            counter,
            scenes,
            lambda done, _: bar.update(task, completed=done),
            data=name,
            split=split,
            bounds=bounds,
            game_levels=LEVELS,
        )


def _bounds(levels: str) -> tuple[int, ...]:
    from headcount.core.errors import InputError

    try:
        bounds = tuple(int(part) for part in levels.split(","))
    except ValueError:
        bounds = (-1,)
    if min(bounds) < 0 or list(bounds) != sorted(set(bounds)):
        raise InputError(f'--levels takes ascending whole numbers such as 300,700, got "{levels}".')
    return bounds
