"""Writes the attack files, the same bytes each time: ``python -m tests.attacks.make``.

They are kept beside this script, so that what was let in once is tried for ever; none is over 100 kB.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

FILES = Path(__file__).parent / "files"
MARK = "headcount-was-here"
"""The folder that every attack that runs something would make where it is run."""
ESCAPES = "\x1b]0;owned\x07\x1b[2J\x1b[31m\x9b2J\u202egpj.\u2066\r\b"
FORMULA = "=cmd|' /C calc'!A0"
SCRIPT = "<img src=x onerror=alert(1)>'\"&</script>"


class Trap:
    """A pickle of this makes ``MARK``."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (MARK,)


def _zipped(content: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def _pickles() -> Iterator[tuple[str, bytes]]:
    trap = pickle.dumps(Trap(), protocol=2)
    yield "trap.pkl", trap
    yield "trap-4.pkl", pickle.dumps({"state_dict": Trap()}, protocol=4)
    yield "trap-text.pkl", pickle.dumps(Trap(), protocol=0)
    yield "trap-zip.pth", _zipped({"archive/data.pkl": trap, "archive/version": b"3\n", "archive/byteorder": b"little"})
    magic = 0x1950A86A20F9469CFC6C  # of torch's files before 1.6
    head = [pickle.dumps(each, protocol=2) for each in (magic, 1001, {"protocol_version": 1001, "little_endian": True})]
    yield "trap-old.pth", b"".join([*head, trap, pickle.dumps([], protocol=2)])
    array = np.empty((1, 2), object)
    array[:] = [[Trap(), Trap()]]
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version=(1, 0), allow_pickle=True)
    yield "trap.npy", file.getvalue()
    yield "trap.npz", _zipped({"density.npy": file.getvalue(), "points.npy": file.getvalue()})
    header = json.dumps({"__metadata__": {"pickle": trap.decode("latin-1")}}).encode()
    yield "trap-behind.safetensors", struct.pack("<Q", len(header)) + header + trap


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _png(width: int, height: int, *more: bytes, data: bytes | None = None) -> bytes:
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    rows = (b"\0" + b"\x50" * 3 * width) * height if data is None else data
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(more) + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")


def _tiff(entries: list[tuple[int, int, int, int]], *, following: int = 0) -> bytes:
    table = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + table + struct.pack("<I", following) + bytes(64)


def _image_bombs() -> Iterator[tuple[str, bytes]]:
    yield "huge.png", _png(90_000, 90_000, data=bytes(10_000))
    yield "just-below.png", _png(20_000, 9_999, data=bytes(10_000))
    size = [(256, 4, 1, 100_000), (257, 4, 1, 100_000), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (277, 3, 1, 1)]
    strips = [(273, 4, 1, 100), (278, 4, 1, 100_000), (279, 4, 1, 16)]
    yield "huge.tif", _tiff(sorted(size + strips))
    yield "circle.tif", _tiff(sorted([(256, 4, 1, 9), (257, 4, 1, 9), *size[2:], *strips]), following=8)
    canvas = struct.pack("<I", 16_382)[:3]
    webp = b"VP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + canvas * 2 + b"VP8 " + struct.pack("<I", 10) + bytes(10)
    yield "huge.webp", b"RIFF" + struct.pack("<I", len(webp) + 4) + b"WEBP" + webp
    yield "huge.gif", b"GIF89a" + struct.pack("<HH", 65_535, 65_535) + b"\0\0\0," + struct.pack(
        "<HHHH", 0, 0, 65_535, 65_535
    ) + b"\0\2\2D\1\0;"  # fmt: skip
    frames = b"".join(b"," + struct.pack("<HHHH", 0, 0, 1, 1) + b"\0\2\2D\1\0" for _ in range(5000))
    yield "frames.gif", b"GIF89a" + struct.pack("<HH", 1, 1) + b"\x80\0\0\0\0\0\xff\xff\xff" + frames + b";"
    zeros = zlib.compress(bytes(40_000_000), 9)
    yield "text-bomb.png", _png(64, 48, _chunk(b"zTXt", b"Raw profile type exif\0\0" + zeros))
    yield "icc-bomb.png", _png(64, 48, _chunk(b"iCCP", b"icc\0\0" + zeros))
    yield "itxt-bomb.png", _png(64, 48, _chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zeros))
    yield "pixels-bomb.png", _png(64, 48, data=bytes(60_000_000))
    yield "chunks.png", _png(64, 48, *[_chunk(b"tEXt", b"a\0")] * 5000)
    exif = Image.Exif()
    exif[0x010F], exif[0x010E], exif[0x9C9C] = ESCAPES, SCRIPT, FORMULA.encode("utf-16-le")
    file = io.BytesIO()
    Image.new("RGB", (64, 48), (90, 120, 150)).save(file, "JPEG", exif=exif, comment=ESCAPES.encode())
    yield "words.jpg", file.getvalue()
    file = io.BytesIO()
    Image.new("L", (640, 480), 90).save(file, "JPEG", progressive=True)
    whole = file.getvalue()
    scan = whole.rindex(b"\xff\xda")
    yield "scans.jpg", whole[:scan] + whole[scan:-2] * 400 + b"\xff\xd9"
    yield "image.png", _png(64, 48)


