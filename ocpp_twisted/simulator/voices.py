"""Which voice a simulated charge point has for which version.

A voice is imported when it is needed: each brings the messages of its version, and much besides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from typing import Any

from ocpp_twisted.simulator.station import Station, Voice

__all__ = ["VOICES", "voice_for"]

#: Version to the module and the class that speak it.
VOICES: Mapping[str, tuple[str, str]] = {
    "1.6": ("voice16", "Voice16"),
    "2.0": ("v2.voice", "Voice2"),
    "2.0.1": ("v2.voice", "Voice2"),
    "2.1": ("v2.voice", "Voice2"),
}


def voice_for(version: str) -> Callable[[Station], Voice]:
    """What makes a station's voice.

    :param version: one of `VOICES`.
    """
    module, name = VOICES[version]
    voice: Any = getattr(import_module(f"ocpp_twisted.simulator.{module}"), name)
    return partial(voice, version=version)
