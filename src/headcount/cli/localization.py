"""What `headcount evaluate` says of located heads: the table, and the way from a prediction file to a report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from headcount.evaluate.localization import LocalizationResult


def evaluate_file(
    predictions: Path,
    ground_truth: Path,
    *,
    matcher: Literal["fast", "reference"],
    mean: bool,
    output: Path | None,
    force: bool,
) -> None:
    """Score an NWPU prediction file against an NWPU ground-truth file and print the table.

    Raises:
        InputError: a file is malformed, or the report cannot be written.
    """
    from headcount import __version__
    from headcount.cli.files import refuse_report, write_report
    from headcount.cli.terminal import output_console, printable
    from headcount.data.nwpu_localization import read_nwpu_predictions, read_nwpu_truth
    from headcount.evaluate.localization import evaluate_localization, images_of_files

    refuse_report(output, force=force)
    truth = read_nwpu_truth(ground_truth)
    found = read_nwpu_predictions(predictions, truth)
    result = evaluate_localization(images_of_files(found, truth), matcher=matcher, mean=mean)
    out = output_console()
    out.print(printable(f"{predictions.name} against {ground_truth.name}"), soft_wrap=True)
    out.print("\n".join(localization_lines(result)), soft_wrap=True)
    out.print("\n".join(["", *counting_lines(result)]), soft_wrap=True)
    if output is not None:
        names = {"predictions": str(predictions), "ground_truth": str(ground_truth)}
        write_report(output, {"headcount": __version__, **names, **result.to_dict()})
        out.print(f"wrote {output}", soft_wrap=True)


def localization_lines(result: LocalizationResult) -> list[str]:
    """The figures as they are printed, at most 80 columns."""
    from headcount.cli.terminal import plural

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
