"""Pictures on the screen: made ahead, kept, sent as fast as the line takes them."""
