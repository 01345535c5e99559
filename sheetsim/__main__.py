"""`python -m sheetsim` is the command `sheetsim`."""

from sheetsim.cli import main

main()
