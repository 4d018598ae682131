"""What people and programs read on standard output: a table on a terminal, lines elsewhere, or one JSON document."""

from cleaner.report.document import SCHEMA, Document, escaped, write_document
from cleaner.report.heading import Heading
from cleaner.report.tables import write_explanation, write_result, write_table

__all__ = ["SCHEMA", "Document", "Heading", "escaped", "write_document", "write_explanation", "write_result", "write_table"]
