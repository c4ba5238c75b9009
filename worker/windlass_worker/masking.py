"""Secrets in what scripts print: hidden before it leaves the machine, also where they come in pieces."""

HIDDEN = "***"
# The digits of a short one stand everywhere.
SHORTEST = 4


class Masking:
    """Text in, the same text without secrets out. What may be the beginning of one waits for the rest."""

    def __init__(self, secrets):
        usable = {secret for secret in secrets if len(secret) >= SHORTEST}
        # The longest first: another may be a part of it.
        self._secrets = sorted(usable, key=len, reverse=True)
        self._held = ""

    def take(self, text):
        """More text; what of all so far is certain to be shown."""
        text = self.hide(self._held + text)
        held = max((_overlap(text, secret) for secret in self._secrets), default=0)
        self._held = text[len(text) - held:]
        return text[:len(text) - held]

    def rest(self):
        """What is left at the end."""
        held, self._held = self._held, ""
        return held

    def hide(self, text):
        """A whole text without secrets."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return text


def _overlap(text, secret):
    """How many characters at the end of a text are the beginning of a secret, and not all of it."""
    place = text.find(secret[0], max(0, len(text) - len(secret) + 1))
    while place >= 0:
        if secret.startswith(text[place:]):
            return len(text) - place
        place = text.find(secret[0], place + 1)
    return 0
