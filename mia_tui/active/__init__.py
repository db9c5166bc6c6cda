"""Active learning on features, in numpy: suggestions, the most useful image, pages of look-alikes."""
