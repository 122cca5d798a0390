"""The order of the stages, and what becomes of the others when one fails."""

from gitops_action.pipeline.run import run
from gitops_action.pipeline.systems import Systems

__all__ = ["Systems", "run"]
