"""One question to a model, answered in a given shape, within a budget. The answer is a claim, never a fact."""

import asyncio
import json
from typing import Any, TypeVar

from langchain.agents import create_agent
from langchain.agents.middleware import ModelCallLimitMiddleware
from langchain.agents.middleware.model_call_limit import ModelCallLimitExceededError
from langchain.agents.structured_output import StructuredOutputError, ToolStrategy
from langchain_core.exceptions import LangChainException
from langchain_core.language_models import BaseChatModel
from langgraph.errors import GraphRecursionError
from pydantic import BaseModel

from sre_bot.domain.errors import ModelError, Reason
from sre_bot.domain.redaction import redact

Answer = TypeVar("Answer", bound=BaseModel)


async def ask(model: BaseChatModel, question: str, shape: type[Answer], calls: int) -> Answer:
    """The model's answer. Raises ``ModelError`` when it fails or does not come within ``calls`` calls.

    Every question passes here, and what looks like a secret is taken out of it.
    """
    agent: Any = create_agent(
        model,
        tools=[],
        response_format=ToolStrategy(shape),
        middleware=[ModelCallLimitMiddleware(run_limit=calls, exit_behavior="error")],
        checkpointer=False,
    )
    shown = await asyncio.to_thread(redact, question)
    try:
        result = await agent.ainvoke({"messages": [{"role": "user", "content": shown}]})
    except (ModelCallLimitExceededError, GraphRecursionError, StructuredOutputError) as error:
        raise ModelError(f"no usable answer within {calls} calls", reason=Reason.BAD_ANSWER) from error
    except (LangChainException, json.JSONDecodeError, IndexError) as error:
        raise ModelError(f"broken answer: {error}", reason=Reason.BAD_ANSWER) from error
    answer = result.get("structured_response")
    if not isinstance(answer, shape):
        raise ModelError("the answer has no structure", reason=Reason.BAD_ANSWER)
    return answer
