"""Rules that the data suggests: learned from a part of it, tried on what was not seen. No model is asked.

Which rules are thought of follows Deequ's constraint suggestion (Schelter et al., "Automating large-scale data quality
verification", VLDB 2018; https://github.com/awslabs/deequ).
"""
