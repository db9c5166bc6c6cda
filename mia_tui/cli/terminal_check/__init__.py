"""`mia-tui doctor --terminal`: draws a test card, asks the person what they see, and says what to set.

`card` draws, `questions` asks, `outcome` concludes, `check` does one after the other.
"""
