"""Label files of other programs, one module each: Label Studio, CVAT, FiftyOne, and the results of MIA.

`rows` is what they write, of labels and of predictions alike.
"""
