"""The vendors that Isthmus knows, each row its differences only.

They are what the vendors' own documentation and SDKs said in November 2026, or what their servers answered
(the refusals that aren't documented). Where in doubt a parameter is left out: an answer without it is better
than none, and what was left out is told.
"""

from msgspec.structs import replace

from isthmus.providers.vendor import HOME_ONLY, Takes, Vendor
from isthmus.wire.chat_body import Spelling

_SAMPLING = frozenset({"temperature", "top_p"})
_PENALTIES = frozenset({"presence_penalty", "frequency_penalty"})
_NEW_LENGTH = Spelling(length="max_completion_tokens")

# ---------------------------------------------------------------- OpenAI, at home and at Azure

_CHATS = Takes(efforts=())
_REASONS = Takes(
    refuses=HOME_ONLY | _SAMPLING | _PENALTIES | {"logit_bias", "top_logprobs", "stop"},
)
_OPENAI_MODELS = (
    (
        r"^o\d",
        replace(
            _REASONS, refuses=_REASONS.refuses | {"parallel_tool_calls"}, efforts=("low", "medium", "high")
        ),
    ),
    (r"^gpt-[\d.]+-chat|^gpt-chat", _CHATS),
    (r"^gpt-5(?!\.)", replace(_REASONS, efforts=("minimal", "low", "medium", "high"))),
    (r"^gpt-5\.1", replace(_REASONS, efforts=("none", "low", "medium", "high"))),
    (r"^gpt-[5-9]", replace(_REASONS, efforts=("none", "low", "medium", "high", "xhigh"))),
)

OPENAI = Vendor(
    name="openai",
    title="OpenAI",
    hosts=("api.openai.com", ".api.openai.com"),
    base_url="https://api.openai.com/v1",
    key_variables=("OPENAI_API_KEY",),
    keys_page="https://platform.openai.com/api-keys",
    model="gpt-5-mini",
    prices="openai",
    spelling=Spelling(length="max_completion_tokens", developer=True),
    takes=_CHATS,
    exceptions=_OPENAI_MODELS,
)

AZURE = replace(
    OPENAI,
    name="azure",
    title="Azure OpenAI",
    hosts=(".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com"),
    base_url="",  # https://RESOURCE.openai.azure.com/openai/v1
    key_variables=("AZURE_OPENAI_API_KEY", "AZURE_API_KEY"),
    keys_page="https://portal.azure.com",
    model=None,  # a deployment, which its owner has named
    prices="azure",
    key_header="api-key",
)

# ---------------------------------------------------------------- Anthropic, by its own API

# Its OpenAI-compatible endpoint is meant for trying models out: it drops what it doesn't know without a word.
# Its types have no temperature, top_p and top_k any more, and newer models answer them with an error.
_CLAUDE = Takes(
    refuses=frozenset(HOME_ONLY | _SAMPLING | _PENALTIES | {"n", "seed", "logit_bias", "top_logprobs"}),
    efforts=("low", "medium", "high"),
    stops=8191,
    json=False,
    names=False,
    call_ids=r"[a-zA-Z0-9_-]{1,64}",
)
ANTHROPIC = Vendor(
    name="anthropic",
    title="Anthropic",
    hosts=("api.anthropic.com",),
    base_url="https://api.anthropic.com/v1",
    key_variables=("ANTHROPIC_API_KEY",),
    keys_page="https://platform.claude.com/settings/keys",
    model="claude-sonnet-5",
    prices="anthropic",
    api="messages",
    key_header="x-api-key",
    headers={"anthropic-version": "2023-06-01"},
    takes=_CLAUDE,
    exceptions=(
        (r"(sonnet|haiku)-4-5|opus-4-1", replace(_CLAUDE, efforts=())),
        (
            r"claude-(2|3|v1|instant)|(opus|sonnet)-4(-0|-20\d{6})?$",
            replace(_CLAUDE, efforts=(), schemas=False),
        ),
    ),
)

