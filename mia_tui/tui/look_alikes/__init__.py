"""Pages of look-alikes: images of one suggested class, or like one image, which one key labels together."""
