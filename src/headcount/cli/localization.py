"""What `headcount evaluate` says of located heads: the table, and the way from a prediction file to a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from headcount.core.scene import Scene
    from headcount.evaluate.localization_run import RecordsPoints
    from headcount.evaluate.metrics.localization import LocalizationResult


def evaluate_file(
    predictions: Path,
    ground_truth: Path,
    *,
    images: Path | None,
    plots: Path | None,
    matcher: Literal["fast", "reference"],
    mean: bool,
    output: Path | None,
    force: bool,
) -> None:
    """Score an NWPU prediction file against an NWPU ground-truth file, print the table, and draw the images.

    Raises:
        InputError: a file is malformed, a point lies outside its image, no image is there to draw on, or the report or
            a picture cannot be written.
    """
    from headcount import __version__
    from headcount.cli.console import error_console, output_console, printable
    from headcount.cli.files import refuse_report, write_report
    from headcount.core.errors import InputError
    from headcount.data.formats.nwpu import read_nwpu_predictions, read_nwpu_truth
    from headcount.evaluate.metrics.localization import evaluate_localization, images_of_files

    if plots is not None and images is None:
        raise InputError("--plots draws on the images of a prediction file: say where they are with --images DIR.")
    refuse_report(output, force=force)
    if plots is not None:
        from headcount.evaluate.plots.localization import localization_plot_paths, refuse_pictures

        *pictures, _ = localization_plot_paths(plots, predictions.stem)  # a curve needs scores, which the file lacks
        refuse_pictures(pictures, plots, overwrite=force)
    truth = read_nwpu_truth(ground_truth)
    scenes = {} if images is None else _scenes(images, truth)
    sizes_wh = {image: scene.size_wh for image, scene in scenes.items()}
    found = read_nwpu_predictions(predictions, truth, sizes_wh=sizes_wh)
    missing = [image for image in truth if image not in scenes]
    if images is not None and missing:
        few = ", ".join(map(str, missing[:3])) + (" …" if len(missing) > 3 else "")
        error_console().print(
            f"Note: {printable(str(images))} lacks {len(missing):,} of {len(truth):,} images ({few}): they are scored, "
            "but neither drawn nor searched for points outside."
        )
    result = evaluate_localization(images_of_files(found, truth), matcher=matcher, mean=mean)
    out = output_console()
    out.print(printable(f"{predictions.name} against {ground_truth.name}"), soft_wrap=True)
    out.print("\n".join(localization_lines(result)), soft_wrap=True)
    out.print("\n".join(["", *counting_lines(result)]), soft_wrap=True)
    if output is not None:
        names = {"predictions": str(predictions), "ground_truth": str(ground_truth)}
        write_report(output, {"headcount": __version__, **names, **result.to_dict()})
        out.print(f"wrote {output}", soft_wrap=True)
    if plots is not None:
        from headcount.evaluate.plots.localization import save_localization_plots

        drawn = [scenes.get(image) for image in truth]
        written = save_localization_plots(result, drawn, plots, predictions.stem, overwrite=force)
        out.print(f"wrote {len(written)} pictures of located heads to {plots}", soft_wrap=True)


def _scenes(folder: Path, truth: Mapping[int, object]) -> dict[int, Scene]:
    """The images of the truth that lie in the folder, by id."""
    from headcount.core.errors import InputError
    from headcount.core.scene import Scene
    from headcount.data.formats.nwpu import images_by_id

    there = images_by_id(folder)
    scenes = {image: Scene(there[image], name=f"{image:04d}") for image in truth if image in there}
    if not scenes:
        first = next(iter(truth))
        raise InputError(f'"{folder}" holds no image of the ground truth: its first was expected as {first:04d}.jpg.')
    return scenes


def refuse_predictions(path: Path | None, *, force: bool) -> None:
    """Stop before anything is computed where the prediction file could not be written.

    Raises:
        InputError: the file is not a .txt, exists and ``force`` is False, or its folder does not.
    """
    from headcount.cli.files import refuse_report
    from headcount.core.errors import InputError

    if path is not None and path.suffix.lower() != ".txt":
        raise InputError(f'An NWPU prediction file ends in .txt, but --predictions is "{path.name}".')
    refuse_report(path, force=force)


def write_predictions(path: Path, ids: Sequence[int], recorders: Sequence[RecordsPoints], *, force: bool) -> None:
    """Write what the models found as an NWPU prediction file; ``ids`` are those of all images in their order.

    Raises:
        InputError: the file cannot be written.
    """
    from headcount.data.formats.nwpu import write_nwpu_predictions

    points = [image.predicted_xy for recorder in recorders for image in recorder.images]
    sizes_wh = [size for recorder in recorders for size in recorder.sizes_wh]
    write_nwpu_predictions(
        dict(zip(ids, points, strict=True)), path, sizes_wh=dict(zip(ids, sizes_wh, strict=True)), overwrite=force
    )


def localization_lines(result: LocalizationResult) -> list[str]:
    """The figures as they are printed, at most 80 columns."""
    from headcount.cli.console import plural

    lines = [
        f"localization: {plural(len(result.images), 'image')} ({result.negatives:,} without heads), "
        f"{plural(result.heads, 'head')}, {plural(result.predicted, 'prediction')}",
        f"protocol: maximum matching, distance ≤ radius; matcher {result.matcher};",
        "  TP, FP, FN summed over images, then P, R, F1 (radii are not comparable)",
        "",
        f"  {'radius':<12}{'P':>8}{'R':>8}{'F1':>8}{'TP':>12}{'FP':>12}{'FN':>12}",
    ]
    for at in result.radii:
        total = at.total
        lines.append(
            f"  {at.radius.title:<12}{total.precision:>8.4f}{total.recall:>8.4f}{total.f1:>8.4f}"
            f"{total.true_positives:>12,}{total.false_positives:>12,}{total.false_negatives:>12,}"
        )
    if result.mean is not None:
        low, high = result.mean.thresholds_px[0], result.mean.thresholds_px[-1]
        title = f"{low:g}–{high:g} px"
        lines.append(
            f"  {title:<12}{result.mean.precision:>8.4f}{result.mean.recall:>8.4f}{result.mean.f1:>8.4f}"
            "   mean of each over the distances"
        )
    with_levels = [at for at in result.radii if at.levels and at.radius.px is None]
    if with_levels:
        names = "".join(f"{f'A{level.level}':>8}" for level in with_levels[0].levels)
        lines += ["", f"  {'recall':<12}{names}{'mean':>8}"]
        lines += [
            f"  {at.radius.title:<12}" + "".join(f"{level.recall:>8.4f}" for level in at.levels)
            + f"{at.mean_level_recall or 0:>8.4f}"
            for at in with_levels
        ]  # fmt: skip
        lines.append(f"  {'heads':<12}" + "".join(f"{level.heads:>8,}" for level in with_levels[0].levels))
    if result.negatives and result.radii:
        lines += ["", f"  {result.radii[0].negative_false_positives:,} of the false positives where nobody is"]
    return lines


def counting_lines(result: LocalizationResult) -> list[str]:
    """The counting errors in two lines."""
    counting = result.counting
    nae = "—" if counting.nae is None else f"{counting.nae:.4f}"
    return [
        f"  counting: MAE {counting.mae:.3f}, RMSE {counting.rmse:.3f}, NAE {nae} "
        f"({counting.nae_left_out:,} without heads left out)",
    ]


def is_prediction_file(model: str, ground_truth: Path | None) -> bool:
    """Whether MODEL is a file of predictions: a text file, or anything given beside a ground truth."""
    return ground_truth is not None or Path(model).suffix.lower() == ".txt"
