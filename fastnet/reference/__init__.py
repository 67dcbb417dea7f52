"""The engine in plain NumPy, written to be read; each file has its namesake in fastnet.engine."""
