"""The shipped weights as parts of a CycloneDX bill, told by their cards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from headcount.core.card import ModelCard, sha256_of


def weights_components(folder: Path, version: str) -> list[dict[str, Any]]:
    """One ``machine-learning-model`` a file: its SHA-256 as it lies there, terms, data and figures as its card says.

    Raises:
        ModelError: a file is not the one its card was written for.
    """
    made = []
    for path in sorted(folder.glob("*.json")):
        card = ModelCard.read(path)
        for name in sorted(card.sha256):
            card.verify(folder / name)
            made.append(_component(card, folder / name, version))
    return made


def _component(card: ModelCard, weights: Path, version: str) -> dict[str, Any]:
    reference = f"weights/{weights.name}"
    return {
        "type": "machine-learning-model", "bom-ref": reference, "name": weights.name, "version": version,
        "description": card.summary,
        "hashes": [{"alg": "SHA-256", "content": sha256_of(weights)}],
        "licenses": [{"license": {"name": "Terms of the weights", "text": {"content": card.terms}}}],
        "modelCard": {
            "bom-ref": f"{reference}/card",
            "modelParameters": {
                "task": card.task, "architectureFamily": card.method, "modelArchitecture": _architecture(card),
                "datasets": [
                    {
                        "type": "dataset", "name": f"{one.name} {one.split}", "description": f"{one.images:,} images",
                        "classification": one.terms,
                    }
                    for one in card.data
                ],
            },
            "quantitativeAnalysis": {
                "performanceMetrics": [
                    {"type": one.metric, "value": f"{one.value:g}", "slice": f"{one.data} {one.split}"}
                    for one in card.results
                ]
            },
            "considerations": {"technicalLimitations": list(dict.fromkeys(card.notes))},
        },
        "properties": [{"name": "headcount:initialisation", "value": card.initialisation}],
    }  # fmt: skip


def _architecture(card: ModelCard) -> str:
    return f"{card.architecture.get('backbone', card.method)}, {card.parameters / 1e6:.2f} M parameters"
