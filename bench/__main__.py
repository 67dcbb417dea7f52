"""`python -m bench ...` is `fastnet bench ...`."""

import sys

from fastnet import cli

sys.argv[1:1] = ["bench"]
cli.main()
