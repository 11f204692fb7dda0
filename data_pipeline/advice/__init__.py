"""Advice: what to do about the rules that a batch broke. By rules and counting; no model is asked."""
