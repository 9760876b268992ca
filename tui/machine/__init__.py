"""Screens of the machine: all runs and cards of it, what is installed, which models are known and fit."""
