"""The Streamlit page: start runs, watch them, look at finished ones, learn."""
