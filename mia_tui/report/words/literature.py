"""What a paper cites that uses a network of this program: its architecture, the libraries, the checklists."""

from collections.abc import Iterable
from dataclasses import dataclass

from mia_tui.catalog.backbones import TIMM_PREFIX
from mia_tui.config.train import TrainConfig


@dataclass(frozen=True)
class Citation:
    """A work, what it is cited for, and its DOI or arXiv number."""

    text: str
    reason: str
    identifier: str


CHECKLIST = Citation(
    "Schmied et al., Community-developed checklists for publishing images and image analyses, Nature Methods 21, "
    "170-181 (2024)",
    "checklist",
    "doi:10.1038/s41592-023-01987-9",
)

# By the beginning of the name in the catalogue; the longest one that fits.
_NETWORKS: dict[str, tuple[str, str]] = {
    "densenet": ("Huang et al., Densely connected convolutional networks, CVPR 2017", "arXiv:1608.06993"),
    "efficientnet": ("Tan and Le, EfficientNet, ICML 2019", "arXiv:1905.11946"),
    "inceptionv3": ("Szegedy et al., Rethinking the Inception architecture, CVPR 2016", "arXiv:1512.00567"),
    "inceptionresnetv2": ("Szegedy et al., Inception-v4 and Inception-ResNet, AAAI 2017", "arXiv:1602.07261"),
    "mobilenet": ("Howard et al., MobileNets, 2017", "arXiv:1704.04861"),
    "mobilenetv2": ("Sandler et al., MobileNetV2, CVPR 2018", "arXiv:1801.04381"),
    "nasnet": ("Zoph et al., Learning transferable architectures, CVPR 2018", "arXiv:1707.07012"),
    "resnet": ("He et al., Deep residual learning for image recognition, CVPR 2016", "arXiv:1512.03385"),
    "resnext": ("Xie et al., Aggregated residual transformations, CVPR 2017", "arXiv:1611.05431"),
    "seres": ("Hu et al., Squeeze-and-excitation networks, CVPR 2018", "arXiv:1709.01507"),
    "senet": ("Hu et al., Squeeze-and-excitation networks, CVPR 2018", "arXiv:1709.01507"),
    "vgg": ("Simonyan and Zisserman, Very deep convolutional networks, ICLR 2015", "arXiv:1409.1556"),
    "xception": ("Chollet, Xception, CVPR 2017", "arXiv:1610.02357"),
}
_PRE_ACTIVATION = ("He et al., Identity mappings in deep residual networks, ECCV 2016", "arXiv:1603.05027")
_OPTIMIZERS = {
    "adam": ("Kingma and Ba, Adam, ICLR 2015", "arXiv:1412.6980"),
    "adamw": ("Loshchilov and Hutter, Decoupled weight decay regularization, ICLR 2019", "arXiv:1711.05101"),
    "adamax": ("Kingma and Ba, Adam, ICLR 2015", "arXiv:1412.6980"),
    "adadelta": ("Zeiler, ADADELTA, 2012", "arXiv:1212.5701"),
    "adagrad": ("Duchi et al., Adaptive subgradient methods, JMLR 2011", "jmlr.org/papers/v12/duchi11a"),
}


def network_citation(backbone: str) -> Citation | None:
    """The work that describes a network; None for one that is not in the catalogue."""
    if backbone.startswith(TIMM_PREFIX):
        return None
    if backbone.startswith("resnet") and backbone.endswith("v2"):
        return Citation(_PRE_ACTIVATION[0], "network", _PRE_ACTIVATION[1])
    found = [beginning for beginning in _NETWORKS if backbone.startswith(beginning)]
    if not found:
        return None
    text, identifier = _NETWORKS[max(found, key=len)]
    return Citation(text, "network", identifier)


def citations(config: TrainConfig | None, *, calibrated: bool, why: bool) -> Iterable[Citation]:
    """What to cite for a training; None for one that is not at hand."""
    if config is not None:
        network = network_citation(config.backbone)
        if network is not None:
            yield network
    yield Citation("Paszke et al., PyTorch, NeurIPS 2019", "PyTorch", "arXiv:1912.01703")
    yield Citation("Wightman, PyTorch Image Models (timm), 2019", "networks", "doi:10.5281/zenodo.4414861")
    if config is not None:
        yield from _of_training(config)
    if calibrated:
        yield Citation("Guo et al., On calibration, ICML 2017", "calibration", "arXiv:1706.04599")
    if why:
        yield Citation("Selvaraju et al., Grad-CAM, ICCV 2017", "where the network looks", "arXiv:1610.02391")
    yield CHECKLIST


def _of_training(config: TrainConfig) -> Iterable[Citation]:
    if config.weights == "imagenet":
        yield Citation("Deng et al., ImageNet, CVPR 2009", "weights", "doi:10.1109/CVPR.2009.5206848")
    if config.optimizer in _OPTIMIZERS:
        text, identifier = _OPTIMIZERS[config.optimizer]
        yield Citation(text, "optimizer", identifier)
    if config.loss == "focal":
        yield Citation(
            "Lin et al., Focal loss for dense object detection, ICCV 2017", "loss", "arXiv:1708.02002"
        )
    if config.class_weights.strip() == "effective":
        text = "Cui et al., Class-balanced loss based on effective number of samples, CVPR 2019"
        yield Citation(text, "class weights", "arXiv:1901.05555")
