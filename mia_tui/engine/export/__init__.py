"""Trained networks as files for other programs: ONNX, torch.export, timm."""
