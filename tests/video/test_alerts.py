"""Alerts: golden timelines of the default ladder, and what holds of any timeline."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headcount.video.alerts import Alerts
from headcount.video.measurement import AlertEvent, Amount, Measurement, ZoneMeasure
from headcount.video.site import AlertSettings, Site

BEGIN = datetime(2026, 5, 1, 20, 0, tzinfo=UTC)
SQUARE = [[0, 0], [100, 0], [100, 100], [0, 100]]
CALIBRATION = {
    "points": [{"pixel": p, "metres": p} for p in ([0, 0], [100, 0], [100, 100], [0, 100])],
    "size_wh": [100, 100],
}


def site(*, zones: Sequence[dict[str, object]] = ({"name": "gate"},), **more: object) -> Site:
    camera = {
        "name": "north",
        "source": "x.mp4",
        "calibration": CALIBRATION,
        "zones": [{"polygon": SQUARE, **zone} for zone in zones],
    }
    return Site.model_validate({"name": "fair", "cameras": [camera], **more})


def record(
    second: float, density: float | None, *, people: float = 10, zone: str = "gate", low: float | None = None
) -> Measurement:
    amount = None if density is None else Amount(value=density, low=low, high=None if low is None else density + 1)
    refused = {"density": "The calibration does not fit."} if density is None else {}
    return Measurement(
        camera="north",
        at=BEGIN + timedelta(seconds=second),
        frame=0,
        size_wh=(100, 100),
        people=Amount(value=people),
        zones=(ZoneMeasure(name=zone, people=Amount(value=people), density=amount, refused=refused),),
    )


def told(events: Iterable[AlertEvent]) -> list[tuple[str, int, float]]:
    return [(event.state, event.level, (event.at - BEGIN).total_seconds()) for event in events]


def run(
    values: Iterable[tuple[float, float | None]], alerts: Alerts | None = None, **more: object
) -> list[tuple[str, int, float]]:
    alerts = alerts or Alerts(site(**more))  # type: ignore[arg-type]
    return told(event for second, value in values for event in alerts.take(record(second, value)))


def steady(*parts: tuple[int, float | None]) -> list[tuple[float, float | None]]:
    """A record a second: (how many, which density) after one another."""
    values = [value for number, value in parts for _ in range(number)]
    return [(float(second), value) for second, value in enumerate(values)]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], []),
        (steady((60, 1.99)), []),
        (steady((10, 2.0), (60, 1.0)), []),  # nine seconds, from the first record to the tenth
        (steady((11, 2.0)), [("raised", 1, 10)]),
        (steady((300, 2.0)), [("raised", 1, 10)]),  # one alert a breach
        (steady((11, 6.0)), [("raised", 3, 10)]),  # straight to the top: the highest level alone
        (steady((15, 2.5), (15, 4.0), (15, 5.5)), [("raised", 1, 10), ("raised", 2, 25), ("raised", 3, 40)]),
        (steady((11, 2.0), (60, 1.8)), [("raised", 1, 10)]),  # between 85 % and the threshold: still on
        (steady((11, 2.0), (31, 1.69)), [("raised", 1, 10), ("cleared", 1, 41)]),
        (steady((11, 2.0), (30, 1.69), (1, 1.7), (30, 1.0)), [("raised", 1, 10)]),  # begins anew
        # What stays held below a level that is over is told with it.
        (steady((11, 6.0), (31, 4.0)), [("raised", 3, 10), ("cleared", 3, 41), ("raised", 2, 41)]),
        (
            steady((15, 2.5), (15, 6.0), (31, 0.5)),
            [("raised", 1, 10), ("raised", 3, 25), ("cleared", 3, 60), ("cleared", 1, 60)],
        ),
        # After it was cleared at 41 it cools down until 161, and is raised then if it has been held.
        (steady((11, 2.0), (31, 1.0), (140, 2.0)), [("raised", 1, 10), ("cleared", 1, 41), ("raised", 1, 161)]),
        (steady((11, 2.0), (31, 1.0), (100, 2.0), (40, 1.0)), [("raised", 1, 10), ("cleared", 1, 41)]),
    ],
)  # fmt: skip
def test_the_default_ladder(values: list[tuple[float, float | None]], expected: list[tuple[str, int, float]]) -> None:
    assert run(values) == expected


def test_the_default_ladder_is_the_published_one() -> None:
    ladder = AlertSettings()
    assert (ladder.thresholds, ladder.hold_s, ladder.clear_at) == ((2.0, 3.5, 5.0), 10, 0.85)
    assert (ladder.clear_s, ladder.cool_down_s, ladder.measure) == (30, 120, "density")


def test_a_level_in_its_cool_down_lets_the_lower_one_be_raised() -> None:
    events = run(steady((11, 4.0), (31, 0.0), (20, 4.0)))
    assert events == [("raised", 2, 10), ("cleared", 2, 41), ("raised", 1, 52)]


def test_a_silence_does_not_count_as_holding() -> None:
    assert run([(0, 3.0), (9, 3.0), (12, 3.0), (18.9, 3.0)]) == []
    assert run([(0, 3.0), (1, 3.0), (60, 3.0), (61, 3.0)]) == []
    assert run([(0, 3.0), (4, 3.0), (8, 3.0), (12, 3.0)]) == [("raised", 1, 12)]  # 4 s are under half of the hold


def test_a_silence_does_not_count_as_clearing() -> None:
    assert run([*steady((11, 3.0)), (11, 0.0), (60, 0.0), (80, 0.0)]) == [("raised", 1, 10)]


def test_a_slow_camera_has_a_longer_usual_step() -> None:
    events = run([(20.0 * n, 3.0) for n in range(8)])
    assert [state for state, _, _ in events] == ["raised"]


def test_a_clock_that_jumps_back_begins_the_hold_anew_and_does_not_stretch_the_cool_down() -> None:
    assert run([*steady((9, 3.0)), *[(float(s), 3.0) for s in range(-3600, -3589)]]) == [("raised", 1, -3590)]
    cleared = steady((11, 2.0), (31, 1.0))
    later = [(float(second), 2.0) for second in range(-1000, -860)]
    assert run([*cleared, *later])[-1] == ("raised", 1, -880)  # 120 s after it was cleared, by the records


def test_a_clock_that_jumps_forward_is_a_silence() -> None:
    assert run([*steady((9, 3.0)), (4000, 3.0), (4001, 3.0)]) == []


def test_what_is_raised_stays_so_over_a_silence() -> None:
    assert run([*steady((11, 3.0)), (3000, 3.0), (3001, 3.0)]) == [("raised", 1, 10)]


def test_a_camera_that_is_unseen_clears_all_it_has_with_the_reason() -> None:
    alerts = Alerts(site())
    raised = [event for second in range(40) for event in alerts.take(record(second, 3 if second < 15 else 6))]
    assert alerts.open() == raised
    cleared = alerts.unseen("north", BEGIN + timedelta(seconds=50), "The camera does not answer.")
    assert told(cleared) == [("cleared", 3, 50), ("cleared", 1, 50)]
    assert {event.reason for event in cleared} == {"The camera does not answer."}
    assert alerts.open() == []
    assert alerts.unseen("north", BEGIN, "Again.") == []
    assert alerts.unseen("unknown", BEGIN, "Whose?") == []
    # Held anew, and told again without a cool-down.
    assert run([(60.0 + n, 6.0) for n in range(11)], alerts) == [("raised", 3, 70)]


def test_raised_and_cleared_share_the_id_and_the_peak_is_the_largest_since() -> None:
    alerts = Alerts(site())
    values = steady((11, 2.5), (3, 3.2), (40, 0.4))
    raised, cleared = [event for second, value in values for event in alerts.take(record(second, value))]
    assert raised.id == cleared.id
    assert (raised.value, raised.peak) == (2.5, 2.5)
    assert (cleared.value, cleared.peak) == (0.4, 3.2)
    assert (cleared.threshold, cleared.measure, cleared.zone) == (2.0, "density", "gate")
    assert cleared.reason == "It stayed below 1.7 for 30 s."


def test_a_measure_that_is_refused_raises_nothing_and_breaks_a_hold() -> None:
    assert run(steady((60, None))) == []
    assert run(steady((9, 3.0), (1, None), (9, 3.0))) == []


def test_what_is_raised_and_then_refused_for_long_is_cleared_with_the_reason() -> None:
    alerts = Alerts(site())
    events = [e for second, value in steady((11, 3.0), (31, None)) for e in alerts.take(record(second, value))]
    assert told(events) == [("raised", 1, 10), ("cleared", 1, 41)]
    assert events[1].reason == "It could not be measured for 30 s: The calibration does not fit."
    assert events[1].value == 3.0


def test_a_zone_has_its_own_ladder_or_none() -> None:
    own = {"name": "stage", "alerts": {"thresholds": [1], "hold_s": 0}}
    alerts = Alerts(site(zones=[{"name": "gate"}, own, {"name": "bar", "alerts": False}]))
    for zone, expected in (("gate", []), ("stage", [("raised", 1, 0)]), ("bar", []), ("unknown", [])):
        assert told(alerts.take(record(0, 9.0, zone=zone))) == expected
    assert run(steady((60, 9.0)), alerts=Alerts(site(alerts=False))) == []
    only_own = Alerts(site(alerts=False, zones=[own]))
    assert told(only_own.take(record(0, 9.0, zone="stage"))) == [("raised", 1, 0)]


def test_people_need_no_calibration_and_a_camera_without_zones_is_compared_as_a_whole() -> None:
    people = {"measure": "people", "thresholds": [50], "hold_s": 0}
    whole = Alerts(Site.model_validate({"name": "f", "cameras": [{"name": "north", "source": "x"}], "alerts": people}))
    (event,) = whole.take(record(0, None, people=50))
    assert (event.zone, event.measure, event.value) == ("", "people", 50)
    zoned = Alerts(site(alerts=people))
    (event,) = zoned.take(record(0, None, people=51))
    assert (event.zone, event.value) == ("gate", 51)
    assert Alerts(site(zones=())).take(record(0, 9.0)) == []  # no density of a whole view


@pytest.mark.parametrize(("use", "raises"), [("value", True), ("low", False), ("high", True)])
def test_an_end_of_the_range_can_be_compared(use: str, raises: bool) -> None:
    alerts = Alerts(site(alerts={"hold_s": 0, "use": use}))
    assert bool(alerts.take(record(0, 2.5, low=1.5))) == raises


def test_without_a_range_the_value_is_compared() -> None:
    assert Alerts(site(alerts={"hold_s": 0, "use": "low"})).take(record(0, 2.5))


def test_a_camera_the_site_does_not_know_raises_nothing() -> None:
    stranger = record(0, 9.0).model_copy(update={"camera": "south"})
    assert Alerts(site(alerts={"hold_s": 0})).take(stranger) == []


@pytest.mark.parametrize("per_second", [3, 5, 7, 10, 25, 60])
def test_a_hold_is_as_long_at_any_number_of_frames_a_second(per_second: int) -> None:
    events = run([(0.1 + frame / per_second, 2.0) for frame in range(10 * per_second + 1)])
    assert [(state, level) for state, level, _ in events] == [("raised", 1)]


STEPS = st.lists(
    st.tuples(
        st.sampled_from([0.5, 1.0, 1.0, 1.0, 4.0, 40.0, -5.0]),
        st.one_of(st.none(), st.sampled_from([0.0, 1.6, 1.9, 2.0, 3.2, 3.5, 4.6, 5.0, 8.0])),
        st.integers(1, 40),
    ),
    max_size=12,
)
LADDERS = st.sampled_from(
    [
        {},
        {"hold_s": 0, "clear_s": 0, "cool_down_s": 0},
        {"hold_s": 3, "clear_s": 5, "cool_down_s": 0},
        {"clear_at": 1.0, "clear_s": 2},
    ]
)


def play(steps: list[tuple[float, float | None, int]], ladder: dict[str, object]) -> list[AlertEvent]:
    alerts = Alerts(site(alerts=ladder))
    second, events = 0.0, []
    for step, value, number in steps:
        for _ in range(number):
            second += step
            events += alerts.take(record(second, value))
    return events


@settings(max_examples=150, deadline=None)
@given(STEPS, LADDERS)
def test_whatever_happens_an_alert_is_raised_once_and_cleared_after_that(
    steps: list[tuple[float, float | None, int]], ladder: dict[str, object]
) -> None:
    open_ids: dict[int, str] = {}
    seen = set()
    for event in play(steps, ladder):
        if event.state == "raised":
            assert event.level not in open_ids
            assert event.value >= event.threshold
            assert event.id not in seen
            assert all(level < event.level for level in open_ids)  # below a raised one nothing is
            seen.add(event.id)
            open_ids[event.level] = event.id
        else:
            assert open_ids.pop(event.level) == event.id
            assert all(level < event.level for level in open_ids)  # the highest is over first
            assert event.reason
            assert event.peak >= event.threshold


@settings(max_examples=100, deadline=None)
@given(STEPS, st.floats(0.1, 4))
def test_a_higher_threshold_raises_no_more_often_and_never_sooner(
    steps: list[tuple[float, float | None, int]], higher: float
) -> None:
    ladders = ({"thresholds": [2.0], "cool_down_s": 0}, {"thresholds": [2.0 + higher], "cool_down_s": 0})
    first = defaultdict[int, list[int]](list)
    for at, ladder in enumerate(ladders):
        alerts, second, number = Alerts(site(alerts=ladder)), 0.0, 0
        for step, value, repeat in steps:
            for _ in range(repeat):
                second, number = second + step, number + 1
                first[at] += [number for event in alerts.take(record(second, value)) if event.state == "raised"]
    if first[1]:
        assert first[0]
        assert first[0][0] <= first[1][0]


@settings(max_examples=60, deadline=None)
@given(st.integers(11, 200), st.floats(2.0, 9.0))
def test_a_breach_that_goes_on_is_one_alert(seconds: int, density: float) -> None:
    events = run(steady((seconds, density)))
    assert [(state, second) for state, _, second in events] == [("raised", 10)]
