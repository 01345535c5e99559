"""The one error that a person's mistake raises. Anything else that escapes is a bug."""


class SheetsimError(ValueError):
    """A person's mistake in one sentence: what is wrong, where, and what to do.

    The command line prints it to standard error and exits with status 2.
    """
