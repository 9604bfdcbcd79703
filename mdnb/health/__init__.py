"""What is wrong with trajectory files, where, and what to do: a quick look on opening, every frame on demand."""

from mdnb.health.findings import Finding, Health
from mdnb.health.quick import quick_findings
from mdnb.health.scan import check_files

__all__ = ["Finding", "Health", "check_files", "quick_findings"]