# ---------------------------------------------------------------- others who make models

_GEMINI = Takes(
    refuses=HOME_ONLY | _PENALTIES | {"seed", "logit_bias", "top_logprobs", "parallel_tool_calls"},
    efforts=("low", "medium", "high"),
    stops=5,
    names=False,
)

GOOGLE = Vendor(
    name="google",
    title="Google Gemini",
    hosts=("generativelanguage.googleapis.com",),
    base_url="https://generativelanguage.googleapis.com/v1beta/openai",
    key_variables=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    keys_page="https://aistudio.google.com/apikey",
    model="gemini-3.5-flash",
    prices="google",
    # A call of a tool bears a signature of the thought behind it; this stands for "another model's".
    spelling=Spelling(
        call_extra={"extra_content": {"google": {"thought_signature": "skip_thought_signature_validator"}}}
    ),
    takes=_GEMINI,
    exceptions=(
        (r"gemini-2\.5-flash", replace(_GEMINI, efforts=("none", "low", "medium", "high"))),
        (r"gemini-(1|2\.0)|gemma", replace(_GEMINI, efforts=())),
    ),
)

_GROK = Takes(refuses=HOME_ONLY | _PENALTIES | {"stop", "logit_bias"}, efforts=())

XAI = Vendor(
    name="xai",
    title="xAI",
    hosts=("api.x.ai", ".api.x.ai"),
    base_url="https://api.x.ai/v1",
    key_variables=("XAI_API_KEY",),
    keys_page="https://console.x.ai",
    model="grok-4.3",
    prices="x-ai",
    spelling=_NEW_LENGTH,
    takes=_GROK,
    exceptions=(
        (r"grok-4\.3", replace(_GROK, efforts=("none", "low", "medium", "high"))),
        (r"grok-4\.([6-9]|20-multi)", replace(_GROK, efforts=("low", "medium", "high", "xhigh"))),
        (r"grok-(4\.5|[5-9])", replace(_GROK, efforts=("low", "medium", "high"))),
        (r"grok-3-mini", replace(_GROK, efforts=("low", "high"))),
        (r"grok-[23]", Takes(refuses=HOME_ONLY | {"logit_bias"}, efforts=())),
    ),
)

_KIMI = Takes(
    refuses=HOME_ONLY | {"seed", "logit_bias", "top_logprobs", "parallel_tool_calls"},
    efforts=(),
    stops=5,
    warmest=1.0,
    schemas=False,
    forced=False,
)

MOONSHOT = Vendor(
    name="moonshot",
    title="Moonshot AI",
    hosts=("api.moonshot.ai", "api.moonshot.cn"),
    base_url="https://api.moonshot.ai/v1",
    key_variables=("MOONSHOT_API_KEY",),
    keys_page="https://platform.moonshot.ai/console/api-keys",
    model="kimi-k2.6",
    prices="moonshotai",
    takes=_KIMI,
    exceptions=(
        (
            r"kimi-k(2\.[5-9]|[3-9])",
            replace(_KIMI, refuses=_KIMI.refuses | _SAMPLING | _PENALTIES | {"n"}, thinks=True),
        ),
        (r"thinking", replace(_KIMI, refuses=_KIMI.refuses | _SAMPLING | _PENALTIES | {"n"})),
    ),
)

DEEPSEEK = Vendor(
    name="deepseek",
    title="DeepSeek",
    hosts=("api.deepseek.com",),
    base_url="https://api.deepseek.com/v1",
    key_variables=("DEEPSEEK_API_KEY",),
    keys_page="https://platform.deepseek.com/api_keys",
    model="deepseek-v4-flash",
    prices="deepseek",
    takes=Takes(
        refuses=HOME_ONLY | {"n", "seed", "logit_bias", "top_logprobs", "parallel_tool_calls"},
        efforts=(),
        stops=16,
        schemas=False,
        thinks=True,
    ),
)

