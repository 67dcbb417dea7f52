"""From a user's file or arrays to the Data of a run."""
