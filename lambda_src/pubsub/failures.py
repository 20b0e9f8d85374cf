"""What can go wrong with a message that was read: nobody's mistake, but somebody has to mend it."""

from __future__ import annotations


class NotCountable(RuntimeError):  # noqa: N818 - reads as the statement it is
    """DynamoDB refuses a message's words, and will until somebody mends the cause."""


class NotPublished(RuntimeError):  # noqa: N818 - reads as the statement it is
    """A message was counted, and the topic did not take it; the text is the error's code."""