MISTRAL = Vendor(
    name="mistral",
    title="Mistral AI",
    hosts=("api.mistral.ai", ".mistral.ai"),
    base_url="https://api.mistral.ai/v1",
    key_variables=("MISTRAL_API_KEY",),
    keys_page="https://console.mistral.ai/api-keys",
    model="mistral-medium-latest",
    prices="mistral",
    # What its schema doesn't know, it refuses; the usage comes unasked.
    spelling=Spelling(seed="random_seed", usage=False),
    takes=Takes(
        refuses=HOME_ONLY | {"logit_bias", "top_logprobs"},
        efforts=(),
        warmest=1.5,
        names=False,
        call_ids=r"[a-zA-Z0-9]{9}",
    ),
)

# ---------------------------------------------------------------- those who run others' models

OPENROUTER = Vendor(
    name="openrouter",
    title="OpenRouter",
    hosts=("openrouter.ai",),
    base_url="https://openrouter.ai/api/v1",
    key_variables=("OPENROUTER_API_KEY",),
    keys_page="https://openrouter.ai/keys",
    model="openai/gpt-oss-120b",
    prices="openrouter",
    # It drops what a model can't do by itself; several answers its schema doesn't know. The headers by which
    # it ranks applications are not sent.
    takes=Takes(refuses=HOME_ONLY | {"n"}),
)

TOGETHER = Vendor(
    name="together",
    title="Together AI",
    hosts=("api.together.xyz", "api.together.ai"),
    base_url="https://api.together.xyz/v1",
    key_variables=("TOGETHER_API_KEY",),
    keys_page="https://api.together.ai/settings/api-keys",
    model="openai/gpt-oss-120b",
    prices="together",
    # Log-probabilities are a number there, not a yes; the usage comes unasked.
    spelling=Spelling(usage=False),
    takes=Takes(
        refuses=HOME_ONLY | {"top_logprobs", "parallel_tool_calls"},
        efforts=("low", "medium", "high"),
        named=False,
    ),
)

_GROQ = Takes(refuses=HOME_ONLY | {"n", "logit_bias", "top_logprobs"}, efforts=(), names=False)

GROQ = Vendor(
    name="groq",
    title="Groq",
    hosts=("api.groq.com",),
    base_url="https://api.groq.com/openai/v1",
    key_variables=("GROQ_API_KEY",),
    keys_page="https://console.groq.com/keys",
    model="openai/gpt-oss-120b",
    prices="groq",
    spelling=Spelling(length="max_completion_tokens", usage=False),
    takes=_GROQ,
    exceptions=((r"gpt-oss", replace(_GROQ, efforts=("low", "medium", "high"))),),
)

_CEREBRAS = Takes(refuses=HOME_ONLY | _PENALTIES | {"n", "logit_bias", "parallel_tool_calls"}, efforts=())

CEREBRAS = Vendor(
    name="cerebras",
    title="Cerebras",
    hosts=("api.cerebras.ai",),
    base_url="https://api.cerebras.ai/v1",
    key_variables=("CEREBRAS_API_KEY",),
    keys_page="https://cloud.cerebras.ai",
    model="gpt-oss-120b",
    prices="cerebras",
    spelling=_NEW_LENGTH,
    takes=_CEREBRAS,
    exceptions=((r"gpt-oss", replace(_CEREBRAS, efforts=("low", "medium", "high"))),),
)

FIREWORKS = Vendor(
    name="fireworks",
    title="Fireworks AI",
    hosts=("api.fireworks.ai",),
    base_url="https://api.fireworks.ai/inference/v1",
    key_variables=("FIREWORKS_API_KEY",),
    keys_page="https://app.fireworks.ai/settings/users/api-keys",
    model="accounts/fireworks/models/gpt-oss-120b",
    prices="fireworks",
    spelling=Spelling(usage=False),
    takes=Takes(efforts=("none", "low", "medium", "high")),
)
