"""Checks of training examples as they stream by. Adding one means adding a class to its family's file."""
