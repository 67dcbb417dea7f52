"""What a run brings: members, models, answers, and the folder they are kept in."""
