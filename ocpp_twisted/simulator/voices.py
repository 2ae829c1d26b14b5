"""Which voice a simulated charge point has for which version.

A voice is imported when it is needed: each brings the messages of its version, and much besides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from ocpp_twisted.simulator.station import Station, Voice

__all__ = ["VOICES", "voice_for"]

_Voice = Callable[[Station], Voice]


def _voice16() -> _Voice:
    from ocpp_twisted.simulator.voice16 import Voice16

    return Voice16


def _voice2(version: str) -> _Voice:
    from ocpp_twisted.simulator.v2.voice import Voice2

    return partial(Voice2, version=version)


#: Version to what imports its voice.
VOICES: Mapping[str, Callable[[], _Voice]] = {
    "1.6": _voice16,
    "2.0": partial(_voice2, "2.0"),
    "2.0.1": partial(_voice2, "2.0.1"),
    "2.1": partial(_voice2, "2.1"),
}


def voice_for(version: str) -> _Voice:
    """What makes a station's voice.

    :param version: one of `VOICES`.
    """
    return VOICES[version]()