def _element(kind: int, data: bytes) -> bytes:
    return struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)


def _annotation_bombs() -> Iterator[tuple[str, bytes]]:
    flags = _element(6, struct.pack("<II", 6, 0)) + _element(5, struct.pack("<ii", 5_000_000, 2))
    matrix = _element(14, flags + _element(1, b"annPoints") + _element(9, bytes(80_000_000)))
    head = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H", 0x0100) + b"IM"
    yield "bomb.mat", head + struct.pack("<II", 15, len(packed := zlib.compress(matrix, 9))) + packed
    yield "nested.mat", head + _nested(1800)
    yield "deep.json", b"[" * 90_000
    yield "deep-objects.json", b'{"a":' * 15_000
    yield "numbers.json", b'{"images": [{"file": "image.png", "points": [[' + b"9" * 50_000 + b", 1], [NaN, 1e999]]}]}"
    laughs = "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
    yield (
        "laughs.xml",
        f'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "ha">{laughs}]><annotation>&j;</annotation>'.encode(),
    )
    for name, place in (("file", "file:///etc/hostname"), ("http", "http://127.0.0.1:9/a")):
        entity = f'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "{place}">]>'
        yield f"entity-{name}.xml", f"{entity}<annotation><filename>&x;</filename></annotation>".encode()
    yield "remote-dtd.xml", b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd"><annotation></annotation>'
    yield (
        "include.xml",
        (
            b'<annotation xmlns:xi="http://www.w3.org/2001/XInclude">'
            b'<xi:include href="file:///etc/hostname" parse="text"/></annotation>'
        ),
    )
    aliases = "x0: &x0 [a, a, a, a, a, a, a, a, a]\n" + "".join(
        f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]\n" for n in range(1, 9)
    )
    yield "aliases.yaml", f"name: a\n{aliases}train: images\n".encode()
    yield "tags.yaml", f"name: !!python/object/apply:os.mkdir [{MARK}]\n".encode()
    yield "tags-new.yaml", f'name: a\nx: !!python/object/new:os.system ["mkdir {MARK}"]\n'.encode()
    yield "deep.yaml", b"name: " + b"[" * 20_000
    yield (
        "drawing.svg",
        f'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/hostname"/>{SCRIPT}</svg>'.encode(),
    )
    yield "playlist.m3u8", b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\nhttp://127.0.0.1:9/a.ts\n"
    yield "concat.mp4", b"ffconcat version 1.0\nfile /etc/hostname\n"
    yield "long.safetensors", struct.pack("<Q", 2**60) + b"{}"
    beyond = json.dumps({"w": {"dtype": "F32", "shape": [2**31, 2**31], "data_offsets": [0, 2**62]}}).encode()
    yield "beyond.safetensors", struct.pack("<Q", len(beyond)) + beyond
    shape = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000), }".ljust(117) + b"\n"
    yield "outside.onnx", _onnx_outside()
    yield "huge.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(shape)) + shape
    yield "bomb.npz", _zipped({"density.npy": bytes(80_000_000)})


