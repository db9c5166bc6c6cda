"""From the channels of a file to those of a network: which they are, and by which map; see `decode.decode_input`."""
