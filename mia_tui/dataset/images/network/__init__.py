"""From an image file to the input of a network; `decode.decode_input` puts it together.

selection   which channels, as numbers of which larger ones are brighter
measuring   the limits of brightness, on a sample of a dataset; the records are in `images.intensity`
brightness  values to 0 to 1, by those limits
geometry    size and scale
mapping     all of it, for one image

`brightness` and `geometry` are formulas on arrays and know nothing of files.
"""
