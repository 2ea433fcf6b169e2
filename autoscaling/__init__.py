"""Autoscaling of SageMaker endpoint variants: policies, engine, simulator and planner.

Everything here is pure: inputs are arguments (time included), outputs are values. No AWS library, no clock, no global
random state.
"""
