"""What a user can set: one table of options, their kinds, texts, defaults and rules."""
