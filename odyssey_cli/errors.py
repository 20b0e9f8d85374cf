"""The one error a user is meant to read."""


class OdysseyError(Exception):
    """Says in one sentence what is wrong (`problem`) and in one what to do (`remedy`)."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem} {remedy}")
        self.problem = problem
        self.remedy = remedy
