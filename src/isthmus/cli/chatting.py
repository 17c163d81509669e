"""A conversation under way: questions are answered, commands obeyed, errors shown, and it goes on.

Every change is saved at once, so that nothing is lost however the command ends. An answer that was stopped,
or that broke off, stays as far as it was shown, marked as cut; one of which nothing was shown leaves no
trace but for /retry.
"""

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, get_args

import msgspec

from isthmus.cli import console
from isthmus.cli.amounts import moment
from isthmus.cli.answering import AnswerView, consent
from isthmus.cli.conversation import Conversation, turn_from
from isthmus.cli.saved import (
    SavedConversations,
    checked_name,
    is_automatic,
    name_for_question,
    name_for_time,
)
from isthmus.cli.session import Switchboard
from isthmus.cli.slash import Call, help_text, parse
from isthmus.cli.stopping import stoppable
from isthmus.errors import IsthmusError, UsageError
from isthmus.messages import Effort, GenerationRequest, HandoffMode
from isthmus.naming import closest, parse_model
from isthmus.runtime.answer import Ask
from isthmus.settings import Settings
from isthmus.store import CATALOGUE, Store

if TYPE_CHECKING:
    from typing import Any

DEFAULT_EFFORT = "default"
"""What is typed, and shown, for the effort that the model takes by itself."""

_LISTED = 10
