"""The compiled kernels; most files have a namesake in fastnet.reference that shows the formulas."""
