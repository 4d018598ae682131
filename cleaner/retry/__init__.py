"""`gitjob-cleaner retry`: runs a GitRepo that failed again, the way Fleet itself means it."""

from cleaner.retry.attempts import Came, Retries, exit_code
from cleaner.retry.choosing import Around, Refused
from cleaner.retry.following import Means, Ticking
from cleaner.retry.retry import Retry, Wish
from cleaner.retry.telling import document, title

__all__ = ["Around", "Came", "Means", "Refused", "Retries", "Retry", "Ticking", "Wish", "document", "exit_code", "title"]
