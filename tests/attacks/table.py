"""The one list of attacks that are commands."""

from __future__ import annotations

from tests.attacks.attack import Attack
from tests.attacks.bombs import BOMBS
from tests.attacks.manifests import MANIFESTS
from tests.attacks.pickles import PICKLES
from tests.attacks.places import PLACES
from tests.attacks.words import WORDS

ATTACKS: tuple[Attack, ...] = (*PICKLES, *BOMBS, *PLACES, *WORDS, *MANIFESTS)
