"""When somebody would change a setting of a training: a sentence or two each, for form, help and manual.

What a setting means stands in `train`. Left out are parts of an augmentation whose other parts say it.
"""

ADVICE = {
    "backbone": (
        "resnet18 is enough for most sets of some hundred to some thousand images. A larger one takes longer, and "
        "may see finer differences where there are many images; a smaller one predicts faster."
    ),
    "weights": (
        "imagenet mostly helps where there are few images (some hundred), above all in colour; an earlier run "
        "helps where its images were alike."
    ),
    "drop_rate": (
        "Raise it to 0.2 or 0.5 if the loss of the validation rises while that of the training still falls."
    ),
    "drop_path_rate": "As dropout, for large networks: 0.1 or 0.2.",
    "ema_decay": "0.99 or 0.999 helps if the curves of the validation jump up and down.",
    "average_epochs": (
        "A quarter of all epochs often gains a little, for a few seconds an epoch; it takes the place of ema_decay."
    ),
    "refresh_norms": "Hardly ever needed; a mean of weights gets it anyway.",
    "freeze_epochs": (
        "1 to 5 with weights that the network knows much by, so that a head that knows nothing does not spoil them."
    ),
    "layer_decay": "0.65 to 0.9 with weights of ImageNet or of an earlier run, and few images.",
    "size": (
        "Take 96 or 128 where the classes are seen in a small picture, too: it is several times as fast. Take "
        "more if small details tell them apart."
    ),
    "color": "Take mono if colour says nothing about the class, or differs between days or microscopes.",
    "channels": "Name them if some channels must not decide, or if not all files have the same.",
    "intensity": (
        "Take image if the exposure differs from image to image and brightness says nothing about the class."
    ),
    "geometry": (
        "Take letterbox if lengths and shapes matter and images are not square, crop if the object is always in "
        "the middle."
    ),
    "pixel_size": "Set it if size matters, so that images of two microscopes have one scale.",
    "resize": "Hardly ever changed; nearest keeps single values, as of masks.",
    "scaling": "Change it only for weights of your own that were trained with another one.",
    "max_megapixels": "Raise it if your images are larger and the memory is enough for some of them at a time.",
    "frames": "Take all if each frame is an image of its own.",
    "stack": "max suits fluorescence, middle a focus series of which the middle is sharp.",
    "start_size": "0.5 saves about a third of the time, if objects are still seen at half the size.",
    "loss": (
        "cross_entropy suits nearly all sets; focal dwells on images that are hard to tell, and may help if one "
        "class has far more images than the others."
    ),
    "focal_gamma": "Lower it towards 1 if wrong labels among the images are likely: they look hard, too.",
    "label_smoothing": "0.1 helps if people disagree about labels, or the network is sure of wrong answers.",
    "class_weights": (
        "Take sqrt or inverse if rare classes are missed, or give the class a weight that must not be missed."
    ),
    "effective_beta": "Nearer to 1 the weights are nearer to those of inverse.",
    "metric": "Take macro_f1 or balanced_accuracy if rare classes matter as much as frequent ones.",
    "optimizer": "Hardly ever changed; sgd is what many papers use, with more epochs and a rate found by trying.",
    "lr": (
        "Divide it by 3 or 10 if the loss jumps or becomes nan, or with weights of an earlier run; multiply it if "
        "the loss falls very slowly."
    ),
    "weight_decay": "Raise it tenfold if the loss of the validation rises while that of the training still falls.",
    "momentum": "Hardly ever changed.",
    "schedule": (
        "cosine suits most; with plateau it falls when nothing improves any more, for which one need not know the "
        "number of epochs."
    ),
    "plateau_factor": "Hardly ever changed.",
    "plateau_patience": "Raise it if the curves of the validation jump up and down.",
    "step_factor": "Hardly ever changed.",
    "step_epochs": "About a third of all epochs.",
    "min_lr": "Hardly ever changed.",
    "warmup_epochs": "Raise it if the loss jumps at the very beginning.",
    "epochs": "Raise it if the curves of the validation still improve at the end; lower it for a quick try.",
    "batch_size": (
        "Raise it to 64 or 128 on a GPU that is not busy, lower it if memory runs out; with fewer than a hundred "
        "images 8 or 16 makes more steps of them."
    ),
    "early_stop": (
        "5 or 10 saves time with many epochs, best with the schedules plateau and constant: with cosine the last "
        "epochs are often the best."
    ),
    "seed": "Any other shows how much results differ by chance; repeats of 3 or more do that by themselves.",
    "deterministic": "Take it if somebody must be able to repeat the training exactly.",
    "device": (
        "auto takes the GPU with most free memory, and the CPU where there is none; name one to leave the others "
        "to somebody else."
    ),
    "precision": "Take fp32 if the loss becomes nan, or to compare with another program.",
    "cache": "Take none if other programs need the memory.",
    "threads": "Lower it to leave cores to somebody else.",
    "devices": "All that nobody else uses; the batch is shared out among them, and stays as large.",
    "sync_norms": "Take it if each GPU gets fewer than 16 images of a batch.",
    "compile": "Off if compiling fails, or the training must begin at once.",
    "cuda_graphs": "Off if a step fails with it that runs without.",
    "validate_views": "For images with no up and down, if the network will predict that way, too.",
    "trials": "12 if a run may take twice as long to be as good as the data allows; the recipe auto does that.",
    "tune": "lr alone if the trials must be few.",
    "trial_share": "Raise it if the run is short and time does not matter: longer trials tell more.",
    "repeats": "3 shows how much figures differ by chance; these networks predict better together than one alone.",
    "labels": (
        "Change it if images lie in folders by class and were labelled here as well: auto takes the labels here."
    ),
    "val_fraction": "0.2 suits most; raise it if a class has fewer than five images there.",
    "test_fraction": (
        "Set 0.1 or 0.2 if you try many settings and want a figure at the end that none of them was chosen by."
    ),
    "group_by": (
        "Set it if several images come from one slide, patient or well: 'slide[0-9]+' keeps slide12_1.png and "
        "slide12_2.png together, since results look better than they are if one is trained on and one validated."
    ),
    "split_seed": "Another one shows how much results depend on which images validate.",
    "val": "Name one if images of other slides or another day are at hand: the figures are more honest.",
    "sampling": "balanced or sqrt if rare classes are missed; not together with class weights.",
    "flip_horizontal": "0 if left and right differ in a way that tells classes apart.",
    "flip_vertical": "0 for images with an up and a down, as of plants or landscapes.",
    "rotate90": "0 for images with an up and a down; cells under a microscope have none.",
    "blur": "0.2 to 0.5 if focus differs from image to image.",
    "blur_sigma": "Lower it if the preview shows images in which you could not tell the class.",
    "piecewise_affine": "0.3 for soft things, as tissue, if there are few images.",
    "piecewise_scale_max": "Lower it if shapes in the preview look torn.",
    "dropout": "0.3 if the network looks at one spot only, or images have dust and gaps.",
    "dropout_patches_max": "Lower it if the preview shows images in which you could not tell the class.",
    "affine": "0.5 if there are few images, or objects lie in any place, size and direction.",
    "affine_scale_min": "1 if size tells classes apart.",
    "affine_scale_max": "1 if size tells classes apart.",
    "affine_shift": "0 if the object is always in the middle.",
    "affine_shear": "0 if shape tells classes apart.",
    "affine_rotate": "180 if things have no up and down, a few degrees if they have.",
    "resized_crop": "0.5 to 1 if the class is seen in a part of the image, too; 0 if size or the whole tells it.",
    "crop_area_min": "Raise it if the preview shows images in which you could not tell the class.",
    "colour_jitter": "0.5 if lamps, exposures or cameras differ, and colour does not tell classes apart.",
    "jitter_hue": "0 if hue tells classes apart.",
    "stain_jitter": "0.5 for stained sections (as H&E) of several days or laboratories.",
    "stain_strength": "Lower it if the preview shows colours that no section has.",
    "trivial_augment": "1 with some hundred images, in place of other augmentations.",
    "erasing": "0.25 if the network looks at one spot only.",
    "erasing_share_max": "Lower it if the preview shows images in which you could not tell the class.",
    "mixup": "0.5 to 1 in long trainings with few images; the loss of the training stays high then.",
    "cutmix": "As mixup, if the class is seen in a part of the image, too.",
}
"""By the names of the settings."""
