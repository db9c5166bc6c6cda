"""Pictures on the screen: made ahead of time, cached, and sent as fast as the connection takes them."""
