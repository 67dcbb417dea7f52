"""The Streamlit page: start runs and watch them, look back, learn."""
