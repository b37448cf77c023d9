"""`headcount evaluate`: how well a model counts a data set, as a table, as JSON, as plots."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from headcount.cli.options import (
    DeviceOption,
    ForceOption,
    IntervalOption,
    LevelsOption,
    PrecisionOption,
    RuntimeOption,
    ThreadsOption,
    bounds_of,
    choice,
    data_option,
    output_option,
)
from headcount.cli.places import claim
from headcount.core.kinds import MATCHERS, Matcher
from headcount.core.limits import DEFAULT_LEVEL

if TYPE_CHECKING:
    from headcount.core.notes import Skipped
    from headcount.evaluate.published import PublishedRow


def evaluate(
    ctx: typer.Context,
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="A shipped model's name, a model file, or an NWPU prediction file (.txt)."
        ),
    ],
    data: Annotated[
        list[str] | None,
        data_option("As in shanghaitech-b=/data/ShanghaiTech; may be repeated. Needed for a model."),
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
            help="train, val, trainval, test (choose nothing by it) or all. Default: val, and all of your own images.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[Path | None, output_option("Write a JSON report, with one row per image.")] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(metavar="FILE.txt", help="Write the heads found as an NWPU prediction file.", show_default=False),
    ] = None,
    plots: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write pictures: a scatter plot, the worst images, heads found, heat."),
    ] = None,
    device: DeviceOption = "auto",
    runtime: RuntimeOption = "auto",
    precision: PrecisionOption = "auto",
    threads: ThreadsOption = None,
    interval: IntervalOption = DEFAULT_LEVEL,
    levels: LevelsOption = None,
    localization: Annotated[
        bool,
        typer.Option(
            "--localization", help="Score a density map's peaks as heads, too; and the mean over 1–100 px (UCF-QNRF)."
        ),
    ] = False,
    matcher: Annotated[
        str,
        choice("Which pairs are found", MATCHERS, more="only the recall by level depends on it"),
    ] = "fast",
    recipe: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Print what this recipe's paper reports beside what is reached.", show_default=False
        ),
    ] = None,
    force: ForceOption = False,
) -> None:
    """Measure how well a model counts and locates: MAE, RMSE, NAE, bias; precision, recall, F1.

    headcount evaluate predictions.txt --ground-truth val_gt_loc.txt

    Exit code: 0 all images are measured, 1 some could not be, 2 nothing could be done.
    """
    from headcount import __version__
    from headcount.cli.console import output_console, printable, progress_bar
    from headcount.cli.left_out import show_skipped, show_told
    from headcount.cli.streams import results_are_filed
    from headcount.core.errors import InputError
    from headcount.core.files import write_json
    from headcount.core.words import plural
    from headcount.evaluate.files import NwpuPredictions, read_sets
    from headcount.evaluate.metrics.table import EvaluationSettings
    from headcount.evaluate.published import compare
    from headcount.evaluate.run import evaluate_scenes
    from headcount.infer.counter import load

    published = () if recipe is None else _published(recipe)
    if ground_truth is not None or Path(model).suffix.lower() == ".txt":
        if data or predictions is not None:
            raise InputError("--data and --predictions go with a model, not with a prediction file: leave them out.")
        claim(ctx, output, ".json", overwrite=force)
        _evaluate_file(
            Path(model), ground_truth, images, output, plots, localization, cast(Matcher, matcher), force, recipe or "",
            published,
        )  # fmt: skip
        return
    if images is not None:
        raise InputError("--images goes with a prediction file; a model's images are named by --data: leave it out.")
    if not data:
        raise InputError("A model is measured on data: add --data NAME=PATH, as in shanghaitech-b=/data/ShanghaiTech.")
    bounds = bounds_of(levels)
    if predictions is not None and predictions == output:
        raise InputError(f'--output and --predictions are both "{output}": give each a file of its own.')
    claim(ctx, output, ".json", overwrite=force)
    claim(ctx, predictions, overwrite=force)
    found = None if predictions is None else NwpuPredictions(predictions, overwrite=force)
    counter = load(model, device=device, runtime=runtime, precision=precision, threads=threads, interval=interval)
    sets = read_sets(data, split)
    if found is not None:
        found.expect({key: read.scenes for key, read in sets.items()})
    if plots is not None:
        from headcount.evaluate.plots.heat import HEAT_MAP, Heat
        from headcount.evaluate.plots.report import refuse_report_plots, save_report_plots

        sees_heat = counter.has_map(HEAT_MAP)
        for name, of_split in sets:
            refuse_report_plots(plots, name, of_split, heat=sees_heat, overwrite=force)
    ran_on = {key: str(getattr(counter.runtime, key)) for key in ("name", "device", "precision")}
    counted_by = "{name} on {device} in {precision}".format(**ran_on)
    reports: list[dict[str, Any]] = []
    out = output_console()
    incomplete = False
    try:
        for (name, of_split), read in sets.items():
            show_told(read.told, name)
            settings = EvaluationSettings(
                data=name, split=of_split, bounds=bounds, matcher=cast(Matcher, matcher),
                peaks_are_heads=localization, mean_over_thresholds=localization,
            )  # fmt: skip
            with progress_bar(f"{name} {of_split}") as show:
                report = evaluate_scenes(
                    counter, read, settings, also=[] if found is None else [found], counted_by=counted_by,
                    keep_going=True, progress=show,
                )  # fmt: skip
            show_skipped(report.skipped)
            lines = ([""] if reports else []) + report.lines()
            more: dict[str, Any] = {}
            if recipe is not None:
                compared = compare(recipe, published, report.results, name, of_split)
                lines += ["", *compared.lines()]
                more = {"recipe": compared.to_dict()}
            out.print("\n".join(map(printable, lines)), soft_wrap=True)
            reports.append({**report.to_dict(), **more})
            incomplete |= report.expected > len(report.images)
            if report.not_reached:
                raise KeyboardInterrupt
            if plots is not None:
                heat_of = (lambda scene: Heat(*counter.map_of(scene, HEAT_MAP))) if sees_heat else None
                pictures, undrawn = save_report_plots(report, plots, heat_of=heat_of, overwrite=force)
                show_skipped(undrawn)
                incomplete |= bool(undrawn)
                out.print(f"wrote {plural(len(pictures), 'picture')} to {printable(str(plots))}", soft_wrap=True)
    finally:  # neither Ctrl-C nor an error on the second data set costs what was measured before
        if found is not None and found.added:
            found.write()
            part = f" (only {found.added:,} of {found.expected:,} images)" if found.added < found.expected else ""
            out.print(f"wrote {printable(str(found.path))}{part}", soft_wrap=True)
        if output is not None and reports:
            results_are_filed()
            write_json(output, {"headcount": __version__, "runtime": ran_on, "reports": reports})
            out.print(f"wrote {printable(str(output))}", soft_wrap=True)
    if incomplete:
        raise typer.Exit(1)


def _published(recipe: str) -> Sequence[PublishedRow]:
    from headcount.core.errors import InputError
    from headcount.train.recipe import published_rows

    rows = published_rows(recipe)
    if not rows:
        raise InputError(f'The recipe "{recipe}" holds no published figures: leave it out, or name another.')
    return rows


def _evaluate_file(
    predictions: Path,
    ground_truth: Path | None,
    images: Path | None,
    output: Path | None,
    plots: Path | None,
    localization: bool,
    matcher: Matcher,
    force: bool,
    recipe: str,
    published: Sequence[PublishedRow],
) -> None:
    from headcount import __version__
    from headcount.cli.console import error_console, output_console, printable
    from headcount.cli.left_out import show_skipped
    from headcount.cli.streams import results_are_filed
    from headcount.core.errors import InputError
    from headcount.core.files import is_file, write_json
    from headcount.core.words import plural
    from headcount.evaluate.files import evaluate_prediction_file
    from headcount.evaluate.published import compare

    if ground_truth is None:
        raise InputError(f'"{predictions}" is a prediction file: name its truth with --ground-truth FILE.')
    if predictions.suffix.lower() != ".txt" and not is_file(predictions):
        raise InputError(
            f'--ground-truth goes with a prediction file, which "{predictions}" is not: a model takes --data.'
        )
    if plots is not None and images is None:
        raise InputError("--plots draws on the images of a prediction file: say where they are with --images DIR.")
    if plots is not None:
        from headcount.draw.figure import refuse_pictures
        from headcount.evaluate.plots.localization import localization_plot_paths, save_localization_plots

        *pictures, _ = localization_plot_paths(plots, predictions.stem)  # a curve needs scores, which the file lacks
        refuse_pictures(pictures, plots, overwrite=force)
    report = evaluate_prediction_file(
        predictions, ground_truth, images=images, matcher=matcher, mean_over_thresholds=localization
    )
    show_skipped(report.skipped)
    missing = report.missing
    if images is not None and missing:
        few = ", ".join(map(str, missing[:3])) + (" …" if len(missing) > 3 else "")
        error_console().print(
            f"Note: {printable(str(images))} lacks {len(missing):,} of {plural(len(report.scenes), 'image')} ({few}): "
            "they are scored, but neither drawn nor searched for points outside."
        )
    out = output_console()
    lines, plain = report.lines(), report.to_dict()
    if published:  # a ground truth in this form is NWPU-Crowd's; which split it is of is not written in it
        results = {"localization": report.result, "counting": report.result.counting}
        compared = compare(recipe, published, results, "nwpu-crowd", "")
        lines += ["", *compared.lines()]
        plain["recipe"] = compared.to_dict()
    out.print("\n".join(map(printable, lines)), soft_wrap=True)
    if output is not None:
        results_are_filed()
        write_json(output, {"headcount": __version__, **plain})
        out.print(f"wrote {printable(str(output))}", soft_wrap=True)
    undrawn: list[Skipped] = []
    if plots is not None:
        written, undrawn = save_localization_plots(
            report.result, report.scenes, plots, predictions.stem, overwrite=force
        )
        show_skipped(undrawn)
        out.print(f"wrote {plural(len(written), 'picture')} to {printable(str(plots))}", soft_wrap=True)
    if report.skipped or undrawn:
        raise typer.Exit(1)
