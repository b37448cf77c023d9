"""What a site's file leaves to the environment, as passwords."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from urllib.parse import quote

from headcount.core.errors import InputError

_NAME = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_USER = re.compile(r"(?<=://)[^/]*(?=@)")


def filled(text: str, key: str, *, environment: Mapping[str, str] | None = None) -> str:
    """An address or a secret with every ``${NAME}`` in the place of its value.

    Before the ``@`` of an address, signs that would end a name or password there are encoded.

    Args:
        text: as it was written.
        key: whose value it is, for messages.
        environment: that of the process where None.

    Raises:
        InputError: the environment has no such name.

    >>> filled("postgresql://me:${PASSWORD}@host/db", "url", environment={"PASSWORD": "a/b"})
    'postgresql://me:a%2Fb@host/db'
    """
    known = os.environ if environment is None else environment

    def value(match: re.Match[str]) -> str:
        if match[1] not in known:
            raise InputError(
                f'"{key}" takes ${{{match[1]}}} from the environment, which has no such name: set it before the start.'
            )
        return known[match[1]]

    text = _USER.sub(lambda user: _NAME.sub(lambda match: quote(value(match), safe=""), user[0]), text)
    return _NAME.sub(value, text)
