"""What may leave: private values are found, replaced by placeholders, and put back into the answer.

redacted = Redactor(settings.handoff.redaction).redact(request)
restorer = redacted.restorer()
for event in restorer.event(hosted_event): ...
"""

from isthmus.handoff.redaction.placeholders import Placeholder
from isthmus.handoff.redaction.reading import ModelReader
from isthmus.handoff.redaction.redactor import Redacted, Redactor
from isthmus.handoff.redaction.repeats import Known
from isthmus.handoff.redaction.restoring import Restorer, restore_text

__all__ = ["Known", "ModelReader", "Placeholder", "Redacted", "Redactor", "Restorer", "restore_text"]
