"""The one error that a person's mistake raises, anything else that escapes being a bug; and the one warning."""


class SheetsimWarning(UserWarning):
    """What a person should know of a result that is there, in one sentence."""


class SheetsimError(ValueError):
    """What is wrong, where, and what to do, in one sentence; the command line prints it and exits with status 2."""