def _onnx_outside() -> bytes:
    """A graph with a weight that lies in another file, which no model names."""
    from onnx import TensorProto, helper

    weight = TensorProto(name="w", data_type=TensorProto.UINT8, dims=[1], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", "../../../../../../../../etc/hostname"), ("offset", "0"), ("length", "1")):
        weight.external_data.add(key=key, value=value)
    graph = helper.make_graph(
        [helper.make_node("Cast", ["w"], ["density"], to=TensorProto.FLOAT)], "outside",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, [1, "h", "w", 3])],
        [helper.make_tensor_value_info("density", TensorProto.FLOAT, [1])], [weight],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def _nested(depth: int) -> bytes:
    """A cell in a cell in a cell…"""
    data = b""
    for _ in range(depth):
        flags = _element(6, struct.pack("<II", 1, 0)) + _element(5, struct.pack("<ii", 1, 1)) + _element(1, b"")
        data = _element(14, flags + data)
    return data


def _texts() -> Iterator[tuple[str, bytes]]:
    places = ["../../outside.png", "/etc/hostname", "C:\\Windows\\win.ini", "\\\\host\\share\\a.png", "~root/a.png"]
    yield "places.txt", "".join(f"{each}\n" for each in [*places, "file:///etc/hostname", "image.png"]).encode()
    images = [{"id": n, "file_name": each, "width": 64, "height": 48} for n, each in enumerate([*places, "image.png"])]
    heads = [{"id": n, "image_id": n, "category_id": 1, "bbox": [1, 1, 9, 9]} for n in range(len(images))]
    classes = [{"id": 1, "name": "head"}]
    yield "places.json", json.dumps({"images": images, "annotations": heads, "categories": classes}).encode()
    yield "zero.txt", b"image.png\na\0b.png\n"
    yield "zero.json", json.dumps({"images": [{"id": 1, "file_name": "a\0b.png", "width": 9, "height": 9}]}).encode()
    rows = "".join(f'"{each}",3,4\n' for each in [*places, "image.png"])
    yield "places.csv", f"image,x,y\n{rows}".encode()
    for name, place in (("up", "../../outside.png"), ("root", "/etc/hostname")):
        size = "<size><width>64</width><height>48</height></size>"
        box = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>"
        head = f"<object><name>head</name>{box}</object>"
        yield f"place-{name}.xml", f"<annotation><filename>{place}</filename>{size}{head}</annotation>".encode()
        head = '<box label="head" xtl="1" ytl="1" xbr="9" ybr="9"/>'
        image = f'<image id="0" name="{place}" width="64" height="48">{head}</image>'
        yield f"cvat-{name}.xml", f"<annotations>{image}</annotations>".encode()
    yield "place.yaml", b"path: ../../..\ntrain: /etc\nval: ../../outside.png\nnames: {0: head}\n"
    yield "base.yaml", b"base: ../../../../etc/hostname\nname: a\n"
    words = [{"id": 1, "name": f"head{ESCAPES}{SCRIPT}"}]
    images = [{"id": 0, "file_name": "image.png", "width": 64, "height": 48, "coco_url": SCRIPT}]
    heads = [{"id": 0, "image_id": 0, "category_id": 1, "bbox": [1, 1, 99, 99], "x": FORMULA}]
    yield "words.json", json.dumps({"images": images, "annotations": heads, "categories": words}).encode()
    yield "words.csv", f'image,x,y\n"{ESCAPES[:-2]}{SCRIPT.replace(chr(34), "")}.png",3,4\nimage.png,999,4\n'.encode()
    yield "formula.csv", b"image,x,y\n=1+1.png,3,4\n"
    card = {
        "name": f"evil{ESCAPES}{FORMULA}", "method": "none", "outputs": [{"name": "density", "stride": 8}],
        "decoder": {"name": "density"}, "input": {"size_divisor": 32}, "tile": {"size": 256, "halo": 32},
        "notes": [ESCAPES + SCRIPT], "sha256": {"../../outside.png": "0" * 64, "tiny.onnx": "0" * 64},
    }  # fmt: skip
    yield "words-card.json", json.dumps(card).encode()
    plain = {"name": "m", "notes": [], "sha256": {}}
    yield "sound-card.json", json.dumps(card | plain).encode()
    places = {"name": "m", "notes": [], "sha256": {"../../outside.png": "0" * 64, "/dev/zero": "0" * 64}}
    yield "places-card.json", json.dumps(card | places).encode()
    camera = {"name": f"=door{ESCAPES}", "source": "queue.avi", "zones": []}
    yield "words-site.yaml", json.dumps({"name": "a", "cameras": [camera]}).encode()
    sql = {"name": "x); DROP TABLE measurements;--", "source": "queue.avi"}
    yield "sql-site.yaml", json.dumps({"name": "a", "cameras": [sql]}).encode()
    lines = "a\r\nX-Own: 1"
    plain_camera = {"name": "door", "source": "queue.avi"}
    for what, site in {
        "site": {"name": lines, "cameras": [plain_camera]},
        "camera": {"name": "a", "cameras": [{**plain_camera, "name": lines}]},
        "topic": {
            "name": "a", "cameras": [plain_camera],
            "outputs": {"mqtt": {"url": "mqtt://127.0.0.1:9", "prefix": lines}},
        },
        "webhook": {
            "name": "a", "cameras": [plain_camera],
            "outputs": {"webhooks": [{"url": f"http://127.0.0.1:9/{lines}", "events": ["alert"]}]},
        },
    }.items():  # fmt: skip
        yield f"lines-{what}.yaml", json.dumps(site).encode()


