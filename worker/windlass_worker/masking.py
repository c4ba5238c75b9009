"""Secrets in what scripts print: hidden before it leaves the machine, also where they come in pieces."""

HIDDEN = "***"
# The digits of a short one stand everywhere.
SHORTEST = 4


class Masking:
    """Text in, the same text without secrets out. What may be the beginning of one waits for the rest."""

    def __init__(self, secrets):
        self._secrets = [secret for secret in set(secrets) if len(secret) >= SHORTEST]
        self._held = ""
        # How many characters of what is held belong to a secret that was shown as hidden already.
        self._covered = 0

    def take(self, text):
        """More text; what of all so far is certain to be shown."""
        text = self._held + text
        end = len(text) - max((_overlap(text, secret) for secret in self._secrets), default=0)
        return self._show(text, end)

    def rest(self):
        """What is left at the end."""
        return self._show(self._held, len(self._held))

    def hide(self, text):
        """A whole text without secrets."""
        return Masking(self._secrets)._show(text, len(text))

    def _show(self, text, end):
        """A text up to its `end`, where no secret begins that is cut off; holds what comes after."""
        shown, place = [], self._covered
        for begin, after in self._found(text):
            if begin >= end:
                break
            # Of secrets that share text, one mark hides all.
            if begin >= place:
                shown += [text[place:begin], HIDDEN]
            place = max(place, after)
        shown.append(text[place:end])
        self._held, self._covered = text[end:], max(0, place - end)
        return "".join(shown)

    def _found(self, text):
        """Where secrets stand in a text, in the order of their beginnings."""
        found = []
        for secret in self._secrets:
            place = text.find(secret)
            while place >= 0:
                found.append((place, place + len(secret)))
                place = text.find(secret, place + 1)
        return sorted(found)


def _overlap(text, secret):
    """How many characters at the end of a text are the beginning of a secret, and not all of it."""
    place = text.find(secret[0], max(0, len(text) - len(secret) + 1))
    while place >= 0:
        if secret.startswith(text[place:]):
            return len(text) - place
        place = text.find(secret[0], place + 1)
    return 0
