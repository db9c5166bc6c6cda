"""Pieces of screens: data in, messages out."""
