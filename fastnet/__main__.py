"""python -m fastnet: the command line."""

from fastnet.cli import main

main()
