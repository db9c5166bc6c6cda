"""TIFF files of every kind, read by tifffile and imagecodecs.

`reader` opens a file; `chain` follows its pages, `layout` finds out which of them are images, over which axes, from
what the formats of microscopes say (`imagej`, `ome`, …); `limits` refuses what a file only claims.
"""
