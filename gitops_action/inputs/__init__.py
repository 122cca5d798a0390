"""The step's inputs and the run's context, parsed once; every problem is reported at once."""

from gitops_action.inputs.context import RunContext, load_context
from gitops_action.inputs.step import Inputs, input_names, invalid, load_inputs, secrets

__all__ = [
    "Inputs",
    "RunContext",
    "input_names",
    "invalid",
    "load_context",
    "load_inputs",
    "secrets",
]
