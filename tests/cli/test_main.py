"""`headcount` itself: its verbs by table, its pages of help, what ends a run and with which exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from headcount.cli import main as main_module
from headcount.cli.datasets import DATASETS_VERBS as DATASETS
from headcount.cli.import_ import IMPORT_VERBS as IMPORTS
from headcount.cli.label import LABEL_VERBS as LABEL
from headcount.cli.main import VERBS
from headcount.cli.verbs import Verb
from headcount.cli.watch import WATCH_VERBS as WATCH
from headcount.core.errors import InputError
from headcount.core.table import Table, load_object

RunCli = Callable[..., tuple[int, str, str]]
GROUPS = {"datasets": DATASETS, "label": LABEL, "import": IMPORTS, "watch": WATCH}
COMMANDS = [name for name in VERBS if name not in GROUPS] + [
    f"{group} {name}" for group, table in GROUPS.items() for name in table
]


def rows() -> Iterator[Verb]:
    for table in (VERBS, *GROUPS.values()):
        yield from table.values()


@pytest.fixture(autouse=True)
def columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


@pytest.mark.parametrize("verb", rows(), ids=lambda verb: verb.target)
def test_a_row_says_what_the_function_says(verb: Verb) -> None:
    made = load_object(verb.target)
    text = made.info.help if hasattr(made, "info") else made.__doc__
    assert " ".join(text.split("\n\n")[0].split()) == verb.help


def test_help_lists_every_verb_under_its_panel(run_cli: RunCli) -> None:
    code, out, err = run_cli("--help")
    assert (code, err) == (0, "")
    found = [line.strip("│╭─╮ ").split("  ")[0] for line in out.splitlines() if line[:1] in ("│", "╭")]
    assert [name for name in found if name in VERBS] == list(VERBS)
    panels = ["Options", "Count", "Watch a place", "Measure", "Make data", "Train (needs the train extra)"]
    assert [line.strip("╭─╮ ") for line in out.splitlines() if line.startswith("╭")] == panels


@pytest.mark.parametrize("command", ["", *GROUPS, *COMMANDS])
def test_every_page_fits_80_columns_and_names_no_type_of_python(run_cli: RunCli, command: str) -> None:
    code, out, err = run_cli(*command.split(), "-h")
    assert (code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 80
    assert "<" not in out
    assert "None" not in out


@pytest.mark.parametrize("command", ["", "datasets", "label", "import"])
def test_help_of_verbs_imports_none_of_them(command: str) -> None:
    code = f"""
        import sys, json
        sys.argv = ["headcount", *{command.split()!r}, "--help"]
        from headcount.cli.main import main
        try:
            main()
        except SystemExit:
            print(json.dumps(sorted(name for name in sys.modules if name.startswith("headcount"))))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    own = {f"headcount.cli.{name}" for name in ("main", "verbs", "remedies", "help", "console", "streams", "signals")}
    group = {"": "", "import": "headcount.cli.import_"}.get(command, f"headcount.cli.{command}")
    options = (
        {"headcount.cli.options", "headcount.cli.places"} if command == "import" else set()
    )  # its verbs stand in the same file
    assert {name for name in loaded if name.startswith("headcount.cli.")} == own | options | ({group} - {""})


def test_a_verbs_help_imports_that_verb_alone() -> None:
    code = """
        import sys, json
        sys.argv = ["headcount", "count", "--help"]
        from headcount.cli.main import main
        try:
            main()
        except SystemExit:
            print(json.dumps(sorted(sys.modules)))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert "headcount.cli.count" in loaded
    targets = {verb.target.partition(":")[0] for verb in rows()} - {"headcount.cli.count"}
    assert not loaded & {*targets, "numpy", "cv2", "headcount.infer.job"}


@pytest.mark.parametrize(("command", "near"), [("cuont", "count"), ("datasets cehck", "check")])
def test_an_unknown_command_is_told_the_nearest(run_cli: RunCli, command: str, near: str) -> None:
    wrong = command.split()[-1]
    assert run_cli(*command.split()) == (2, "", f'Error: There is no command "{wrong}". Did you mean "{near}"?\n')


def test_an_unknown_option_is_told(run_cli: RunCli) -> None:
    code, out, err = run_cli("--count", "photo.jpg")
    assert (code, out) == (2, "")
    assert "--count" in err


def test_the_version(run_cli: RunCli) -> None:
    import headcount

    assert run_cli("--version") == (0, f"headcount {headcount.__version__}\n", "")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another package on the path, with one verb that works and one that cannot be imported."""
    (tmp_path / "crowdtools.py").write_text(
        textwrap.dedent(
            '''
            from headcount.cli.verbs import Verb
            from headcount.core.errors import InputError

            VERB = Verb(name="greet", target="crowdtools:greet", help="Greet a crowd.", panel="Measure")

            def greet(name: str, force: bool = False) -> None:
                """Greet a crowd."""
                if not force:
                    raise InputError(f'"{name}" was greeted already.', remedy="overwrite")
                print(f"Hello {name}")
            '''
        )
    )
    info = tmp_path / "crowdtools-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: crowdtools\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[headcount.commands]\ngreet = crowdtools:VERB\nlost = crowdtools:LOST\n")
    fresh = Table("commands", "command", list(VERBS.values()), Verb)
    monkeypatch.syspath_prepend(str(tmp_path))
    group = type(main_module.app.info.cls.__name__, (main_module.app.info.cls,), {"table": fresh})
    monkeypatch.setattr(main_module.app.info, "cls", group)
    return tmp_path


