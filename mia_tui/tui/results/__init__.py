"""What the network of a run does on labelled images: metrics, confusions, curves, top losses, a threshold."""
