"""The options that a user can set: one table, their kinds, texts, defaults and rules."""
