"""Stage 1: the module's own tests decide whether anything else happens."""

from gitops_action.stages.verify.request import VerifyRequest, VerifyResult
from gitops_action.stages.verify.verify import Go, verify

__all__ = ["Go", "VerifyRequest", "VerifyResult", "verify"]
