"""The content blocks that Messages requests hold, as Anthropic publishes them: only what is read."""

from typing import TypeAlias

from msgspec import Raw, Struct

from isthmus.wire.call import Mark


class Block(Struct, kw_only=True):
    """Any block: what it is made of, and our own mark beside it."""

    isthmus: Mark | None = None


# ---------------------------------------------------------------- where a block's content comes from


class Base64Source(Struct, tag="base64"):
    """Bytes, in base64."""

    media_type: str
    data: str


class UrlSource(Struct, tag="url"):
    """An address."""

    url: str


class FileSource(Struct, tag="file"):
    """A file that was uploaded to Anthropic."""

    file_id: str


class TextSource(Struct, tag="text"):
    """Plain text."""

    data: str


# ---------------------------------------------------------------- what a person or an agent says


class TextBlock(Block, tag="text"):
    """A run of text."""

    text: str


class ImageBlock(Block, tag="image"):
    """An image."""

    source: Base64Source | UrlSource | FileSource


class ContentSource(Struct, tag="content"):
    """Text and images of which a document is made."""

    content: str | list[TextBlock | ImageBlock]


class DocumentBlock(Block, tag="document"):
    """A document to read."""

    source: TextSource | ContentSource | Base64Source | UrlSource | FileSource
    title: str | None = None
    context: str | None = None


class SearchResultBlock(Block, tag="search_result"):
    """Something found, and where."""

    source: str
    title: str
    content: list[TextBlock]


class ToolReferenceBlock(Block, tag="tool_reference"):
    """A tool that a search among tools has found."""

    tool_name: str


ResultBlock: TypeAlias = TextBlock | ImageBlock | DocumentBlock | SearchResultBlock | ToolReferenceBlock


class ToolResultBlock(Block, tag="tool_result"):
    """What a tool gave back."""

    tool_use_id: str
    content: str | list[ResultBlock] | None = None
    is_error: bool | None = None


class SystemBlock(Block, tag="mid_conv_system"):
    """Instructions in the middle of a conversation."""

    content: list[TextBlock]


# ---------------------------------------------------------------- what a model has said


class ThinkingBlock(Block, tag="thinking"):
    """What it thought; any signature is accepted."""

    thinking: str
    signature: str | None = None


class RedactedThinkingBlock(Block, tag="redacted_thinking"):
    """What it thought, for the eyes of its maker."""

    data: str


class ToolUseBlock(Block, tag="tool_use"):
    """A call that it asked for."""

    id: str
    name: str
    input: Raw


# ---------------------------------------------------------------- what Anthropic's own tools did


class HostedBlock(Block):
    """What happened at Anthropic; it means nothing to another model's template."""


class ServerToolUseBlock(HostedBlock, tag="server_tool_use"):
    """A call of one of its tools."""


class WebSearchBlock(HostedBlock, tag="web_search_tool_result"):
    """What a search gave."""


class WebFetchBlock(HostedBlock, tag="web_fetch_tool_result"):
    """What a page held."""


class CodeExecutionBlock(HostedBlock, tag="code_execution_tool_result"):
    """What a program printed."""


class BashExecutionBlock(HostedBlock, tag="bash_code_execution_tool_result"):
    """What a command printed."""


class EditorExecutionBlock(HostedBlock, tag="text_editor_code_execution_tool_result"):
    """What became of a file."""


class ToolSearchBlock(HostedBlock, tag="tool_search_tool_result"):
    """What a search among tools gave."""


class McpToolUseBlock(HostedBlock, tag="mcp_tool_use"):
    """A call of a tool behind MCP."""


class McpToolResultBlock(HostedBlock, tag="mcp_tool_result"):
    """What a tool behind MCP gave."""


ContentBlock: TypeAlias = (
    TextBlock
    | ImageBlock
    | DocumentBlock
    | SearchResultBlock
    | ToolResultBlock
    | ToolReferenceBlock
    | SystemBlock
    | ThinkingBlock
    | RedactedThinkingBlock
    | ToolUseBlock
    | ServerToolUseBlock
    | WebSearchBlock
    | WebFetchBlock
    | CodeExecutionBlock
    | BashExecutionBlock
    | EditorExecutionBlock
    | ToolSearchBlock
    | McpToolUseBlock
    | McpToolResultBlock
)
"""Whatever a turn may hold."""
