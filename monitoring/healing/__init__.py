"""Treatments: what a program can mend by itself, how often it may, and whether it helped."""
