"""From a person's file or arrays to the Data of a run."""
