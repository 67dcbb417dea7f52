"""`python -m bench ...` is `fastnet bench ...`."""

import sys

from fastnet.cli import commands as cli

sys.argv[1:1] = ["bench"]
cli.main()
