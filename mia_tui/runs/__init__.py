"""Runs: what a worker writes, how it is started, stopped and watched; no torch, no terminal."""
