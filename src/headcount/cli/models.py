"""`headcount models`: what is shipped."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headcount.infer.models import ModelFiles


def models() -> None:
    """List the shipped models: size, results, data and its terms."""
    from headcount.cli.console import output_console
    from headcount.infer.models import default_model, find_model, shipped_models

    console = output_console()
    names = shipped_models()
    if not names:
        console.print("No model is shipped with this copy: count with an .onnx file of yours by --model FILE.")
        return
    default = default_model()
    for name in sorted(names, key=lambda name: name != default):
        found = find_model(name)
        console.print(f"{name} (the default)" if name == default else name, style="bold")
        for label, text in _facts(found):
            console.print(f"  {label:<9} {_hanging(text, console.width - 12)}")


def _facts(found: ModelFiles) -> list[tuple[str, str]]:
    card = found.card
    files = ", ".join(f"{path.name} {path.stat().st_size / 1e6:.1f} MB" for path in found.weights.values())
    facts = [("", card.summary)] if card.summary else []
    facts.append(("size", f"{card.parameters / 1e6:.2f} M parameters; {files}"))
    facts.append(("method", card.method))
    results: dict[str, list[str]] = {}
    for result in card.results:
        images = f"{result.data} {result.split}, {result.images} images"
        results.setdefault(images, []).append(f"{result.metric} {result.value:.4g}")
    facts += [("result", f"{images}: {', '.join(figures)}") for images, figures in results.items()]
    facts += [("data", f"{data.name} {data.split}, {data.images} images: {data.terms}") for data in card.data]
    facts += [("terms", card.terms)] if card.terms else []
    facts += [("start", card.initialisation)] if card.initialisation else []
    return facts + [("note", note) for note in card.notes]


def _hanging(text: str, width: int) -> str:
    import textwrap

    return ("\n" + " " * 12).join(textwrap.wrap(text, max(20, width))) or "–"
