"""Every decoder of the table is found by its name and reads its own settings."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from headcount.core.card import DecoderSpec, ModelCard
from headcount.core.errors import ModelError
from headcount.core.settings import Settings
from headcount.core.table import load_object
from headcount.decode.table import DECODERS, decoder_of, open_decoder
from headcount.infer.models import find_model, shipped_models

MakeCard = Callable[..., ModelCard]


@pytest.mark.parametrize("name", DECODERS)
def test_a_row_names_a_function_and_settings_whose_defaults_it_takes(name: str) -> None:
    assert callable(DECODERS.load(name))
    settings = load_object(DECODERS[name].settings)
    assert issubclass(settings, Settings)
    assert callable(open_decoder(name, settings().model_dump()))


def test_an_unknown_decoder_names_the_nearest() -> None:
    with pytest.raises(ModelError, match=r'no decoder "densty".*Did you mean "density"'):
        open_decoder("densty", {})


@pytest.mark.parametrize("name", shipped_models())
def test_the_settings_of_shipped_cards_are_read(name: str) -> None:
    assert callable(decoder_of(find_model(name).card))


@pytest.mark.parametrize(
    ("key", "value", "words"), [("peak_distance", 1.5, "whole number"), ("density_scale", "much", "number")]
)
def test_a_wrong_setting_of_a_card_is_named_by_its_key(
    tiny_card: MakeCard, key: str, value: object, words: str
) -> None:
    card = tiny_card(decoder=DecoderSpec(name="density", settings={key: value}))
    with pytest.raises(ModelError, match=rf'card of tiny.*"decoder\.settings\.{key}" is .*{words}'):
        decoder_of(card)


def test_settings_as_older_cards_and_the_command_line_give_them_are_numbers() -> None:
    assert callable(open_decoder("instances", {"split": 1.0, "split_distance": 4.0, "connectivity": 8.0}))


def test_a_model_that_tells_sizes_is_refused_for_counting(tiny_card: MakeCard) -> None:
    with pytest.raises(ModelError, match=r"counts nobody"):
        decoder_of(tiny_card(task="size", decoder=None))
