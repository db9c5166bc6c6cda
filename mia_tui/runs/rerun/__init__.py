"""Repeating a training exactly: the same settings, images, labels and parts, here or elsewhere.

preparing    the job of the repetition, and what differs in the data before it starts
machine      what differs between two machines and decides whether weights can be the same to the bit
outcome      whether they are
"""
