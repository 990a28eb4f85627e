"""What was measured, shown: tables in the terminal, pictures, and one HTML file."""

from edgevit.report.accuracies import Accuracies, read_accuracies

__all__ = ["Accuracies", "read_accuracies"]
