"""The one error that a person's mistake raises, anything else that escapes being a bug; and the one warning."""


class SheetsimWarning(UserWarning):
    """What a person should know of a result that is there, in one sentence."""


class SheetsimError(ValueError):
    """A person's mistake in one sentence: what is wrong, where, and what to do.

    The command line prints it to standard error and exits with status 2.
    """
