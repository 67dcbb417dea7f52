"""The results of a run: members, models, answers, and the folder that holds them."""
