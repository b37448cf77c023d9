"""Writing a site's file: anew, or with one camera more in a file that keeps its words and comments."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from headcount.core.addresses import without_secrets
from headcount.core.errors import InputError
from headcount.core.files import replacing, writing
from headcount.core.settings import checked
from headcount.video.site import CameraSettings, Site

_TOP = """\
# A place that is watched. The documentation ("Watch a place") says what each key means; what is not here is as it is by
# default: alerts at 2, 3.5 and 5 people per square metre, a database headcount-watch.sqlite beside this file, heads
# blurred in every picture.
"""


def new_file(site: Site) -> str:
    """The text of a site's file; what is as by default is left out.

    >>> camera = CameraSettings(name="door", source="door.mp4", frames_per_second=5)
    >>> text = new_file(Site(name="hall", cameras=(camera,)))
    >>> print(text[text.index("name:") :], end="")
    name: hall
    cameras:
    - name: door
      source: door.mp4
      frames_per_second: 5.0
    """
    return _TOP + _dumped(site.model_dump(mode="json", exclude_defaults=True))


def with_camera(text: str, camera: CameraSettings, *, instead_of: str = "") -> str:
    """The text of a site's file with a camera at the end of its cameras, or in the place of the one of a name.

    All else in it, comments too, stays as it is.

    Raises:
        InputError: it holds no list of cameras, a line each, to which one could be added; or no camera of that name.
    """
    mapping = _composed(text)
    wanted = mapping and {key.value: value for key, value in mapping.value}.get("cameras")
    if not isinstance(wanted, yaml.SequenceNode) or wanted.flow_style or not wanted.value:
        raise InputError('The file has no list "cameras:" with a dash before each, to which one could be added.')
    names = [_name_of(item) for item in wanted.value]
    if instead_of and instead_of not in names:
        raise InputError(f'The file has no camera "{instead_of}" to be changed.')
    lines = text.splitlines(keepends=True)
    item = wanted.value[names.index(instead_of)] if instead_of else wanted.value[-1]
    dash = wanted.start_mark.column
    first, last = item.start_mark.line, _last_line(item)
    added = textwrap.indent(_dumped([camera.model_dump(mode="json", exclude_defaults=True)]), " " * dash)
    if not instead_of:
        if lines and not lines[-1].endswith("\n"):
            lines[-1] += "\n"
        first = last + 1
    head, tail = "".join(lines[:first]), "".join(lines[last + 1 :])
    return head + added + tail


def write_site(
    path: Path, site: Site, *, before: str = "", camera: CameraSettings | None = None, instead_of: str = ""
) -> None:
    """Write a site's file, whole or not at all; one that holds a password is readable by its owner alone.

    ``before``: the text of the file so far, to which ``camera`` alone is added, or in which it takes the place of the
    camera ``instead_of``.

    Raises:
        InputError: it cannot be written, or the file so far is written in a way that it cannot be added to.
    """
    text = new_file(site)
    if before and camera is not None:
        text = with_camera(before, camera, instead_of=instead_of)
        if not _says(text, site):
            raise InputError(
                f'"{path}" is written in a way that no camera can be added to without changing more (references, or '
                "braces): write the camera to a new file, and copy it over by hand."
            )
    with writing(path), replacing(path) as partial:
        partial.touch(mode=0o600)
        partial.write_text(text, encoding="utf-8")
        if path.exists():
            partial.chmod(path.stat().st_mode & 0o777)
        elif not has_secrets(site):
            partial.chmod(0o666 & ~_umask())


def has_secrets(site: Site) -> bool:
    """Whether an address in a site's settings, or a webhook's secret, is nobody's business."""
    plain = site.model_dump(mode="json")
    return any(hook.secret for hook in site.outputs.webhooks) or _any_secret(plain)


def _any_secret(value: Any) -> bool:
    if isinstance(value, str):
        return without_secrets(value) != value
    if isinstance(value, Mapping):
        return any(map(_any_secret, value.values()))
    return isinstance(value, list) and any(map(_any_secret, value))


def _umask() -> int:
    now = os.umask(0o077)
    os.umask(now)
    return now


class _Dumper(yaml.SafeDumper):
    """Pairs of numbers on one line, all else a line each."""

    def represent_sequence(self, tag: str, sequence: Any, flow_style: bool | None = None) -> yaml.SequenceNode:
        is_pair = len(sequence) <= 4 and all(isinstance(one, int | float) for one in sequence)
        return super().represent_sequence(tag, sequence, flow_style=is_pair or flow_style)


def _dumped(value: Any) -> str:
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return text


def _composed(text: str) -> yaml.MappingNode | None:
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    return node if isinstance(node, yaml.MappingNode) else None


def _name_of(item: yaml.Node) -> str:
    if not isinstance(item, yaml.MappingNode):
        return ""
    return next((value.value for key, value in item.value if key.value == "name"), "")


def _last_line(node: yaml.Node) -> int:
    """The last line that belongs to a node: the marks of blocks end where the next thing begins."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _last_line(last[1] if isinstance(last, tuple) else last)
    end: int = node.end_mark.line
    return end - 1 if node.end_mark.column == 0 and end > node.start_mark.line else end


def _says(text: str, site: Site) -> bool:
    """Whether the text is that of the site."""
    try:
        return checked(Site, yaml.safe_load(text), "it") == site
    except (InputError, yaml.YAMLError):
        return False
