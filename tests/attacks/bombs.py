"""What is small on the disk and large in memory, or deep, or endless; and what would have something fetched."""

from __future__ import annotations

from pathlib import Path

from tests.attacks.attack import Attack, Told

_MODEL = ("--model", "tiny.onnx")
_REFUSED_IMAGES = {
    "a.png": "huge.png",
    "b.png": "just-below.png",
    "a.tif": "huge.tif",
    "a.webp": "huge.webp",
    "a.gif": "huge.gif",
    "a.svg": "drawing.svg",
    "a.jpg": "drawing.svg",
    "a.m3u8": "playlist.m3u8",
    "a.mp4": "playlist.m3u8",
    "b.mp4": "concat.mp4",
    "a.npz": "bomb.npz",
    "a.zip": "bomb.npz",
    "a.npy": "huge.npy",
    "b.jpg": "scans.jpg",
}
_READ_IMAGES = {
    "text.png": "text-bomb.png",
    "icc.png": "icc-bomb.png",
    "itxt.png": "itxt-bomb.png",
    "chunks.png": "chunks.png",
    "pixels.png": "pixels-bomb.png",
}


def _tells_no_host(folder: Path, told: Told) -> None:
    assert Path("/etc/hostname").read_text(encoding="utf-8").strip() not in told.out + told.err


BOMBS: tuple[Attack, ...] = (
    *(
        Attack(f"a bomb as an image, {kept} as {name}", ("count", name, *_MODEL), {name: kept}, check=_tells_no_host)
        for name, kept in _REFUSED_IMAGES.items()
    ),
    *(
        Attack(f"a bomb beside sound pixels, {kept}", ("count", name, *_MODEL), {name: kept}, "read")
        for name, kept in _READ_IMAGES.items()
    ),
    Attack("a circle of pages", ("count", "a.tif", *_MODEL), {"a.tif": "circle.tif"}, "read"),
    Attack("pictures without end", ("count", "a.gif", *_MODEL), {"a.gif": "frames.gif"}, "left out", says="5,000"),
    *(
        Attack(f"a bomb as a region, {kept}", ("count", "image.png", *_MODEL, "--region", name), {name: kept})
        for name, kept in {
            "r.png": "huge.png",
            "r.json": "deep.json",
            "s.json": "deep-objects.json",
            "r.npz": "bomb.npz",
            "r.npy": "huge.npy",
        }.items()
    ),
    *(
        Attack(
            f"a bomb as a model, {kept}",
            ("count", "image.png", "-m", "m.safetensors"),
            {"m.safetensors": kept, "m.json": "sound-card.json"},
            says=r'"m',
        )
        for kept in ("long.safetensors", "beyond.safetensors")
    ),
    *(
        Attack(f"a bomb imported as weights, {kept}", ("import", "csrnet", name), {name: kept}, needs="torch")
        for name, kept in {
            "w.safetensors": "beyond.safetensors",
            "v.safetensors": "long.safetensors",
            "w.pth": "bomb.npz",
        }.items()
    ),
    Attack(
        "deep JSON as a card",
        ("count", "image.png", "-m", "m.onnx"),
        {"m.json": "deep.json", "m.onnx": "trap.pkl"},
        says=r"m\.",
    ),
    *(
        Attack(
            f"a bomb as annotation, {kind} {kept}",
            ("datasets", "check", f"{kind}={place}"),
            {name: kept, **more},
            "left out",
            says=says,
            check=_tells_no_host,
        )
        for kind, place, name, kept, more, says in (
            ("points", "p.json", "p.json", "deep.json", {}, ""),
            ("points", "p.json", "p.json", "numbers.json", {}, ""),
            ("coco", "p.json", "p.json", "deep-objects.json", {}, ""),
            ("labelstudio", "p.json", "p.json", "deep.json", {}, ""),
            ("ucf-cc-50-fold1", ".", "1_ann.mat", "bomb.mat", {"1.jpg": "words.jpg"}, ""),
            ("ucf-cc-50-fold1", ".", "1_ann.mat", "nested.mat", {"1.jpg": "words.jpg"}, ""),
            ("mall", ".", "mall_gt.mat", "bomb.mat", {"frames/seq_000001.jpg": "words.jpg"}, ""),
            ("cvat", ".", "annotations.xml", "laughs.xml", {}, ""),
            ("cvat", ".", "annotations.xml", "entity-file.xml", {}, ""),
            ("cvat", ".", "annotations.xml", "entity-http.xml", {}, ""),
            ("cvat", ".", "annotations.xml", "remote-dtd.xml", {}, ""),
            ("voc", ".", "Annotations/a.xml", "laughs.xml", {"JPEGImages/a.jpg": "words.jpg"}, "a.xml"),
            ("voc", ".", "Annotations/a.xml", "entity-file.xml", {"JPEGImages/a.jpg": "words.jpg"}, "a.xml"),
        )
    ),
    Attack(
        "an inclusion in XML",
        ("datasets", "check", "voc=."),
        {"Annotations/a.xml": "include.xml", "JPEGImages/a.jpg": "words.jpg"},
        "read",
        check=_tells_no_host,
    ),
    *(
        Attack(f"a bomb as YOLO's list, {kept}", ("datasets", "check", "yolo=."), {"data.yaml": kept})
        for kept in ("aliases.yaml", "tags.yaml", "tags-new.yaml", "deep.yaml")
    ),
    *(
        Attack(f"a bomb as a site, {kept}", ("watch", "site.yaml", "--check"), {"site.yaml": kept})
        for kept in ("tags.yaml", "tags-new.yaml", "deep.yaml")
    ),
    Attack(
        "aliases without end in a site", ("watch", "site.yaml", "--check"), {"site.yaml": "aliases.yaml"}, "left out"
    ),
    *(
        Attack(f"a bomb as a recipe, {kept}", ("train", "own.yaml"), {"own.yaml": kept}, needs="torch")
        for kept in ("aliases.yaml", "tags.yaml", "tags-new.yaml", "deep.yaml", "base.yaml")
    ),
    *(
        Attack(f"a bomb as a report, {kept}", ("compare", "r.json", "heads.csv"), {"r.json": kept})
        for kept in ("deep.json", "deep-objects.json", "numbers.json")
    ),
    *(
        Attack(
            f"a bomb as results to go on with, {kept}",
            ("count", "image.png", *_MODEL, "-o", name, "--resume"),
            {name: kept},
        )
        for name, kept in {"r.json": "deep.json", "r.csv": "words.csv"}.items()
    ),
    Attack(
        "deep JSON as half a line of results",
        ("count", "image.png", *_MODEL, "-o", "r.jsonl", "--resume"),
        {"r.jsonl": "deep-objects.json"},
        "read",
    ),
)
