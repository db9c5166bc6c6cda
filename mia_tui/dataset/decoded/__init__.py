"""Images as a network is given them, kept in the user's cache folder, so that the next run need not decode them.

`layout` says what is on disk, `images` finds and reads them for a run, `segment_writer` adds to them, `room` sees
that they never fill the disk.
"""
