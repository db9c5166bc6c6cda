"""What the screens of labels have in common below what is seen: labels on disk, the session, the scan."""
