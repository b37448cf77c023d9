"""Names that lead elsewhere: what is written stays where it was asked for, and what is no image is not shown."""

from __future__ import annotations

from pathlib import Path

from tests.attacks.attack import Attack, Told

_MODEL = ("--model", "tiny.onnx")


def _tells_nothing(folder: Path, told: Told) -> None:
    assert Path("/etc/hostname").read_text(encoding="utf-8").strip() not in told.out + told.err
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix in (".json", ".csv", ".txt", ".xml", ".yaml", ".html"):
            assert Path("/etc/hostname").read_text(encoding="utf-8").strip() not in path.read_text(
                encoding="utf-8", errors="replace"
            )


def _names_are_safe(folder: Path, told: Told) -> None:
    """Pictures of two sources of one name, each in a file of its own, below the folder."""
    _tells_nothing(folder, told)
    found = [path for path in (folder / "out").rglob("*") if path.is_file()]
    assert found
    assert all(path.resolve().is_relative_to(folder / "out") for path in found)


PLACES: tuple[Attack, ...] = (
    Attack(
        "a list of sources that leads out",
        ("count", "places.txt", *_MODEL, "--save-dir", "out"),
        {"places.txt": "places.txt"},
        "left out",
        says="/etc/hostname",
        check=_names_are_safe,
    ),
    *(
        Attack(
            f"annotations that lead out, {kind}",
            ("datasets", "convert", f"{kind.split()[0]}={place}", "out", "--to", "yolo", "--copy-images"),
            {name: kept, **more},
            must,
            says=says,
            check=_tells_nothing,
        )
        for kind, place, name, kept, more, must, says in (
            ("coco", "places.json", "places.json", "places.json", {}, "left out", ""),
            ("points", "places.csv", "places.csv", "places.csv", {}, "refused", "boxes"),
            ("cvat", ".", "annotations.xml", "cvat-root.xml", {}, "refused", "/etc/hostname"),
            ("cvat up", ".", "annotations.xml", "cvat-up.xml", {}, "read", ""),
            ("voc", ".", "Annotations/a.xml", "place-root.xml", {"JPEGImages/a.jpg": "words.jpg"}, "read", ""),
            ("voc up", ".", "Annotations/a.xml", "place-up.xml", {"JPEGImages/a.jpg": "words.jpg"}, "read", ""),
            ("yolo", ".", "data.yaml", "place.yaml", {}, "refused", r"outside\.png"),
        )
    ),
    Attack(
        "labels that lead out",
        ("label", "import", ".", "coco=places.json"),
        {"places.json": "places.json"},
        "left out",
        check=_tells_nothing,
    ),
    *(
        Attack(f"a link to what is no image, {name}", ("count", name, *_MODEL), {name: kept}, check=_tells_nothing)
        for name, kept in {
            "a.jpg": "->/etc/hostname",
            "b.jpg": "->/dev/zero",
            "c.jpg": "->/proc/self/mem",
            "d.mp4": "->/dev/zero",
            "e.txt": "->/dev/zero",
            "f.jpg": "->f.jpg",
            "g.jpg": "->/dev/stdin",
            "h.png": "->/proc/self/fd/0",
        }.items()
    ),
    Attack(
        "links in a folder",
        ("count", "in", *_MODEL),
        {"in/a.jpg": "->/dev/zero", "in/b.png": "image.png"},
        "left out",
        says="a.jpg",
    ),
    Attack(
        "a picture's place that leads out",
        ("count", "in/..png", "in/...png", *_MODEL, "--save-dir", "out"),
        {"in/..png": "image.png", "in/...png": "image.png"},
        "read",
        check=_names_are_safe,
    ),
    Attack("a zero byte in a list", ("count", "zero.txt", *_MODEL), {"zero.txt": "zero.txt"}),
    Attack("a zero byte in COCO", ("datasets", "check", "coco=zero.json"), {"zero.json": "zero.json"}, "left out"),
    Attack(
        "names of one picture's place",
        ("count", "in/a.png", "in2/a.png", *_MODEL, "--save-dir", "out"),
        {"in/a.png": "image.png", "in2/a.png": "image.png"},
        "read",
        check=_names_are_safe,
    ),
    Attack(
        "pictures' folder is a link",
        ("count", "image.png", *_MODEL, "--save-dir", "out"),
        {"out": "->../../outside.png"},
        says="out",
    ),
    Attack(
        "weights of a card that lead out",
        ("count", "image.png", "-m", "m.onnx"),
        {"m.json": "words-card.json", "m.onnx": "trap.pkl"},
        says=r"m\.",
    ),
    Attack(
        "hashes of files elsewhere in a card",
        ("count", "image.png", *_MODEL),
        {"tiny.json": "places-card.json"},
    ),
    Attack(
        "a recipe's base that leads out",
        ("train", "own.yaml"),
        {"own.yaml": "base.yaml"},
        check=_tells_nothing,
        needs="torch",
    ),
    Attack(
        "a recipe of a name that leads out",
        ("train", "../../../../etc/hostname"),
        {"own.yaml": "base.yaml"},
        says="hostname",
        check=_tells_nothing,
        needs="torch",
    ),
    Attack(
        "a model of a name that leads out",
        ("count", "image.png", "-m", "../../../../etc/hostname"),
        {"own.yaml": "base.yaml"},
        says="hostname",
        check=_tells_nothing,
    ),
    Attack(
        "weights outside of an ONNX file",
        ("count", "image.png", "-m", "m.onnx"),
        {"m.onnx": "outside.onnx", "m.json": "sound-card.json"},
        says=r"m\.",
        check=_tells_nothing,
    ),
)
