"""Pickles and what pretends to be none: nothing of them may run, whatever reads them."""

from __future__ import annotations

from tests.attacks.attack import Attack

_COUNT = ("count", "image.png", "--model")
_AS_MODEL = {
    "model.pth": "trap.pkl",
    "model.pt": "trap-4.pkl",
    "model.bin": "trap-text.pkl",
    "model.pkl": "trap.pkl",
    "model.onnx": "trap-zip.pth",
    "model.safetensors": "trap-4.pkl",
    "old.pth": "trap-old.pth",
    "model.npy": "trap.npy",
    "model.npz": "trap.npz",
}
_AS_IMAGE = {
    "photo.jpg": "trap.pkl",
    "photo.png": "trap-4.pkl",
    "photo.tif": "trap.npy",
    "photo.webp": "trap.npz",
    "photo.ppm": "trap-text.pkl",
    "film.mp4": "trap-zip.pth",
}
_WITH_CARD = {"model.json": "sound-card.json"}

PICKLES: tuple[Attack, ...] = (
    *(
        Attack(f"a pickle as a model to count with, {name}", (*_COUNT, name), {name: kept})
        for name, kept in _AS_MODEL.items()
    ),
    *(
        Attack(
            f"a pickle as a model with a sound card, {name}",
            (*_COUNT, name),
            {name: kept, **_WITH_CARD},
            says=r"model\.",
        )
        for name, kept in _AS_MODEL.items()
        if name.startswith("model.") and name[6:] in ("onnx", "safetensors")
    ),
    Attack(
        "a pickle behind a header of safetensors",
        (*_COUNT, "m.safetensors"),
        {"m.safetensors": "trap-behind.safetensors", "m.json": "sound-card.json"},
        says='"m',
    ),
    *(
        Attack(f"a pickle as an image, {name}", ("count", name, "--model", "tiny.onnx"), {name: kept})
        for name, kept in _AS_IMAGE.items()
    ),
    *(
        Attack(f"a pickle as a source, {name}", ("count", name, "--model", "tiny.onnx"), {name: kept})
        for name, kept in {
            "a.npy": "trap.npy",
            "a.npz": "trap.npz",
            "a.pkl": "trap.pkl",
            "a.pt": "trap-zip.pth",
        }.items()
    ),
    *(
        Attack(
            f"a pickle in a folder of images, {name}", ("count", ".", "--model", "tiny.onnx"), {name: kept}, "left out"
        )
        for name, kept in _AS_IMAGE.items()
    ),
    *(
        Attack(f"a pickle as a region, {name}", (*_COUNT, "tiny.onnx", "--region", name), {name: kept})
        for name, kept in {
            "r.npy": "trap.npy",
            "r.json": "trap-text.pkl",
            "r.png": "trap.pkl",
            "r.csv": "trap.npz",
        }.items()
    ),
    Attack(
        "a pickle as results to go on with",
        (*_COUNT, "tiny.onnx", "-o", "r.jsonl", "--resume"),
        {"r.jsonl": "trap.pkl"},
    ),
    *(
        Attack(
            f"a pickle imported as weights of {method}, {kept}",
            ("import", method, "w.pth"),
            {"w.pth": kept},
            needs="torch",
        )
        for method, kept in {
            "iim": "trap.pkl",
            "csrnet": "trap-zip.pth",
            "cannet": "trap-old.pth",
            "mcnn": "trap-4.pkl",
        }.items()
    ),
    *(
        Attack(
            f"a pickle imported as a backbone, {name}",
            ("import", "backbone", "vgg16_bn", name),
            {name: kept},
            needs="torch",
        )
        for name, kept in {
            "w.pth": "trap-zip.pth",
            "w.h5": "trap.pkl",
            "w.safetensors": "trap-4.pkl",
            "w.pkl": "trap-text.pkl",
        }.items()
    ),
    *(
        Attack(
            f"a pickle that training begins with, {name}",
            ("train", "headcount-n", f"initialisation={name}", "data.sources.points=heads.csv", "epochs=1"),
            {name: kept},
            says=r"w\.|source",
            needs="torch",
        )
        for name, kept in {"w.pth": "trap-zip.pth", "w.safetensors": "trap.pkl"}.items()
    ),
    *(
        Attack(
            f"a pickle that is tuned, {name}", ("tune", name, "--data", "points=heads.csv"), {name: kept}, needs="torch"
        )
        for name, kept in {"m.pth": "trap-zip.pth", "m.safetensors": "trap.pkl", "m.pt": "trap-old.pth"}.items()
    ),
    *(
        Attack(f"a pickle that is evaluated, {name}", ("evaluate", name, "--data", "points=heads.csv"), {name: kept})
        for name, kept in {"m.pth": "trap-zip.pth", "m.onnx": "trap.pkl"}.items()
    ),
    Attack(
        "a pickle as predictions",
        ("evaluate", "m.txt", "--ground-truth", "t.txt"),
        {"m.txt": "trap-text.pkl", "t.txt": "trap.pkl"},
        says=r"[mt]\.txt",
    ),
    Attack(
        "a pickle that is exported",
        ("export", "m.safetensors", "-o", "o.onnx"),
        {"m.safetensors": "trap.pkl"},
        needs="torch",
    ),
    Attack(
        "a pickle as a checkpoint",
        ("export", "run", "-o", "o.onnx"),
        {"run/checkpoints/step-1/state.safetensors": "trap.pkl", "run/checkpoints/step-1/state.json": "trap-text.pkl"},
        says="run",
        needs="torch",
    ),
    Attack(
        "a pickle that is calibrated", ("calibrate", "m.onnx", "--data", "points=heads.csv"), {"m.onnx": "trap-zip.pth"}
    ),
    Attack("a pickle as a report", ("compare", "r.json", "heads.csv"), {"r.json": "trap-text.pkl"}),
    Attack(
        "a pickle for the labelling page's model",
        ("label", "open", ".", "--no-browser", "-m", "m.pt"),
        {"m.pt": "trap.pkl"},
    ),
    Attack("a pickle as labels", ("label", "open", ".", "--no-browser"), {"headcount-labels.sqlite": "trap.pkl"}),
    Attack(
        "a pickle as labels to export",
        ("label", "export", ".", "o.csv", "--to", "points"),
        {"headcount-labels.sqlite": "trap.pkl"},
    ),
    *(
        Attack(
            f"a pickle as annotation, {kind} {name}",
            ("datasets", "check", f"{kind}={place}"),
            {name: kept, **more},
            "left out",
        )
        for kind, place, name, kept, more in (
            ("points", "p.csv", "p.csv", "trap.pkl", {}),
            ("points", "p.json", "p.json", "trap-text.pkl", {}),
            ("boxes", "p.csv", "p.csv", "trap.npy", {}),
            ("coco", "p.json", "p.json", "trap-4.pkl", {}),
            ("labelstudio", "p.json", "p.json", "trap-text.pkl", {}),
            ("via", "p.json", "p.json", "trap.pkl", {}),
            ("ucf-cc-50-fold1", ".", "1_ann.mat", "trap.pkl", {"1.jpg": "words.jpg"}),
            ("mall", ".", "mall_gt.mat", "trap.npz", {"frames/seq_000001.jpg": "words.jpg"}),
        )
    ),
    Attack("a pickle as a site", ("watch", "site.yaml", "--check"), {"site.yaml": "trap-text.pkl"}),
    Attack("a pickle as a recipe", ("train", "r.yaml"), {"r.yaml": "trap-text.pkl"}, needs="torch"),
)
