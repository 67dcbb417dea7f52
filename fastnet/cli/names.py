"""The names of the commands, in the sections of the help."""

SECTIONS = {
    "Look at a table, train": ("example", "inspect", "train", "sweep", "smallest"),
    "Look at runs": ("ls", "show", "report", "plot", "ui"),
    "Use a trained network": ("predict", "evaluate", "explain", "export"),
    "Check": ("doctor", "gradcheck", "bench"),
}
COMMANDS = "|".join(name for names in SECTIONS.values() for name in names)
