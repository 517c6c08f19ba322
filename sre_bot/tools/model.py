"""The language model's endpoint: any OpenAI-compatible server, through LangChain."""

import httpx
from langchain_core.language_models import BaseChatModel

from sre_bot.domain.errors import ModelError, Reason


def chat_model(url: str, name: str, key: str, *, timeout: float) -> BaseChatModel:
    """A chat model; ``timeout`` in seconds for one call, two retries on connection errors."""
    # langchain_openai takes 1.4 s and 75 MB to import; a bot without a model shall not pay for it
    from langchain_openai import ChatOpenAI
    from pydantic import SecretStr

    return ChatOpenAI(base_url=url, model=name, api_key=SecretStr(key or "none"), timeout=timeout, max_retries=2)


async def offered(url: str, key: str, *, timeout: float) -> tuple[str, ...]:
    """The names of the models that an endpoint says it has; ``timeout`` in seconds. Raises ``ModelError``."""
    doing = f"GET {url.rstrip('/')}/models"
    try:
        async with httpx.AsyncClient(timeout=timeout) as client:
            answer = await client.get(f"{url.rstrip('/')}/models", headers={"Authorization": f"Bearer {key or 'none'}"})
    except httpx.TimeoutException as error:
        raise ModelError(f"{doing}: no answer in time", reason=Reason.UNAVAILABLE) from error
    except httpx.HTTPError as error:
        raise ModelError(f"{doing}: cannot be reached: {error}", reason=Reason.UNAVAILABLE) from error
    if not answer.is_success:
        raise ModelError.from_status(answer.status_code, doing)
    try:
        return tuple(str(model["id"]) for model in answer.json()["data"])
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{doing}: the answer lists no models", reason=Reason.BAD_ANSWER) from error
