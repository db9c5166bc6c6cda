"""Active learning on features, in numpy: suggestions, the next image worth labelling, pages of look-alikes."""
