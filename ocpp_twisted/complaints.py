"""What is wrong, collected so that all of it is told at once. Imports the errors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from ocpp_twisted.errors import ConfigurationError

__all__ = ["Complaints"]


class Complaints:
    """What is wrong.

    :ivar sentences: one for each thing.
    """

    def __init__(self, sentences: Iterable[str] = ()) -> None:
        self.sentences = list(sentences)

    def add(self, sentence: str) -> None:
        """Take a sentence, unless it has been said."""
        if sentence not in self.sentences:
            self.sentences.append(sentence)

    @contextmanager
    def collect(self) -> Iterator[None]:
        """Take the text of a `ConfigurationError`, and go on."""
        try:
            yield
        except ConfigurationError as error:
            self.add(str(error))

    def tell(self) -> None:
        """End here, if there are any.

        :raises ConfigurationError: if there are any, with a line for each.
        """
        if self.sentences:
            raise ConfigurationError("\n".join(self.sentences))
