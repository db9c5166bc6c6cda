"""Images and labels on disk: standard library, numpy, Pillow and msgspec only.

scan/                 finds the images in the folders of a dataset
listing/              the images that were found, in order: a list in memory for a million of them
images/               one image file: its pixels, for networks and for the screen
store/                labels.db: what people decided about images
labelled_images.py    the label of each image, from labels.db or from the names of class folders
stacks.py             whether stacks are labelled by frames or as a whole
split/                which images are for training, validation and test
dataset.py            all of these, as they were read at one moment
session/              one person's way through the images: order, filter, position
interchange/          files of labels of this program and of others
hashes.py             the hash of a file's content
fingerprints.py       hash, size and time of labelled files, kept in labels.db; `store.file_changes` tells by
                      them which files were moved or changed
"""
