"""The kernels; each file has its namesake in fastnet.reference."""
