"""What a batch is told to count by strangers: tars and tables. An image is a row; nothing is unpickled."""

from __future__ import annotations

from pathlib import Path

from tests.attacks.attack import Attack, Told

_BATCH = ("--model", "tiny.onnx", "--output", "out/")


def rows_of(folder: Path) -> list[dict[str, object]]:
    """The rows of a batch's table."""
    import pyarrow.parquet as pq

    parts = (pq.read_table(part).to_pylist() for part in sorted((folder / "out").rglob("*.parquet")))
    return [row for part in parts for row in part if "error" in row]


def _members_are_rows(folder: Path, told: Told) -> None:
    rows = {Path(str(row["member"])).name: row for row in rows_of(folder)}
    assert not {"link.png", "hard.png", "device.png", "pipe.png", "a.pkl", "a.pth"} & rows.keys(), rows.keys()
    assert rows["sound.png"]["count"] is not None
    assert rows["trap.png"]["error"] is not None
    assert {path.name for path in folder.iterdir()} <= {
        "image.png", "heads.csv", "tiny.onnx", "tiny.json", "out", "members.tar"
    }  # fmt: skip


def _places_are_rows(folder: Path, told: Told) -> None:
    rows = rows_of(folder)
    hostname = Path("/etc/hostname").read_text(encoding="utf-8").strip()
    assert all(hostname not in str(row["error"]) for row in rows)
    assert any(row["count"] is not None for row in rows)


MANIFESTS: tuple[Attack, ...] = (
    Attack(
        "a tar of pickles, links and places that lead out",
        ("count", "members.tar", *_BATCH),
        {"members.tar": "members.tar"},
        "left out",
        says="error",
        check=_members_are_rows,
        needs="pyarrow",
    ),
    *(
        Attack(f"a tar that is a trap, {kept}", ("count", kept, *_BATCH), {kept: kept}, needs="pyarrow")
        for kept in ("long-name.tar", "packed.tar")
    ),
    Attack(
        "a tar with a member of a terabyte",
        ("count", "long.tar", *_BATCH),
        {"long.tar": "long.tar"},
        needs="pyarrow",
    ),
    Attack(
        "a table of places that lead out",
        ("count", "places.jsonl", *_BATCH, "--column", "image"),
        {"places.jsonl": "places.jsonl"},
        "left out",
        says="error",
        check=_places_are_rows,
        needs="pyarrow",
    ),
    Attack("a table that is deep", ("count", "deep.jsonl", *_BATCH), {"deep.jsonl": "deep.jsonl"}, needs="pyarrow"),
    Attack(
        "a table of two gigabytes in a file of few bytes",
        ("count", "bomb.parquet", *_BATCH, "--column", "image"),
        {"bomb.parquet": "bomb.parquet"},
        needs="pyarrow",
    ),
    Attack("a pickle as a table", ("count", "a.parquet", *_BATCH), {"a.parquet": "trap.pkl"}, needs="pyarrow"),
)