def test_other_packages_add_verbs(package: Path, run_cli: RunCli) -> None:
    code, out, err = run_cli("--help")
    assert (code, err) == (0, "")
    measure = out[out.index("─ Measure") : out.index("─ Make data")]
    assert "greet Greet a crowd." in " ".join(measure.split())
    assert run_cli("greet", "the-hall", "--force") == (0, "Hello the-hall\n", "")
    code, out, err = run_cli("greet", "the-hall")
    assert (code, out, err) == (2, "", 'Error: "the-hall" was greeted already, or overwrite it with --force.\n')


def test_a_broken_package_hides_no_other_verb(package: Path, run_cli: RunCli) -> None:
    code, out, _ = run_cli("--help")
    assert code == 0
    assert "cannot be loaded" in " ".join(out.replace("│", " ").split())
    assert all(f" {name} " in out for name in VERBS)
    code, out, err = run_cli("lost")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert 'the package "crowdtools" cannot be loaded' in err


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (InputError("No."), 2, "Error: No."),
        (KeyboardInterrupt(), 130, "Interrupted."),
        (OSError(28, "No space left on device"), 2, "no space left"),
        (RuntimeError("boom"), 70, "RuntimeError: boom"),
    ],
)
def test_what_ends_a_run(
    monkeypatch: pytest.MonkeyPatch, run_cli: RunCli, error: BaseException, code: int, words: str
) -> None:
    def fails() -> None:
        raise error

    monkeypatch.setattr("headcount.infer.models.shipped_models", fails)
    ended, out, err = run_cli("models")
    assert (ended, out) == (code, "")
    assert words in err
    assert err.count("\n") == bool(words)
    if isinstance(error, InputError | RuntimeError):
        debugged, out, err = run_cli("models", "--debug")
        assert (debugged, out) == (code, "")
        assert "Traceback" in err
        assert err.splitlines()[-1].startswith("Error: ")


@pytest.mark.parametrize(
    ("command", "at_work"),
    [
        ("count photo.png", "headcount.infer.job.find_sources"),
        ("evaluate m --data points=a.csv", "headcount.infer.counter.load"),
        ("datasets convert points=a.csv b.json --to coco", "headcount.data.sets.convert.convert_dataset"),
        ("train mine.yaml", "headcount.train.recipe.load_recipe"),
    ],
)
@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGHUP", 129), ("SIGINT", 130)])
def test_a_signal_stops_every_command_as_ctrl_c_does(
    monkeypatch: pytest.MonkeyPatch, run_cli: RunCli, command: str, at_work: str, name: str, code: int
) -> None:
    if command.startswith("train"):
        pytest.importorskip("torch", reason="training needs torch")

    def stopped(*_: object, **__: object) -> None:
        os.kill(os.getpid(), getattr(signal, name))
        time.sleep(10)

    monkeypatch.setattr(at_work, stopped)
    assert run_cli(*command.split()) == (code, "", "Interrupted.\n")


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("count a.jpg --every 0", '--every takes a number of at least 0.001, but "0" was given.'),
        ("count a.jpg --every often", '--every takes a number of at least 0.001, but "often" was given.'),
        ("count a.jpg --max-pixels 1.5", '--max-pixels takes a whole number of at least 1, but "1.5" was given.'),
        ("demo --seed -1", '--seed takes a whole number of at least 0, but "-1" was given.'),
        ("label interpolate a b c --k 0", '--k takes a whole number of at least 1, but "0" was given.'),
        ("count", "headcount count needs SOURCE..., which was not given: see headcount count --help."),
        ("count a.jpg --model", "--model needs a value behind it."),
        ("datasets convert points=a.csv b", "headcount datasets convert needs the option --to, which was not given: "
         "see headcount datasets convert --help."),
        ("models all", 'headcount models takes fewer arguments: "all" is too many; see headcount models --help.'),
        ("count a.jpg --foce", 'headcount count has no option "--foce". Did you mean "--force"?'),
    ],
)  # fmt: skip
def test_a_wrong_command_line_is_told_in_plain_words(run_cli: RunCli, command: str, told: str) -> None:
    assert run_cli(*command.split()) == (2, "", f"Error: {told}\n")
