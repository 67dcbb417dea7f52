"""python -m fastnet: the command line."""

from fastnet.cli.commands import main

main()
