"""Kills, interruptions, crowds and full disks: real processes, real signals."""
