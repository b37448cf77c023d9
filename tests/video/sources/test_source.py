"""What sources mean, and what is said of those that are none."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headcount.core.errors import InputError
from headcount.video.sources.failures import failure, no_frame, nothing_sent
from headcount.video.sources.readers import options_of
from headcount.video.sources.source import read_source, refuse_missing, webcam_address

HERE = Path("site")
WORD = st.text(st.sampled_from("abc:#%!§ä.-_~"), min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("text", "kind", "shown"),
    [
        ("gate.mp4", "file", "site/gate.mp4"),
        ("/films/gate.mp4", "file", "/films/gate.mp4"),
        ("C:gate.mp4", "file", "site/C:gate.mp4"),
        ("webcam:0", "webcam", "webcam 0"),
        ("rtsp://10.0.0.2/live", "network", "10.0.0.2:554"),
        ("RTSPS://ann:pw@gate.example:7441/x?y=z", "network", "gate.example:7441"),
        ("http://[fe80::1]:8080/video", "network", "[fe80::1]:8080"),
        ("https://gate.example/list.m3u8", "network", "gate.example:443"),
    ],
)
def test_sources(text: str, kind: str, shown: str) -> None:
    source = read_source(text, HERE)
    assert (source.kind, source.shown) == (kind, shown)


def test_a_folder_is_told_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    assert read_source("frames", tmp_path).kind == "folder"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "rtps://10.0.0.2/live",
            'of the kind "rtps", which is not read: give an address that begins with rtsp, rtsps, http or',
        ),
        ("ftp://ann:hunter2@host/a.mp4", "which is not read"),
        ("file:///films/gate.mp4", "write the path of the file itself"),
        ("rtsp:///live", "has no host: write it as rtsp://HOST/PATH"),
        ("rtsp://ann:hunter2@/live", "has no host"),
        ("rtsp://ann:hunter2?x@host/", "write them as %3F and %23"),
        ("http://host:99999/", "a port that is none"),
        ("http://host:0/", "a port that is none"),
        ("webcam:", "names no webcam"),
        ("a\0b", "is no path"),
    ],
)
def test_what_is_no_source_is_refused(text: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        read_source(text, HERE)
    assert words in caught.value.message
    assert "hunter2" not in str(caught.value)


@given(user=WORD, password=WORD, path=WORD)
def test_nothing_secret_is_ever_shown(user: str, password: str, path: str) -> None:
    user, password, path = (f"Q{word}Q" for word in (user, password, path))
    text = f"rtsp://{user.replace('#', '')}:{password.replace('#', '')}@10.0.0.2:8554/{path}?token={password}"
    source = read_source(text, HERE)
    said = [repr(source), source.shown, nothing_sent(source, 1).message, no_frame(source, 1).message]
    for error in (OSError(5, "Input/output error", text), ValueError(text), ConnectionRefusedError(111, "x", text)):
        said.append(failure(error, source, 1, is_known=lambda host: True).message)
    assert not any("Q" in sentence for sentence in said)
    assert source.address == text


def test_a_password_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATE_PASSWORD", "a/b#c@d?")
    source = read_source("rtsp://ann:${GATE_PASSWORD}@10.0.0.2/live", HERE)
    assert source.address == "rtsp://ann:a%2Fb%23c%40d%3F@10.0.0.2/live"
    assert source.shown == "10.0.0.2:554"
    monkeypatch.delenv("GATE_PASSWORD")
    with pytest.raises(InputError, match="which has no such name"):
        read_source("rtsp://ann:${GATE_PASSWORD}@10.0.0.2/live", HERE)


def test_webcams_of_each_system() -> None:
    assert webcam_address("3", platform="linux") == ("/dev/video3", "v4l2")
    assert webcam_address("/dev/v4l/by-id/usb-cam", platform="linux") == ("/dev/v4l/by-id/usb-cam", "v4l2")
    assert webcam_address("0", platform="darwin") == ("0:none", "avfoundation")
    assert webcam_address("USB Camera", platform="win32") == ("video=USB Camera", "dshow")


def test_what_is_read_leads_nowhere_else() -> None:
    def allowed(text: str) -> set[str]:
        return set(options_of(read_source(text, HERE), 5)["protocol_whitelist"].split(","))

    assert allowed("a.mp4") == {"file"}
    assert "file" not in allowed("http://host/list.m3u8") | allowed("rtsp://host/live")
    assert options_of(read_source("rtsp://host/live", HERE), 2.5)["timeout"] == "2500000"


def test_missing_and_useless_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "none.mp4").touch()
    for name, words in (("no.mp4", "There is no file"), ("empty", "holds no image"), ("none.mp4", "is empty")):
        with pytest.raises(InputError, match=words):
            refuse_missing(read_source(name, tmp_path))
    refuse_missing(read_source("rtsp://10.0.0.2/live", tmp_path))  # not asked


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(111, "refused"), "Nothing listens at 10.0.0.2:554"),
        (OSError(113, "No route to host"), "no way to 10.0.0.2:554"),
        (ConnectionResetError(104, "reset"), "broke the connection off"),
        (TimeoutError(110, "timed out"), "sent nothing for 7 s"),
        (OSError(5, "Input/output error"), 'The name "10.0.0.2" is unknown'),
        (RuntimeError("odd"), "10.0.0.2:554 cannot be read (RuntimeError)"),
    ],
)
def test_errors_are_one_plain_sentence(error: Exception, words: str) -> None:
    told = failure(error, read_source("rtsp://10.0.0.2/live", HERE), 7, is_known=lambda host: False).message
    assert words in told
    assert told.endswith(".")
    assert "\n" not in told
