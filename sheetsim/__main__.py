"""`python -m sheetsim` is the command `sheetsim`."""

from sheetsim.cli.commands import main

main()