def _manifests() -> Iterator[tuple[str, bytes]]:
    image = _png(64, 48)
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in (
            ("../../outside.png", image), ("/etc/evil.png", image), (f"a{ESCAPES}.png", image),
            (f"{FORMULA}.png", image),
            ("trap.png", pickle.dumps(Trap())), ("a.pkl", pickle.dumps(Trap())), ("a.pyd", pickle.dumps(Trap())),
            ("a.pth", pickle.dumps(Trap())), ("a.npy", b"\x93NUMPY"), ("a.json", b"[" * 9000), ("sound.png", image),
        ):  # fmt: skip
            tar.addfile(_member(name, size=len(data)), io.BytesIO(data))
        for name, kind, target in (
            ("link.png", tarfile.SYMTYPE, "/etc/hostname"), ("hard.png", tarfile.LNKTYPE, "../../outside.png"),
            ("device.png", tarfile.CHRTYPE, ""), ("pipe.png", tarfile.FIFOTYPE, ""),
        ):  # fmt: skip
            tar.addfile(_member(name, kind=kind, target=target))
    yield "members.tar", file.getvalue()
    long = _member("a.png", size=2**40).tobuf(tarfile.GNU_FORMAT)
    yield "long.tar", long + image
    yield "long-name.tar", _member("././@LongLink", size=2**33, kind=tarfile.GNUTYPE_LONGNAME).tobuf(tarfile.GNU_FORMAT)
    yield "packed.tar", zlib.compress(bytes(40_000_000), 9)
    lines = ["../../outside.png", "/etc/hostname", "file:///etc/hostname", "https://127.0.0.1:9/a.png", "s3://a/../b"]
    texts = [json.dumps({"image": each}) for each in [*lines, "a\0b", ESCAPES, "image.png"]]
    yield "places.jsonl", "".join(f"{each}\n" for each in texts).encode()
    yield "deep.jsonl", b'{"image": ' + b"[" * 50_000 + b"\n"
    if find_spec("pyarrow"):
        yield "bomb.parquet", _parquet_bomb()


def _parquet_bomb() -> bytes:
    """Two thousand rows that say the same megabyte, which stands there once: two gigabytes when they are read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = pa.DictionaryArray.from_arrays(pa.array(np.zeros(2000, np.int32)), pa.array(["a" * 2**20]))
    file = io.BytesIO()
    pq.write_table(
        pa.table({"image": rows}), file, compression="zstd", store_schema=False, dictionary_pagesize_limit=2**22,
        write_statistics=False,
    )  # fmt: skip
    return file.getvalue()


def _member(name: str, *, size: int = 0, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.type, member.linkname = size, kind, target
    return member


def files() -> dict[str, bytes]:
    """Every attack file by its name."""
    return dict([*_pickles(), *_image_bombs(), *_annotation_bombs(), *_texts(), *_manifests()])


def main() -> None:
    """Write them."""
    FILES.mkdir(exist_ok=True)
    for name, data in files().items():
        (FILES / name).write_bytes(data)


if __name__ == "__main__":
    main()
