"""What docs/outputs.md says of tables, columns, topics, metrics and messages is what there is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from headcount.video.outputs.columns import COLUMNS
from headcount.video.outputs.metrics import Metrics
from headcount.video.outputs.mqtt import _of_measurement
from headcount.video.outputs.schema import METADATA
from headcount.video.outputs.spool import RECORDS
from headcount.video.outputs.table import DirectOutput
from headcount.video.outputs.topics import Topics
from headcount.video.outputs.webhooks import key_of, payload, signature
from headcount.video.site import AlertSettings, OutputSettings

from .records import alert, measured, site, status

PAGE = Path(__file__).parents[3] / "docs" / "outputs.md"


@pytest.fixture(scope="module")
def text() -> str:
    return PAGE.read_text(encoding="utf-8")


def blocks(text: str, kind: str = "") -> list[str]:
    fences = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [content for name, content in fences if name == kind]


def section(text: str, title: str) -> str:
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_the_example_of_a_site_is_one(text: str) -> None:
    given = yaml.safe_load(blocks(text, "yaml")[0])
    assert AlertSettings.model_validate(given["alerts"]) == AlertSettings()
    assert OutputSettings.model_validate(given["outputs"]).database is not None


def test_the_tables_have_the_columns(text: str) -> None:
    found = {
        row[1]: re.findall(r"`(\w+)`", row[2])
        for row in re.finditer(
            r"^\| `(\w+)` \|[^|]*\| ((?:`\w+`(?:, )?)+) \|$", section(text, "Database"), re.MULTILINE
        )
    }
    expected = {name: list(table.columns.keys()) for name, table in METADATA.tables.items()}
    assert found == expected


def test_the_example_of_sql_runs(text: str, tmp_path: Path) -> None:
    import sqlalchemy as sa

    from headcount.video.outputs.database import Database
    from headcount.video.outputs.spool import Waiting
    from headcount.video.site import DatabaseSettings

    database = Database(DatabaseSettings(url="sqlite:///kept.sqlite"), site(), tmp_path)
    database.deliver([Waiting("run-1", measured(40))])
    with database.engine.connect() as connection:
        rows = connection.execute(sa.text(blocks(text, "sql")[0])).all()
    database.close()
    assert [tuple(row) for row in rows] == [("2026-05-01 20:00:40.000000", 20.0, 1.0)]


def test_the_csv_has_the_columns(text: str) -> None:
    (example,) = [block for block in blocks(text) if block.startswith("at,camera")]
    lines = example.splitlines()
    assert lines[0] == ",".join(COLUMNS)
    assert all(line.count(",") == len(COLUMNS) - 1 for line in lines)


def test_the_json_line_is_a_record(text: str) -> None:
    assert RECORDS.validate_json(blocks(text, "json")[0]) == status()


def test_the_topics_and_their_keys(text: str) -> None:
    (example,) = [block for block in blocks(text) if block.startswith("headcount/Fair/north/state")]
    lines = example.splitlines()
    shown = dict(zip(lines[::2], map(json.loads, lines[1::2]), strict=True))
    told = _of_measurement(measured(40), Topics("headcount", "Fair"))
    for topic, content in shown.items():
        if not topic.endswith("/alert"):
            assert list(json.loads(told[topic])) == list(content)
    topics = Topics("headcount", "SITE")
    expected = {
        topics.availability, topics.alerts, topics.camera_availability("CAMERA"), topics.camera("CAMERA"),
        topics.zone("CAMERA", "ZONE"), topics.line("CAMERA", "LINE"), topics.alert("CAMERA"),
        topics.alert("CAMERA", "ZONE"),
    }  # fmt: skip
    assert set(re.findall(r"^\| `(headcount/SITE/[^`]*)`", text, re.MULTILINE)) == expected


def test_the_message_of_a_webhook_is_signed(text: str) -> None:
    (example,) = [block for block in blocks(text) if block.startswith("POST")]
    head, _, body = example.strip().partition("\n\n")
    headers = dict(line.split(": ", 1) for line in head.splitlines()[1:])
    key = key_of(re.findall(r"`(whsec_\w+)`", text)[0])
    expected = signature(key, headers["webhook-id"], headers["webhook-timestamp"], body.encode())
    assert headers["webhook-signature"] == expected
    assert list(json.loads(body)["data"]) == list(payload(alert(), "Fair")["data"])


def test_the_metrics_are_those_that_there_are(text: str) -> None:
    metrics = Metrics(None, site())
    metrics.take(measured(40))
    there = set(re.findall(r"^# TYPE (\S+)", metrics.exposition(), re.MULTILINE))
    there -= {name for name in there if name.endswith("_created")}
    said = set[str]()
    for row in re.findall(r"^\| (`headcount_.*?) \|", section(text, "Prometheus"), re.MULTILINE):
        names = re.findall(r"`(headcount_\w+)`", row)
        said |= set(names)
        if "_low" in row:
            said |= {f"{names[0]}_low", f"{names[0]}_high"}
    assert said == there
    for example in re.findall(r"^(headcount_\w+)\{", text, re.MULTILINE):
        assert example in there


def test_the_example_of_an_output_is_one(text: str) -> None:
    names: dict[str, Any] = {}
    exec(blocks(text, "python")[-1], names)
    assert isinstance(names["Printer"](None, site(), Path()), DirectOutput)


def test_no_line_of_text_is_too_long(text: str) -> None:
    outside = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    assert [line for line in outside.splitlines() if len(line) > 120 and not line.startswith("|")] == []
