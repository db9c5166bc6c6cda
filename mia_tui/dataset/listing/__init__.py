"""All images of a dataset in their order, a million of them in little memory."""
