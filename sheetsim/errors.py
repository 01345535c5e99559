"""The one error that a person's mistake raises. Anything else that escapes is a bug."""


class SheetsimError(ValueError):
    """What is wrong, where, and what to do, in one sentence; the command line prints it and exits with status 2."""
