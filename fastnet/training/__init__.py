"""From options to members, and the rounds of epochs in which they are trained."""
