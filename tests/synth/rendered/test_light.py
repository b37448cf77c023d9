"""Light: every weather at every part of the day, and what sets them apart."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from headcount.synth.rendered.light import (
    DAY_PARTS,
    WEATHERS,
    DayPart,
    Weather,
    indoor_light,
    outdoor_light,
    stage_light,
)


@pytest.mark.parametrize(("weather", "day"), list(product(WEATHERS, DAY_PARTS)))
def test_every_weather_has_a_light(weather: Weather, day: DayPart) -> None:
    light = outdoor_light(np.random.default_rng(1), weather, day)
    assert np.linalg.norm(light.sun) == pytest.approx(1.0)
    assert light.sun[2] > 0
    for colour in (light.sun_light, light.sky_light, light.ground_light, light.zenith, light.horizon, light.fog):
        assert min(colour) >= 0
    assert light.exposure > 0
    assert light.is_dark == (day == "night")


def test_seven_kinds_of_weather() -> None:
    assert len(WEATHERS) == 7
    one = {weather: outdoor_light(np.random.default_rng(2), weather, "noon") for weather in WEATHERS}
    assert one["fog"].fog_per_m > 5 * one["sunny"].fog_per_m
    assert min(one["rain"].rain, one["rain"].wet) > 0
    assert one["overcast"].rain == 0
    assert sum(one["extra-sunny"].sun_light) > sum(one["sunny"].sun_light) > sum(one["overcast"].sun_light)
    assert sum(one["thunder"].zenith) < sum(one["rain"].zenith)
    assert one["overcast"].clouds > one["clouds"].clouds > one["extra-sunny"].clouds


def test_snow_falls_dry() -> None:
    light = outdoor_light(np.random.default_rng(3), "rain", "noon", snowy=True)
    assert light.snow == 1
    assert light.wet == 0


def test_the_sun_sees_all_of_the_ground() -> None:
    light = outdoor_light(np.random.default_rng(4), "sunny", "morning")
    matrix = light.shadow_clip(-10.0, 2.0, 20.0, 40.0)
    corners = np.array([(x, y, z, 1.0) for x in (-10, 10) for y in (2, 42) for z in (0, 4)])
    seen = corners @ matrix.T
    assert (np.abs(seen[:, :3]) <= 1 + 1e-9).all()
    np.testing.assert_allclose(seen[:, 3], 1.0)


def test_rooms_and_stages_have_a_light() -> None:
    assert indoor_light(np.random.default_rng(5)).indoors
    stage = stage_light(np.random.default_rng(6), 40.0)
    assert len(stage.lamps_at) == len(stage.lamps_light) >= 4
    assert stage.is_dark
