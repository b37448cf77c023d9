"""What a light install says when something needs more."""

from __future__ import annotations


def require_train(what: str) -> None:
    """Stop with one sentence where torch is not installed.

    Raises:
        MissingExtraError: it is not; ``what`` begins the sentence.
    """
    from headcount.core.errors import MissingExtraError
    from headcount.infer.runtimes.table import is_installed

    if not is_installed("torch"):
        raise MissingExtraError(what, "train")
