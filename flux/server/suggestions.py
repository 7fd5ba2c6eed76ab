"""What an unknown command may have meant."""

from collections.abc import Iterable

_LONGEST = 32  # a longer word is no misspelling of a command; looking it up would only cost


class Suggestions:
    """Known words near an unknown one: one letter off, two neighbours swapped, or one within the other.

    A few dictionary lookups, not a similarity ratio over all commands (100 µs): one read can hold 30,000 unknown commands.
    """

    def __init__(self, words: Iterable[str]) -> None:
        self._words = sorted(words)
        self._by_shorter: dict[str, set[str]] = {}
        for word in self._words:
            for shorter in _shorter(word):
                self._by_shorter.setdefault(shorter, set()).add(word)

    def near(self, word: str) -> list[str]:
        """Known words near *word*, sorted; at most three."""
        if len(word) > _LONGEST:
            return []
        found: set[str] = set()
        for shorter in _shorter(word):
            found |= self._by_shorter.get(shorter, set())
        if len(word) > 2:  # one or two letters are within nearly everything
            found.update(known for known in self._words if word in known or known in word)
        return sorted(found)[:3]


def _shorter(word: str) -> set[str]:
    return {word, *(word[:at] + word[at + 1 :] for at in range(len(word)))}
