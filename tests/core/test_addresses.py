"""Addresses and cameras are told from files, and their secrets are shown nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from headcount.core.addresses import no_file, without_home, without_secrets
from headcount.core.errors import InputError, ModelError
from headcount.core.files import file_size
from headcount.infer.counter import load

SECRET = "s3cret"
ADDRESSES = [
    f"rtsp://admin:{SECRET}@10.0.0.2:554/live?channel=1",
    f"rtsp://admin:a@{SECRET}@host/live",
    f"rtsp:/admin:{SECRET}@host/live",  # as a path has it
    f"RTMPS://{SECRET}@host",
    f"https://host/photo.jpg?token={SECRET}",
    f"http://u:{SECRET}/x@host/a.mp4#t={SECRET}",
    f"srt://host:9000?passphrase={SECRET}",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_secrets_are_left_out_of_texts_and_errors(address: str) -> None:
    for text in (address, f'There is no file "{address}": check it.', f"{address} and {address}"):
        assert SECRET not in without_secrets(text)
        assert SECRET not in str(ModelError(text))
    assert "host" in without_secrets(address) or "10.0.0.2" in without_secrets(address)


@pytest.mark.parametrize(
    "text", ["a@b.org", "photo.jpg", "C:/a/b@c.jpg", "see https://host/page", "queue.mp4@12.0s: 3 people", "a/b?c=1"]
)
def test_what_holds_no_secret_stays(text: str) -> None:
    assert without_secrets(text) == text


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_is_told_what_to_do(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for reason in (no_file(address), _refusal(address)):
        assert reason is not None
        assert "record it first (ffmpeg" in reason
        assert SECRET not in reason


def _refusal(name: str) -> str:
    with pytest.raises(InputError) as caught:
        file_size(Path(name))
    return str(caught.value)


@pytest.mark.parametrize("name", ["0", "12", "/dev/video0", "/dev/v4l/by-id/usb-camera"])
def test_a_camera_is_told_what_to_do(name: str) -> None:
    assert "is a camera, and only files are counted: record it first (ffmpeg" in str(no_file(name))


@pytest.mark.parametrize("name", ["0.jpg", "123", "a:b.jpg", "C:/photos", "C:\\photos", "./0", "holiday", "", "a://"])
def test_files_are_files(name: str) -> None:
    if name != "a://":
        assert no_file(name) is None


def test_a_file_address_is_a_path() -> None:
    assert no_file("file:///tmp/a.jpg") == '"file:///tmp/a.jpg" is an address: write the path of the file itself.'


def test_counting_an_address_from_python_is_told(tiny_model: str) -> None:
    with pytest.raises(InputError, match=r"rtsp://host/… *\" is an address of a stream"):
        load(tiny_model).count(f"rtsp://u:{SECRET}@host/live")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('"/home/me/a b.onnx" is no model', '"~/a b.onnx" is no model'),
        ("/home/me", "~"),
        ("/home/meg/x and /home/me/y", "~/x and ~/y"),
        ("/Users/Anna/models/x.onnx, C:\\Users\\Anna\\x.onnx", "~/models/x.onnx, ~\\x.onnx"),
        ("/srv/home/anna/x", "/srv/home/anna/x"),
        ("models/x.onnx", "models/x.onnx"),
    ],
)
def test_home_folders_are_not_shown(monkeypatch: pytest.MonkeyPatch, text: str, shown: str) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert without_home(text) == shown


def test_a_service_s_home_may_be_anywhere_but_the_root_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/data")
    assert without_home("/data/x /database/x /data.old") == "~/x /database/x /data.old"
    monkeypatch.setenv("HOME", "/")
    assert without_home("/data/x") == "/data/x"
